import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from project import ROOT

# Builds the site, and says on its last line whether torch was imported on the way.
BUILD = """
import sys
from mkdocs.__main__ import cli
try:
    cli(["build", "--strict", "--config-file", "mkdocs.yml", "--site-dir", sys.argv[1]])
finally:
    print("torch" in sys.modules)
"""

DEFAULTS = {
    "EXECUTE_NOTEBOOKS": "false",
    "OFFLINE_COPY": "false",
    "SITE_URL": "https://example.org/",
}

Build = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def build() -> Build:
    """Builds the site of a project folder into another folder, by default without the capstone."""

    def build(root: Path, into: Path, **environment: str):
        return subprocess.run(
            [sys.executable, "-c", BUILD, str(into)],
            cwd=root,
            env=os.environ | DEFAULTS | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return build


@pytest.fixture(scope="session")
def site(build: Build, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder with the built site, which parallel workers of a test run share."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder if worker_id == "master" else folder.parent
    with FileLock(folder / "site.lock"):
        if not (folder / "site").exists():
            done = build(ROOT, folder / "built", OFFLINE_COPY="true")
            assert done.returncode == 0, done.stderr
            (folder / "built").rename(folder / "site")
    return folder / "site"
