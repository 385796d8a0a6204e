"""Examples of docstrings: run where a page shows them, counted, and left out of listings."""

import sys
import textwrap

import pytest

from executable_pages import listings
from executable_pages.blocks import PageError
from executable_pages.census import Census, count_in_site
from executable_pages.examples import check_example
from executable_pages.listings import find_examples
from executable_pages.reading import read_page
from executable_pages.updating import check

SOURCE = '''
"""Numbers.

Examples:
    >>> 1
    1
"""


def third(number: float) -> float:
    """A third.

    Args:
        number: Any.

    Examples:
        >>> from {module} import third
        >>> third(1)
        {shown}
    """
    return number / 3


class Pair:
    """Two numbers.

    Examples:
        >>> {name}
        'text'
    """

    def swap(self) -> None:
        """Change places.

        Examples:
            >>> print()
            <BLANKLINE>
        """

    def hold(self) -> None:
        """Change nothing."""
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a module with examples, and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(shown="0.3333333333333333", name="'text'"):
        source = SOURCE.format(module="documented", shown=shown, name=name)
        (tmp_path / "documented.py").write_text(source)
        return "documented"

    yield write
    sys.modules.pop("documented", None)


@pytest.fixture
def problems(package, write_page):
    """What is untrue in the examples of an object of a module."""

    def problems(of, **module):
        package(**module)
        page = read_page(write_page(f"# Title\n\n::: documented.{of}\n"))
        found = [check_example(page, *example) for example in find_examples(page)]
        return [problem for problem in found if problem]

    return problems


def test_an_example_that_prints_what_it_shows_is_true(problems):
    assert problems("third") == []


def test_a_decimal_number_may_differ_in_its_last_digit(problems):
    assert problems("third", shown="0.3333333333333334") == []


def test_an_example_that_prints_something_else_names_the_page_and_the_docstring(problems):
    (problem,) = problems("third", shown="0.25")
    assert problem.line == 3
    assert "the example of documented.third is untrue" in problem.message
    assert "documented.py" in problem.message
    assert "0.25" in problem.message
    assert "0.3333333333333333" in problem.message


def test_a_blank_line_is_written_as_doctest_has_it(problems):
    assert problems("Pair") == []


def test_checking_a_page_checks_its_examples(package, write_page):
    package(shown="0.25")
    (problem,) = check(write_page("::: documented.third\n"))
    assert "documented.third is untrue" in problem.message


def test_an_example_has_only_the_names_that_it_makes_itself(problems):
    (problem,) = problems("Pair", name="third")
    assert "NameError" in problem.message


def test_a_class_brings_the_examples_of_its_methods_and_a_module_none(package, write_page):
    package()
    shown = read_page(write_page("::: documented.Pair\n"))
    assert [example.name for _, example in find_examples(shown)] == [
        "documented.Pair",
        "documented.Pair.swap",
    ]
    assert list(find_examples(read_page(write_page("::: documented\n")))) == []


def test_a_directive_in_a_fence_shows_nothing(package, write_page):
    package()
    page = write_page("```text\n::: documented.third\n```\n")
    assert list(find_examples(read_page(page))) == []


def test_a_name_that_does_not_exist_is_a_problem_of_the_page(package, write_page):
    package()
    with pytest.raises(PageError, match=r"page\.md:2: .*documented\.half does not exist"):
        list(find_examples(read_page(write_page("# Title\n::: documented.half\n"))))


def test_a_listing_leaves_the_examples_out(package, tmp_path):
    package()
    assert listings.find("documented.third", tmp_path).text == textwrap.dedent('''\
        def third(number: float) -> float:
            """A third.

            Args:
                number: Any.
            """
            return number / 3
        ''')
    assert ">>>" not in listings.find("documented.Pair", tmp_path).text


def test_a_listed_file_keeps_its_examples(package, tmp_path):
    package()
    assert listings.find("documented.py", tmp_path).text.count(">>>") == 5


def test_the_home_page_counts_examples_among_the_snippets(package, tmp_path):
    package()
    (tmp_path / "mkdocs.yml").touch()
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/page.md"
    page.write_text("::: documented.third\n\n```python\nx = 1\n```\n")
    assert Census.of_site(page).blocks == 2


def test_signatures_and_sources_in_the_built_site_are_no_snippets(tmp_path):
    (tmp_path / "index.html").write_text(
        '<div class="language-python doc-signature highlight"><pre>f()</pre></div>\n'
        '<div class="language-pycon highlight"><pre>f()</pre></div>\n'
        '<details class="source"><summary>Source</summary>\n'
        '<div class="language-python highlight"><pre>def f</pre></div>\n</details>\n'
        '<div class="language-python highlight"><pre>f()</pre></div>\n'
    )
    assert list(count_in_site(tmp_path, []).values()) == [2]
