"""`pytest --codeblocks`: a test for each block, and a census at the end."""

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def run(pytester):
    def run(pages, *options):
        for name, text in pages.items():
            path = pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return pytester.runpytest_subprocess(
            "-p", "executable_pages.pytest_plugin", "--codeblocks", "-rs", *options
        )

    return run


def block(code):
    return f"```python\n{code}\n```\n\n"


def test_each_block_is_a_test(run):
    result = run({"page.md": block("x = 1") + block("assert x == 1")}, "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*page.md::line 1 PASSED*", "*page.md::line 5 PASSED*"])


def test_a_failure_names_page_and_line_and_is_counted_once(run):
    result = run({"page.md": block("x = 1") + block("1 / 0") + block("x") + block("x")})
    result.assert_outcomes(passed=1, failed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "page.md:6: ZeroDivisionError: division by zero",
            "*the snippet at line 5 failed before it",
        ]
    )


def test_an_untrue_page_fails_with_the_command_that_repairs_it(run):
    result = run({"page.md": block("x = 1") + "It is 2<!-- = x -->.\n"})
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["page.md:5: the text says 2, *: run `python -m executable_pages update page.md` and*"]
    )


def test_bad_input_fails_with_file_and_line_and_other_pages_run(run):
    result = run({"bad.md": "```py\nx\n```\n", "good.md": block("x = 1")})
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["bad.md:1: a `py` fence would not run: write `python` instead"])


def test_the_opening_of_a_page_is_a_test(run):
    result = run({"page.md": "It is 2<!-- = x -->.\n\n" + block("x = 1")})
    result.assert_outcomes(passed=1, failed=1)


def test_an_excused_block_is_counted_with_its_reason(run):
    page = '<!--pytest.mark.skip(reason="needs a GPU")-->\n' + block("x") + block("x = 1")
    result = run({"page.md": page})
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*census*", "1 run, 1 excused", "page.md:2: needs a GPU"])


def html(*languages):
    return "".join(f'<div class="language-{name} highlight">x</div>' for name in languages)


SITE = {"mkdocs.yml": "", "docs/index.md": block("x = 1"), "docs/part/page.md": block("x = 1")}


def test_the_census_compares_what_ran_with_the_built_site(run):
    built = {
        "site/index.html": html("python", "text"),
        "site/part/page/index.html": html("python"),
        "site/404.html": html(),
    }
    result = run(SITE | built, "--census=site", "docs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["2 blocks in the built site, 2 run, 0 excused"])


@pytest.mark.parametrize(
    ("page", "languages", "line"),
    [
        ("part/page", ("python", "bash"), "*page.md: 2 blocks built, 1 run, 0 excused"),
        ("part/page", (), "*page.md: 0 blocks built, 1 run, 0 excused"),
        ("part/other", ("python",), "*index.html: 1 blocks built, 0 run, 0 excused"),
    ],
)
def test_a_block_that_did_not_run_fails_the_census(run, page, languages, line):
    built = {
        "site/index.html": html("python"),
        "site/part/page/index.html": html("python"),
        f"site/{page}/index.html": html(*languages),
    }
    result = run(SITE | built, "--census=site", "docs")
    assert result.ret == 1
    result.stdout.fnmatch_lines([line])


EXAMPLE = 'def f():\n    """One.\n\n    Examples:\n        >>> 1\n        {}\n    """\n'


def test_each_example_that_a_page_shows_is_a_test_and_counts(run):
    files = {
        "documented.py": EXAMPLE.format(1),
        "mkdocs.yml": "",
        "docs/page.md": "::: documented.f\n",
    }
    built = {"site/page/index.html": '<div class="language-pycon highlight"></div>'}
    result = run(files | built, "-v", "--census=site", "-o", "pythonpath=.", "docs")
    result.stdout.fnmatch_lines(
        ["*page.md::documented.f PASSED*", "1 blocks in the built site, 1 run, 0 excused"]
    )
    assert result.ret == 0


def test_an_untrue_example_fails_with_page_and_line(run):
    files = {"documented.py": EXAMPLE.format(2), "page.md": "\n::: documented.f\n"}
    result = run(files, "-o", "pythonpath=.", "page.md")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["page.md:2: the example of documented.f is untrue*"])
