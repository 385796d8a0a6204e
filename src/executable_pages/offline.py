"""MkDocs hook: a copy of the whole site, as a zip file, that a browser reads from a folder.

A second process builds the copy beside the site. Browsers refuse to load modules from a folder, so
the copy's pages hold the site's scripts themselves.
"""

import base64
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.pages import Page

NAME = "offline.zip"
FOLDER = "pytorch-workflow"  # what unpacking makes
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the same content, the same file

SCRIPT = re.compile(r'<script src="[^"]*assets/course\.js" type="module"></script>')
WIDGET = re.compile(r'data-widget="(\w+)"')
IMPORT = "import(`./${name}.js`)"


class Copy:
    """A build of the offline copy that has begun."""

    def __init__(self, config_file: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mkdocs", "build", "--strict"),
                *("--config-file", config_file, "--site-dir", self.folder.name),
            ],
            env=os.environ | {"OFFLINE": "true", "EXECUTE_NOTEBOOKS": "false"},
            stderr=subprocess.PIPE,
            text=True,
        )

    def save(self, path: Path) -> None:
        _, complaints = self.process.communicate()
        if self.process.returncode:
            raise PluginError(f"The offline copy cannot be built: {complaints}")
        root = Path(self.folder.name)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(root.rglob("*")):
                if file.is_file():
                    name = f"{FOLDER}/{file.relative_to(root).as_posix()}"
                    archive.writestr(_entry(name), file.read_bytes())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


copy: Copy | None = None


@event_priority(100)
def on_config(config: MkDocsConfig) -> None:
    """Name the stand-in for a search worker before the theme's plugin names a remote one."""
    if config.extra["offline"]:
        config.extra["polyfills"] = ["assets/iframe-worker.js"]
        config.site_url = ""


def on_pre_build(config: MkDocsConfig) -> None:
    global copy
    wanted = config.extra["offline_copy"] and not config.extra["offline"]
    copy = Copy(config.config_file_path) if wanted else None


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Put the site's script, and the widgets that it loads on this page, into the page."""
    if not config.extra["offline"]:
        return output
    assets = Path(str(config.theme.custom_dir), "assets")
    widgets = {name: _address(assets / f"{name}.js") for name in WIDGET.findall(output)}
    script = (assets / "course.js").read_text("utf-8").replace(IMPORT, f"import({widgets}[name])")
    return SCRIPT.sub(lambda _: f'<script type="module">\n{script}</script>', output)


def on_post_build(config: MkDocsConfig) -> None:
    global copy
    if copy:
        try:
            copy.save(Path(config.site_dir, NAME))
        finally:
            copy.end()
            copy = None


def on_build_error(error: Exception) -> None:
    global copy
    if copy:
        copy.end()
        copy = None


def _address(module: Path) -> str:
    return f"data:text/javascript;base64,{base64.b64encode(module.read_bytes()).decode()}"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EARLIEST)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
