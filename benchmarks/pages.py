"""How long the pages take, and what the harness adds to the same code run by plain `exec`.

Every measurement is a process of its own, the ways take turns, and medians are compared:

- `exec`: the pages' Python blocks, run one after another, nothing captured, drawn or compared
- `exec and draw`: the same, and each open figure written as SVG
- `harness`: `run_page` and `compare` on every page
- `pytest`: the whole command, `pytest --codeblocks docs README.md`
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs", ROOT / "README.md"]

PLAIN = """
import contextlib, io, os, sys, tempfile, time
from pathlib import Path
import matplotlib
matplotlib.use("Agg")
from executable_pages.blocks import find_pages, read_page
from executable_pages.running import run_page
from executable_pages.comparing import compare

way, paths = sys.argv[1], [Path(path) for path in sys.argv[2:]]
pages = [read_page(path) for path in find_pages(paths)]


def run_plainly(page):
    import shutil, subprocess, types
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        names = module.__dict__
        for script in page.path.parent.glob("*.py"):
            shutil.copy(script, folder)
        for block in page.blocks:
            if block.source or (block.mark and block.mark.reason):
                continue
            with contextlib.suppress(Exception):
                if block.language == "python":
                    exec(block.code, names)
                else:
                    subprocess.run(["bash", "-c", block.code], capture_output=True)
            if "matplotlib.pyplot" in sys.modules:
                pyplot = sys.modules["matplotlib.pyplot"]
                for number in pyplot.get_fignums() if way == "exec and draw" else ():
                    pyplot.figure(number).savefig(io.StringIO(), format="svg")
                pyplot.close("all")


begin = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    for page in pages:
        if way == "harness":
            assert not list(compare(run_page(page)))
        else:
            run_plainly(page)
print(time.perf_counter() - begin)
"""


def measure(way: str) -> float:
    """Seconds that one way takes, in a new process."""
    if way == "pytest":
        begin = time.perf_counter()
        command = [sys.executable, "-m", "pytest", "-q", "--codeblocks", "docs", "README.md"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begin
    command = [sys.executable, "-c", PLAIN, way, *map(str, PAGES)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Print the median, the spread and the ratio to plain `exec` of each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ways = ("exec", "exec and draw", "harness", "pytest")
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            times[way].append(measure(way))
    base = statistics.median(times["exec"])
    print(f"{'way':14}  median s  fastest  slowest  times exec")
    for way, seconds in times.items():
        middle = statistics.median(seconds)
        print(
            f"{way:14}  {middle:8.2f}  {min(seconds):7.2f}  {max(seconds):7.2f}  {middle / base:10.2f}"
        )


if __name__ == "__main__":
    main()
