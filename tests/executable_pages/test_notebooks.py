"""A page becomes a notebook that reads and runs like it."""

import json

import pytest

from executable_pages.notebooks import export
from executable_pages.updating import update


@pytest.fixture
def cells(write_page):
    def cells(text, **urls):
        path = write_page(text)
        update(path)
        addresses = {"wheel_url": None, "page_url": None} | urls
        return json.loads(export(path, **addresses))["cells"][1:]

    return cells


def source(cell):
    return "".join(cell["source"])


def test_the_first_cell_installs_the_package_from_the_site(write_page):
    notebook = export(write_page("# Title\n"), wheel_url="https://example.org/w.whl", page_url=None)
    first = source(json.loads(notebook)["cells"][0])
    assert "torch-workflow[course] @ https://example.org/w.whl" in first
    compile(first, "first cell", "exec")


def test_the_same_page_gives_the_same_notebook(write_page):
    path = write_page("# Title\n\n```python\nx = 1\n```\n")
    assert export(path, wheel_url=None, page_url=None) == export(
        path, wheel_url=None, page_url=None
    )


def test_front_matter_markers_and_bindings_are_left_out(cells):
    page = "---\ntitle: T\n---\n\n# Title\n\nIt is 1<!-- = x -->.\n\n```python\nx = 1\n```\n"
    assert source(cells(page)[0]) == "# Title\n\nIt is 1."


def test_a_snippet_comes_with_its_output_and_its_figure(cells):
    _, cell, _ = cells(
        """
        # Title

        ```python
        import matplotlib.pyplot as plt
        plt.plot([1, 2])
        print("drawn")
        ```

        ![A line.](figures/line.svg)
        *Does it rise?*
        """
    )
    stream, display = cell["outputs"]
    assert "".join(stream["text"]) == "drawn\n"
    assert "".join(display["data"]["image/svg+xml"]).startswith("<svg")
    assert display["data"]["text/plain"] == ["A line."]


def test_an_admonition_becomes_a_quote_and_its_snippet_a_cell(cells):
    quote, code, rest = cells(
        """
        !!! warning "Careful"

            Hot *and* wet.

            ```python
            x = 1
            ```

            Still inside.

        Outside.
        """
    )
    assert source(quote) == "> **Careful**\n>\n> Hot *and* wet."
    assert source(code) == "x = 1"
    assert source(rest) == "> Still inside.\n\nOutside."


def test_a_fence_that_is_not_run_is_kept_as_it_is(cells):
    (cell,) = cells("```html\n<!-- note --> [a](b.md) {#c}\n```\n")
    assert source(cell) == "```html\n<!-- note --> [a](b.md) {#c}\n```"


def test_tabs_become_titled_text(cells):
    (cell,) = cells('=== "One"\n\n    First.\n\n=== "Two"\n\n    Second.\n')
    assert source(cell) == "**One**\n\nFirst.\n\n**Two**\n\nSecond."


def test_attribute_lists_go_and_fences_stay(cells):
    (cell,) = cells('## Title {#here}\n\n```toml title="a"\nx = {a = 1}\n```\n')
    assert source(cell) == '## Title\n\n```toml title="a"\nx = {a = 1}\n```'


@pytest.mark.parametrize(
    ("page_url", "link"),
    [
        (None, "See the model."),
        (
            "https://example.org/course/page/",
            "See [the model](https://example.org/course/2-model/#loss).",
        ),
    ],
)
def test_links_lead_to_the_site_where_it_is_known(cells, page_url, link):
    (cell,) = cells("See [the model](2-model.md#loss).\n", page_url=page_url)
    assert source(cell) == link


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("index.md", "https://example.org/part/"),
        ("../index.md", "https://example.org/"),
        ("other.md", "https://example.org/part/other/"),
        ("train.py", "https://example.org/part/train.py"),
        ("#here", "https://example.org/part/page/#here"),
    ],
)
def test_a_link_leads_where_it_leads_on_the_site(cells, target, address):
    (cell,) = cells(f"[x]({target})\n", page_url="https://example.org/part/page/")
    assert source(cell) == f"[x]({address})"


def test_an_image_in_the_prose_is_attached(cells):
    opening, *_ = cells(
        "![A line.](figures/line.svg)\n\n"
        "```python\nimport matplotlib.pyplot as plt\nplt.plot([1])\n```\n\n"
        "![A line.](figures/line.svg)\n"
    )
    assert source(opening) == "![A line.](attachment:line.svg)"
    assert "image/svg+xml" in opening["attachments"]["line.svg"]


def test_an_error_on_purpose_lets_the_notebook_go_on(cells):
    page = (
        "<!--pytest.mark.xfail(raises=ZeroDivisionError, strict=True)-->\n```python\n1 / 0\n```\n"
    )
    (cell,) = cells(page)
    assert cell["metadata"]["tags"] == ["raises-exception"]


def test_a_block_that_is_not_run_is_text(cells):
    (cell,) = cells('<!--pytest.mark.skip(reason="needs a GPU")-->\n```python\nx\n```\n')
    assert (cell["cell_type"], source(cell)) == (
        "markdown",
        "```python\nx\n```\n\n*Not run here: needs a GPU.*",
    )


def test_commands_become_shell_lines(cells):
    (cell,) = cells("```bash\n# what is here\necho one \\\n  two\n```\n")
    assert source(cell) == "# what is here\n!echo one two"


def test_a_listing_is_text_and_a_listed_file_is_written(cells, tmp_path):
    (tmp_path / "tool.py").write_text("print(1)\n")
    listing, file = cells(
        "<!-- source: textwrap.dedent -->\n```python\n...\n```\n\n"
        "<!-- source: tool.py -->\n```python\n...\n```\n"
    )
    assert listing["cell_type"] == "markdown"
    assert source(file) == "%%writefile tool.py\nprint(1)"


def test_an_exercise_keeps_its_place_and_its_solution_moves_to_the_end(cells):
    task, starter, check, after, solution, again = cells(
        """
        ### Exercise 1

        Count.

        <!-- exercise: starter -->
        ```python
        n = ...
        ```

        <!-- exercise: check -->
        ```python
        assert n == 3, "not three"
        ```

        <details markdown="1">
        <summary>Solution</summary>

        Three.

        <!-- exercise: solution -->
        ```python
        n = 3
        ```

        </details>

        Next.
        """
    )
    assert source(task) == "### Exercise 1\n\nCount."
    assert source(starter) == "n = ..."
    assert check["metadata"]["tags"] == ["raises-exception"]
    assert source(after) == "Next.\n\n## Solutions\n\n### Exercise 1\n\nThree."
    assert source(solution) == "n = 3"
    assert (source(again), again["metadata"]) == (source(check), {})
