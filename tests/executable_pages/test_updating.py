"""What a hand changes on a page is found, with file and line, and `update` repairs it."""

import re
from pathlib import Path

import pytest

from executable_pages import updating
from executable_pages.blocks import PageError
from executable_pages.updating import check, update

PAGE = """\
# A page

It begins with 0.50<!-- = f"{loss:.2f}" --> and a figure.

```python
import matplotlib.pyplot as plt

loss = 0.5
print(f"loss {loss:.4f} of 12 points")
plt.plot([0, 1, 2], [0, 0.3, 2])
plt.xlabel("time")
plt.show()
```

![A line that rises.](figures/rise.svg)
*Does it rise?*

The loss is 0.5000<!-- = f"{loss:.4f}" -->, half of `1.0`<!-- = 2 * loss -->.

<!-- source: textwrap.dedent -->
```python
...
```

!!! note

    ```python
    print("nested")
    ```

    The rest.
"""


@pytest.fixture
def true_page(write_page) -> Path:
    path = write_page(PAGE)
    update(path)
    return path


def change(path: Path, pattern: str, replacement: str) -> int:
    """Change the one place that matches, and return its line."""
    text = path.read_text()
    (found,) = re.finditer(pattern, text)
    path.write_text(text[: found.start()] + replacement + text[found.end() :])
    return text[: found.start()].count("\n") + 1


def test_an_updated_page_is_true(true_page):
    assert check(true_page) == []


def test_an_update_writes_what_the_run_gave(true_page):
    text = true_page.read_text()
    assert "```text\nloss 0.5000 of 12 points\n```\n" in text
    assert "    ```text\n    nested\n    ```\n\n    The rest.\n" in text
    assert "def dedent(text):" in text
    assert (true_page.parent / "figures" / "rise.svg").exists()


def test_a_second_update_changes_nothing(true_page):
    before = true_page.stat().st_mtime_ns, true_page.read_text()
    assert update(true_page) == []
    assert (true_page.stat().st_mtime_ns, true_page.read_text()) == before


CHANGES = {
    "a printed number": (r"(?<=```text\nloss )0\.5000", "0.5020"),
    "a printed count": (r"(?<=of )12(?= points\n```\n\n!)", "13"),
    "a printed word": (r"(?<=```text\n)loss", "cost"),
    "a bound number": (r"0\.5000(?=<)", "0.4900"),
    "a bound number above the first block": (r"0\.50(?=<)", "0.60"),
    "a bound code span": (r"(?<=`)1\.0(?=`<)", "1.3"),
    "a listing": (r"return textwrap|lines = text", "lines = other"),
    "a nested output": (r"(?<=    ```text\n    )nested", "nestled"),
}


@pytest.mark.parametrize(("pattern", "replacement"), CHANGES.values(), ids=CHANGES)
def test_a_change_by_hand_is_found_and_repaired(true_page, pattern, replacement, monkeypatch):
    monkeypatch.chdir(true_page.parent)
    before = true_page.read_text()
    if "lines" in replacement:
        pattern = r"    \"\"\"Remove any common"
        replacement = '    """Remove every common'
    line = change(true_page, pattern, replacement)
    (problem,) = check(true_page)
    listing = next(n for n, text in enumerate(before.split("\n"), 1) if "source:" in text)
    assert problem.line == (listing + 1 if "every" in replacement else line)
    assert str(problem).startswith(f"page.md:{problem.line}: ")
    assert "run `python -m executable_pages update page.md`" in problem.message
    assert len(update(true_page)) == 1
    assert true_page.read_text() == before


FIGURE_CHANGES = {
    "a color": (r"stroke: var\(--c0\)", "stroke: var(--c1)"),
    "a data point": (r"(?s)(?<=\nL )[\d.]+(?= [\d.]+\n\" clip-path=[^>]*--c0)", "111"),
    "an axis label": (r">time<", ">date<"),
}


@pytest.mark.parametrize(("pattern", "replacement"), FIGURE_CHANGES.values(), ids=FIGURE_CHANGES)
def test_a_figure_changed_by_hand_is_found_and_repaired(true_page, pattern, replacement):
    figure = true_page.parent / "figures" / "rise.svg"
    before = figure.read_text()
    change(figure, pattern, replacement)
    (problem,) = check(true_page)
    assert problem.line == 20
    assert "the figure rise.svg is not what this run draws: run `python -m" in problem.message
    update(true_page)
    assert figure.read_text() == before


def test_an_update_touches_only_lines_that_really_changed(write_page):
    path = write_page(
        """
        ```python
        print("0.3333 0.1\\n0.25\\n0.7")
        ```

        <!--pytest-codeblocks:expected-output-->
        ```text
        0.3334 0.1
        0.99
        0.7
        ```
        """
    )
    update(path)
    assert "\n0.3334 0.1\n0.25\n0.7\n" in path.read_text()


