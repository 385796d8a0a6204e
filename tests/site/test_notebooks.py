"""Every downloaded notebook runs from top to bottom where only `torch_workflow` is installed."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from project import DOWNLOADED_PAGES, ROOT

from executable_pages.reading import read_page

NOTEBOOKS = [page.relative_to(ROOT / "docs").with_suffix("") for page in DOWNLOADED_PAGES]


def needed_by(*requirements: str) -> set[str]:
    """The distributions that requirements bring along, themselves included."""
    found: set[str] = set()
    waiting, seen = [Requirement(text) for text in requirements], set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found.add(requirement.name)
        for text in distribution(requirement.name).requires or ():
            inner = Requirement(text)
            extras = requirement.extras or {""}
            if not inner.marker or any(inner.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(inner)
    return found


@pytest.fixture(scope="module")
def reader(site, tmp_path_factory) -> Path:
    """A Python that has the site's wheel, what it requires, and Jupyter's kernel alone."""
    folder = tmp_path_factory.mktemp("reader")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env/bin/python"
    (packages,) = (folder / "env/lib").glob("python*/site-packages")
    for name in needed_by("torch-workflow[course]", "ipykernel") - {"torch-workflow"}:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            link = packages / top
            if not link.exists():
                link.symlink_to(Path(str(distribution(name).locate_file(top))))
    (wheel,) = site.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    return python


@pytest.fixture(scope="module")
def environment(reader, tmp_path_factory) -> Iterator[dict[str, str]]:
    """The environment variables under which Jupyter starts its kernels with that Python."""
    folder = tmp_path_factory.mktemp("kernels")
    command = [str(reader), str(Path(__file__).with_name("kernels.py")), f"{folder}/socket"]
    spec = {
        "argv": [*command, "{connection_file}"],
        "display_name": "reader",
        "language": "python",
        "env": {"PATH": f"{reader.parent}{os.pathsep}{os.environ['PATH']}"},
    }
    (folder / "kernels/reader").mkdir(parents=True)
    (folder / "kernels/reader/kernel.json").write_text(json.dumps(spec))
    # pytest changes its own while the notebooks run; two at a time need no threads of their own.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as kernels:
        assert kernels.stdout.readline() == b"ready\n"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JUPYTER_PATH", str(folder))
            yield environment
        kernels.terminate()


def execute(notebook: Path, folder: Path, env: dict[str, str]) -> nbformat.NotebookNode:
    client = NotebookClient(
        nbformat.read(notebook, as_version=4),
        kernel_name="reader",
        timeout=300,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(env=env)


@pytest.fixture(scope="module")
def executed(site, environment, tmp_path_factory):
    """Each notebook's run, two at a time, in folders of their own."""
    with ThreadPoolExecutor(2) as pool:
        runs: dict[Path, Future[nbformat.NotebookNode]] = {}
        for name in NOTEBOOKS:
            notebook, folder = (
                site / name / f"{name.name}.ipynb",
                tmp_path_factory.mktemp(name.name),
            )
            runs[name] = pool.submit(execute, notebook, folder, environment)
        yield runs
        pool.shutdown(cancel_futures=True)


def test_the_reader_has_nothing_of_the_course_but_the_wheel(reader):
    code = (
        "from importlib.util import find_spec; print(find_spec('torch_workflow').origin, "
        "*map(find_spec, ('executable_pages', 'mkdocs')))"
    )
    done = subprocess.run([reader, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    package, *others = done.stdout.split()
    assert package.startswith(str(reader.parents[1]))
    assert others == ["None", "None"]


@pytest.mark.parametrize("name", NOTEBOOKS, ids=str)
def test_a_downloaded_notebook_runs_from_top_to_bottom(executed, name):
    notebook = executed[name].result()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)


@pytest.mark.parametrize("name", NOTEBOOKS, ids=str)
def test_only_cells_that_are_meant_to_fail_do(executed, name):
    for cell in executed[name].result().cells:
        failed = any(output.output_type == "error" for output in cell.get("outputs", ()))
        assert failed == ("raises-exception" in cell.metadata.get("tags", ())), cell.source


@pytest.mark.parametrize("name", NOTEBOOKS, ids=str)
def test_a_notebook_draws_the_figures_of_its_page(executed, name):
    outputs = [
        output for cell in executed[name].result().cells for output in cell.get("outputs", ())
    ]
    drawn = [output for output in outputs if "image/png" in output.get("data", {})]
    blocks = read_page(ROOT / "docs" / f"{name}.md").blocks
    shown = [image for block in blocks for image in block.images if image.is_figure]
    assert len(drawn) == len(shown)
