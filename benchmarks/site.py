"""What the built site costs a reader, beside bare pages of its theme with the same text.

    python benchmarks/site.py [--quick]

Builds both, serves both with compression from this machine, and prints for each page the bytes of a
first visit, for some pages Lighthouse's scores (phone and desktop), and the time to the next page.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

import browsers  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from pointer import follow_a_click  # noqa: E402
from project import PAGES, WRITTEN_PAGES, address_of  # noqa: E402
from serving import serve  # noqa: E402
from weighing import build_bare, index_of, visit  # noqa: E402

NODE = ROOT / "benchmarks/node_modules/.bin"
JUDGED = ("", "workflow/3-training/", "workflow/6-together/", "help/cheatsheet/")
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


def build(folder: Path, address: str) -> Path:
    environment = {"SITE_URL": address, "EXECUTE_NOTEBOOKS": "false", "OFFLINE_COPY": "false"}
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)
    return folder


def print_bytes(browser: Browser, site: str, bare: str, bare_folder: Path) -> None:
    print(
        f"{'bytes, compressed':24}{'first visit':>12}{'page':>9}{'bare':>9}{'ratio':>7}  blocking"
    )
    for page in PAGES:
        ours = visit(browser, site + address_of(page))
        row = f"{address_of(page) or 'home':24}{ours.total:12,}{ours.without_figures:9,}"
        if page in WRITTEN_PAGES:
            theirs = visit(browser, bare + address_of(page))
            size = theirs.without_figures + index_of(page, bare_folder)
            row += f"{size:9,}{ours.without_figures / size:7.3f}"
            row += f"  {len(ours.blocking)} / {len(theirs.blocking)}"
        print(row)


def lighthouse(address: str, *, desktop: bool) -> dict[str, float]:
    """Scores from 0 to 100, and the cumulative layout shift."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(NODE / "lighthouse", address, "--quiet", "--output=json"),
            f"--output-path={folder}/report.json",
            "--chrome-flags=--headless=new --no-sandbox --disable-background-networking",
            *(["--preset=desktop"] if desktop else []),
        ]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        chromium = {"CHROME_PATH": str(browsers.find("chromium")), "PATH": path}
        subprocess.run(command, check=True, env=os.environ | chromium, capture_output=True)
        report = json.loads(Path(folder, "report.json").read_text())
    scores = {name: 100 * report["categories"][name]["score"] for name in CATEGORIES}
    return scores | {"shift": report["audits"]["cumulative-layout-shift"]["numericValue"]}


def print_scores(site: str, bare: str, rounds: int) -> None:
    print(f"\nLighthouse, median of {rounds}: {', '.join(CATEGORIES)}, layout shift")
    for page in JUDGED:
        for desktop in (True, False):
            for name, address in (("course", site), ("bare", bare)):
                runs = [lighthouse(address + page, desktop=desktop) for _ in range(rounds)]
                median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
                scores = " ".join(f"{median[key]:4.0f}" for key in CATEGORIES)
                where = f"{page or 'home':24}{'desktop' if desktop else 'phone':9}{name:8}"
                print(f"{where}{scores}  {median['shift']:.4f}")


def print_next_page(course: Path, bare: Path, rounds: int) -> None:
    print(f"\nNext page, from page 1 to page 2 by a click, median and longest of {rounds}, ms")
    if missing := [name for name in ("screen", "window", "pointer") if not browsers.find(name)]:
        print(f"not measured: `python tests/browsers.py {' '.join(missing)}` installs them")
        return
    for name, site in (("course", course), ("bare", bare)):
        followed = [follow_a_click(site) for _ in range(rounds)]
        row = f"{name:8}{sum(each['prerendered'] for each in followed):3} prerendered"
        for key in ("navigation", "click"):
            times = [each[key] for each in followed]
            row += f"  {key} {statistics.median(times):4.0f} {max(times):4.0f}"
        print(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of everything")
    rounds = 1 if parser.parse_args().quick else 3
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder, "site")
        ours.mkdir()
        bare = build_bare(WRITTEN_PAGES, Path(folder, "bare"))
        with serve(ours) as site, serve(bare) as theirs, sync_playwright() as playwright:
            build(ours, site)
            browser = playwright.chromium.launch(
                executable_path=browsers.find("chromium"), chromium_sandbox=False
            )
            print_bytes(browser, site, theirs, bare)
            browser.close()
            print_next_page(ours, bare, 3 * rounds)
            print_scores(site, theirs, rounds)


if __name__ == "__main__":
    main()