def test_noise_in_the_last_digit_is_no_change(write_page):
    path = write_page("```python\nx = 0.33331\n```\n\nIt is 0.3334<!-- = f'{x:.4f}' -->.\n")
    assert check(path) == []


def test_an_exact_update_rewrites_noise_too(write_page):
    path = write_page(
        """
        ```python
        x = 0.33331
        print(f"{x:.4f}")
        ```

        <!--pytest-codeblocks:expected-output-->
        ```text
        0.3334
        ```

        It is 0.3334<!-- = f'{x:.4f}' -->.
        """
    )
    assert update(path) == []
    assert len(update(path, exact=True)) == 2
    assert "\n0.3333\n" in path.read_text()
    assert "It is 0.3333<!--" in path.read_text()


def test_an_output_that_varies_is_compared_by_its_shape(write_page):
    page = """
        ```python
        print("took {} ms")
        ```

        <!-- varies: wall time -->
        <!--pytest-codeblocks:expected-output-->
        ```text
        took 123.4 ms
        ```
        """
    assert check(write_page(page.replace("{}", "9.87"))) == []
    (problem,) = check(write_page(page.replace("{} ms", "9.87 s")))
    assert problem.line == 8


def test_an_output_that_is_no_longer_printed_goes(write_page):
    text = "```python\nx = 1\n```\n"
    shown = "\n<!--pytest-codeblocks:expected-output-->\n```text\n1\n```\n"
    path = write_page(text + shown)
    (problem,) = check(path)
    assert (problem.line, "prints nothing" in problem.message) == (5, True)
    update(path)
    assert path.read_text() == text


BROKEN = {
    "code that fails": ("```python\n1 / 0\n```\n", 1 + 1, "ZeroDivisionError"),
    "figure drawn, not shown": (
        "```python\nimport matplotlib.pyplot as plt\nplt.plot([1])\n```\n",
        1,
        "draws 1 figure(s) and shows 0",
    ),
    "figure shown, not drawn": (
        "```python\nx = 1\n```\n\n![A line.](figures/x.svg)\n",
        5,
        "x.svg is shown, and no snippet above it draws it",
    ),
    "figure shown above all blocks, never drawn": (
        "![A line.](figures/x.svg)\n\n```python\nx = 1\n```\n",
        1,
        "x.svg is shown, and no snippet",
    ),
    "two figures with one name": (
        "```python\nimport matplotlib.pyplot as plt\nplt.plot([1])\n```\n\n![A.](figures/x.svg)\n\n"
        "```python\nplt.plot([2])\n```\n\n![B.](figures/x.svg)\n",
        12,
        "two figures have the name x.svg, the other one at line 8",
    ),
    "bound number that fails": (
        "```python\nx = 1\n```\n\nIt is 5<!-- = y -->.\n",
        5,
        "the expression `y` fails",
    ),
    "listing of nothing": (
        "<!-- source: json.nothing -->\n```python\n...\n```\n",
        2,
        "json.nothing does not exist",
    ),
    "page that cannot be read": ("```py\nx\n```\n", 1, "would not run"),
}


@pytest.mark.parametrize(("text", "line", "message"), BROKEN.values(), ids=BROKEN)
def test_an_update_writes_nothing_where_a_person_must_decide(write_page, text, line, message):
    text = "It is 7<!-- = 1 -->.\n\n" + text
    path = write_page(text)
    with pytest.raises(PageError) as caught:
        update(path)
    found = [problem for problem in caught.value.problems if message in problem.message]
    assert [problem.line for problem in found] == [line + 2]
    assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == ["page.md"]


def test_a_figure_may_be_shown_again_above_and_below(write_page):
    image = "![A line.](figures/x.svg)\n\n"
    draw = "```python\nimport matplotlib.pyplot as plt\nplt.plot([1])\n```\n\n"
    path = write_page(image + draw + image + "```python\nx = 1\n```\n\n" + image)
    update(path)
    assert check(path) == []


def test_an_interrupted_write_leaves_the_page_as_it_was(true_page, monkeypatch):
    change(true_page, r"0\.5000(?=<)", "0.4900")
    before = true_page.read_text()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(updating.os, "fdopen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        update(true_page)
    assert true_page.read_text() == before
    assert sorted(file.name for file in true_page.parent.iterdir()) == ["figures", "page.md"]


def test_line_endings_stay_as_they_are(write_page):
    path = write_page("")
    path.write_bytes(b"```python\r\nx = 1\r\n```\r\n\r\nIt is 5<!-- = x -->.\r\n")
    update(path)
    assert path.read_bytes() == b"```python\r\nx = 1\r\n```\r\n\r\nIt is 1<!-- = x -->.\r\n"
