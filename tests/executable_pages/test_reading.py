"""What a page is read as, and what is refused instead of being skipped in silence."""

import pytest

from executable_pages.blocks import PageError
from executable_pages.reading import read_page


@pytest.mark.parametrize(
    "info",
    [
        "python",
        'python title="first.py"',
        'python hl_lines="1"',
        "{.python .annotate}",
        '{ .python title="first.py" }',
        'python tags=["raises-exception"]',
    ],
)
def test_a_python_fence_runs_whatever_its_info_string_adds(write_page, info):
    page = read_page(write_page(f"```{info}\nprint(1)\n```\n"))
    assert [(block.language, block.code) for block in page.blocks] == [("python", "print(1)\n")]


@pytest.mark.parametrize(
    "page",
    [
        '!!! note "Title"\n\n    ```python\n    if 1:\n        x = 2\n    ```\n',
        "- item\n\n    ```python\n    if 1:\n        x = 2\n    ```\n",
        '=== "Tab"\n\n    ```python\n    if 1:\n        x = 2\n    ```\n',
        '=== "A"\n\n    - b\n\n        ```python\n        if 1:\n            x = 2\n        ```\n',
    ],
)
def test_a_nested_block_loses_the_indentation_of_its_container(write_page, page):
    (block,) = read_page(write_page(page)).blocks
    assert block.code == "if 1:\n    x = 2\n"


def test_an_example_inside_a_longer_fence_is_not_a_block(write_page):
    page = read_page(write_page("````markdown\n```python\nx\n```\n````\n"))
    assert page.blocks == []


def test_markers_in_code_spans_are_prose(write_page):
    page = read_page(write_page("Write `<!-- = x -->` after it, and `![](x.svg)` below.\n"))
    assert (page.opening, page.images) == ([], [])


def test_a_block_knows_its_output_its_figures_and_the_numbers_after_it(write_page):
    page = read_page(
        write_page(
            """
            ```python
            x = 1
            ```

            <!-- varies: a time -->
            <!--pytest-codeblocks:expected-output-->
            ```text
            1
            ```

            ![A line.](figures/line.svg)
            *Why?*

            It is 1<!-- = x --> and `(2, 3)`<!-- = (2, 3) --> and 50%<!-- = "50%" -->.
            """
        )
    )
    (block,) = page.blocks
    assert (block.output.text, block.output.varies) == ("1\n", "a time")
    assert [image.path.name for image in block.images] == ["line.svg"]
    assert [number.text for number in block.numbers] == ["1", "(2, 3)", "50%"]


BAD_PAGES = {
    "unclosed fence": ("text\n\n```python\nx = 1\n", 3, "this fence is never closed"),
    "py": ("```py\nx\n```\n", 1, "a `py` fence would not run: write `python`"),
    "pycon": ("```pycon\n>>> x\n```\n", 1, "a `pycon` fence would not run"),
    "capital": ("```Python\nx\n```\n", 1, "a `Python` fence would not run"),
    "attribute list": ("```{.py}\nx\n```\n", 1, "a `py` fence would not run"),
    "console": ("```console\nls\n```\n", 1, "a `console` fence would not run: write `bash`"),
    "tildes": ("text\n~~~python\nx\n~~~\n", 2, "a fence that begins here would not run"),
    "on a list item": ("- ```python\n  x\n  ```\n", 1, "a fence that begins here would not run"),
    "in a quote": ("> ```python\n> x\n> ```\n", 1, "a fence that begins here would not run"),
    "no language": ("```\nx\n```\n", 1, "this fence names no language"),
    "output without a block": (
        "<!--pytest-codeblocks:expected-output-->\n```text\n1\n```\n",
        1,
        "this output has no block",
    ),
    "second output": (
        "```python\nx\n```\n" + "<!--pytest-codeblocks:expected-output-->\n```text\n1\n```\n" * 2,
        8,
        "this output has no block",
    ),
    "output of a fence that does not run": (
        "```toml\nx = 1\n```\n<!--pytest-codeblocks:expected-output-->\n```text\n1\n```\n",
        4,
        "this output has no block",
    ),
    "image without alt text": ("![](figures/x.svg)\n", 1, "figures/x.svg has no alt text"),
    "image with a placeholder": ("![…](figures/x.svg)\n", 1, "figures/x.svg has no alt text"),
    "image tag": ('<img src="x.svg">\n', 1, "this image cannot be checked"),
    "image that is not there": ("![A cat.](cat.png)\n", 1, "the image cat.png does not exist"),
    "image elsewhere": ("![A cat.](https://example.org/cat.png)\n", 1, "is on another host"),
    "unknown marker": ("<!-- todo -->\n", 1, "the marker `todo` is unknown"),
    "glue": (
        "<!--pytest-codeblocks:cont-->\n```python\nx\n```\n",
        1,
        "the marker `pytest-codeblocks:cont` is unknown",
    ),
    "skipped file": (
        "<!--pytest-codeblocks:skipfile-->\n\n```python\nx\n```\n",
        1,
        "the marker `pytest-codeblocks:skipfile` is unknown",
    ),
    "open comment": ("<!-- = x\n-->\n", 1, "this comment does not end on its line"),
    "marker over prose": (
        "<!-- source: json.loads -->\ntext\n```python\nx\n```\n",
        1,
        "this source marker stands above no snippet",
    ),
    "skip without reason": (
        "<!--pytest.mark.skip-->\n```python\nx\n```\n",
        1,
        "the mark `pytest.mark.skip` cannot be used",
    ),
    "skip with an empty reason": (
        '<!--pytest.mark.skip(reason=" ")-->\n```python\nx\n```\n',
        1,
        "it gives no reason",
    ),
    "xfail of anything": (
        "<!--pytest.mark.xfail(strict=True)-->\n```python\nx\n```\n",
        1,
        "'raises' is missing",
    ),
    "unknown mark": (
        "<!--pytest.mark.slow()-->\n```python\nx\n```\n",
        1,
        "only skip, skipif and xfail are known",
    ),
    "number without digits": ("about x<!-- = x -->\n", 1, "a bound number is written"),
    "number without expression": ("about 5<!-- = -->\n", 1, "a bound number is written"),
    "exercise without a check": (
        "<!-- exercise: starter -->\n```python\nx\n```\n"
        "<!-- exercise: solution -->\n```python\nx\n```\n",
        2,
        "a starter, a check and a solution, in this order",
    ),
    "exercise of no kind": (
        "<!-- exercise: hint -->\n```python\nx\n```\n",
        1,
        "an exercise has Python fences for starter, check, solution",
    ),
}


@pytest.mark.parametrize(("text", "line", "message"), BAD_PAGES.values(), ids=BAD_PAGES)
def test_bad_input_gets_one_sentence_with_file_and_line(write_page, text, line, message):
    path = write_page(text)
    with pytest.raises(PageError) as caught:
        read_page(path)
    problem = caught.value.problems[0]
    assert (problem.path, problem.line) == (path, line)
    assert message in problem.message
    assert "\n" not in str(problem)


def test_all_problems_of_a_page_are_told_at_once(write_page):
    path = write_page("```py\nx\n```\n\n~~~\nx\n~~~\n\n<!-- what -->\n")
    with pytest.raises(PageError) as caught:
        read_page(path)
    assert [problem.line for problem in caught.value.problems] == [1, 5, 7, 9]


def test_a_page_that_is_not_utf_8_is_refused(write_page):
    path = write_page("")
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(PageError, match="this page is not UTF-8"):
        read_page(path)
