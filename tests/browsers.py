"""Finds the browsers that the tests drive; run as a program, installs those that are missing.

`python tests/browsers.py chromium firefox webkit`: as root from the system's packages, else
Chromium from Playwright.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = {  # names under which systems have them
    "chromium": ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
    "webkit": ("WebKitWebDriver",),
    "screen": ("Xvfb",),
    "window": ("chromium", "chromium-browser", "google-chrome"),
    "pointer": ("xdotool",),
}
PACKAGES = {
    "chromium": ["chromium-headless-shell"],
    "firefox": ["firefox-esr"],
    "webkit": ["webkit2gtk-driver"],
    "screen": ["xvfb"],
    "window": ["chromium"],
    "pointer": ["xdotool"],
}


def find(name: str) -> Path | None:
    """The system's program, else for Chromium the one that Playwright installed, else None."""
    if system := next(filter(None, map(shutil.which, PROGRAMS[name])), None):
        return Path(system)
    if name != "chromium":
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.is_file() else None


def needed(name: str) -> Path:
    """The program; where there is none, the test is skipped, but in CI it fails."""
    path = find(name)
    if path is None:
        missing = f"no {name} here: as root, `python tests/browsers.py {name}` installs it"
        raise (pytest.fail if os.environ.get("CI") else pytest.skip).Exception(missing)
    return path


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """The name of a display that no one sees."""
    program = needed("screen")
    command = [program, "-displayfd", "1", "-screen", "0", "1366x900x24", "-nolisten", "tcp"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield f":{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def install(names: list[str]) -> None:
    missing = [name for name in names if not find(name)]
    packages = [package for name in missing for package in PACKAGES[name]]
    if packages and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "--quiet"], check=True)
        subprocess.run(["apt-get", "install", "--quiet", "--yes", *packages], check=True)
    elif "chromium" in missing:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    if still := [name for name in names if not find(name)]:
        raise OSError(f"please install {', '.join(PROGRAMS[name][0] for name in still)}")


if __name__ == "__main__":
    try:
        install(sys.argv[1:])
    except (OSError, subprocess.CalledProcessError) as error:
        complaint = f"Browser tests will be skipped: {error}"
        sys.exit(complaint if os.environ.get("CI") else print(complaint))
