"""How long the pages take, and what the harness adds to the same code run by plain `exec`.

Every measurement is a process of its own, the ways take turns, and medians are compared:

- `exec`: the pages' blocks, one after another in one process, nothing captured, drawn or compared
- `exec and draw`: the same, and each figure saved as SVG once, as a notebook would
- `harness`: `run_page` and `compare` on every page
- `pytest`: the whole command, `pytest --codeblocks docs README.md`

Beside them, the build of the site without the capstone.
"""

import argparse
import contextlib
import io
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import types
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
IN_PROCESS = ("exec", "exec and draw", "harness")
COMMANDS = {
    "pytest": ["pytest", "-q", "--codeblocks", "docs", "README.md"],
    "mkdocs build": ["mkdocs", "build", "--quiet", "--site-dir"],
}


def run_plainly(page, draw: bool) -> None:
    """Run a page's blocks by `exec`; each one ends as the page says, or this raises."""
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sys.path.insert(0, folder)
        check = None
        for block in page.blocks:
            if block.source is not None:
                if block.source.endswith(".py"):
                    shutil.copy(page.path.parent / block.source, folder)
            elif block.mark is None or not block.mark.reason:
                run_block(block, module.__dict__)
                if block.role == "solution":
                    exec(check.code, module.__dict__)
                check = block
            close_figures(draw)
        sys.path.remove(folder)


def run_block(block, names: dict) -> None:
    """Run one block; a check fails before its solution, an `xfail` always."""
    failed = False
    try:
        if block.language == "python":
            exec(block.code, names)
        else:
            subprocess.run(["bash", "-euc", block.code], check=True, capture_output=True)
    except Exception:
        failed = True
    assert failed == (block.role == "check" or block.mark is not None), block


def close_figures(draw: bool) -> None:
    """Close the open figures, and draw them first if asked to."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        for number in pyplot.get_fignums() if draw else ():
            pyplot.figure(number).savefig(io.StringIO(), format="svg")
        pyplot.close("all")


def measure_here(way: str) -> float:
    """Seconds that a way takes in this process, reading and imports of the pages included."""
    from executable_pages.comparing import compare
    from executable_pages.reading import find_pages, read_page
    from executable_pages.running import run_page

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        begin = time.perf_counter()
        for path in find_pages([ROOT / "docs", ROOT / "README.md"]):
            page = read_page(path)
            if way == "harness":
                assert not list(compare(run_page(page)))
            else:
                run_plainly(page, draw=way == "exec and draw")
        return time.perf_counter() - begin


def measure(way: str) -> float:
    """Seconds that a way takes in a new process."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "MPLBACKEND": "Agg", "EXECUTE_NOTEBOOKS": "false"}
    if way in IN_PROCESS:
        command = [sys.executable, __file__, "--way", way]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return float(done.stdout)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", *COMMANDS[way]]
        begin = time.perf_counter()
        subprocess.run(
            command + [folder] * (way == "mkdocs build"),
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - begin


def main() -> None:
    """Print the median, the spread and the ratios to plain `exec` of each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of everything")
    parser.add_argument("--way", choices=IN_PROCESS, help="measure one way in this process")
    arguments = parser.parse_args()
    if arguments.way:
        print(measure_here(arguments.way))
        return
    rounds = 1 if arguments.quick else 5
    times: dict[str, list[float]] = {way: [] for way in (*IN_PROCESS, *COMMANDS)}
    for _ in range(rounds):
        for way, seconds in times.items():
            seconds.append(measure(way))
    bare, drawn = (statistics.median(times[way]) for way in ("exec", "exec and draw"))
    versions = [f"{name} {version(name)}" for name in ("torch", "matplotlib", "pytest", "mkdocs")]
    print(f"Python {platform.python_version()},", ", ".join(versions))
    print(f"{rounds} rounds, {os.cpu_count()} cores, seconds\n")
    print(f"{'way':<14} {'median':>7} {'fastest':>8} {'slowest':>8} {'/ exec':>7} {'/ drawn':>8}")
    for way, seconds in times.items():
        middle = statistics.median(seconds)
        print(
            f"{way:<14} {middle:7.2f} {min(seconds):8.2f} {max(seconds):8.2f} "
            f"{middle / bare:7.2f} {middle / drawn:8.2f}"
        )


if __name__ == "__main__":
    main()
