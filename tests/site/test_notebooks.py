"""Every downloaded notebook runs from top to bottom where only `torch_workflow` is installed."""

import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from project import DOWNLOADED_PAGES, ROOT

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
def kernel(site, tmp_path_factory) -> Path:
    """A kernel whose Python has the site's wheel, what it requires, and Jupyter's kernel alone."""
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
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "reader",
        "language": "python",
        "env": {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"},
    }
    kernels = folder / "share/kernels/reader"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps(spec))
    return folder / "share"


def execute(notebook: Path, folder: Path, env: dict[str, str]) -> nbformat.NotebookNode:
    client = NotebookClient(
        nbformat.read(notebook, as_version=4),
        kernel_name="reader",
        timeout=300,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(env=env)


@pytest.fixture(scope="module")
def executed(site, kernel, tmp_path_factory):
    """Each notebook's run, two at a time, in folders of their own."""
    # pytest changes its own while the notebooks run; two at a time need no threads of their own.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("JUPYTER_PATH", str(kernel))
        runs: dict[Path, Future[nbformat.NotebookNode]] = {}
        for name in NOTEBOOKS:
            notebook, folder = (
                site / name / f"{name.name}.ipynb",
                tmp_path_factory.mktemp(name.name),
            )
            runs[name] = pool.submit(execute, notebook, folder, environment)
        yield runs
        pool.shutdown(cancel_futures=True)


def test_the_reader_has_nothing_of_the_course_but_the_wheel(kernel):
    python = kernel.parent / "env/bin/python"
    code = "import torch_workflow, torch; print(torch_workflow.__file__)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.startswith(str(kernel.parent))
    code = "import importlib.util as i; print(*map(i.find_spec, ('executable_pages', 'mkdocs')))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout == "None None\n"


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
