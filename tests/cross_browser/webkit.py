"""WebKitGTK, driven by Selenium on a screen in memory."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browsers
from cross_browser.reader import Reader
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.command import Command
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

# WebDriver tells nothing of what a page complains about: this at its head notes it.
WATCH = """<meta http-equiv="Content-Security-Policy"
  content="default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'">
<script>{
  const note = (...words) => {
    sessionStorage.complaints = `${sessionStorage.complaints ?? ""}${words.join(" ")}\\n`;
  };
  const listen = (kind, words) => addEventListener(kind, (event) => note(...words(event)), true);
  listen("error", ({ message, target }) => [message ?? `lacks ${target.src ?? target.href}`]);
  listen("unhandledrejection", ({ reason }) => [reason]);
  listen("securitypolicyviolation", ({ blockedURI }) => ["asks", blockedURI]);
  for (const level of ["error", "warn"]) console[level] = note;
}</script>"""

TAKE = """() => {
  const { complaints = "" } = sessionStorage;
  sessionStorage.clear();
  return complaints;
}"""

FRAME = """(path, width) => new Promise((loaded) => {
  const frame = document.createElement("iframe");
  frame.style = `border: 0; width: ${width}px; height: 600px`;
  frame.src = path;
  frame.onload = () => loaded(true);
  document.body.replaceChildren(frame);
})"""


class WebKit(Reader):
    def __init__(self, driver: webdriver.WebKitGTK, folder: Path) -> None:
        self.driver = driver
        self.folder = folder

    def prepared(self, site: Path) -> Path:
        copy = self.folder / site.relative_to("/")
        if not copy.exists():
            shutil.copytree(site, copy)
            for page in copy.rglob("*.html"):
                page.write_text(page.read_text().replace("<head>", f"<head>{WATCH}", 1))
        return copy

    def go(self, url: str) -> None:
        self.driver.switch_to.default_content()
        self.driver.get(url)

    def evaluate(self, function: str, *arguments: Any) -> Any:
        return self.driver.execute_script(f"return ({function})(...arguments);", *arguments)

    def act(self, *sources: dict[str, Any]) -> None:
        self.driver.execute(Command.W3C_ACTIONS, {"actions": sources})

    def choose_file(self, selector: str, path: Path) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).send_keys(str(path))

    def screenshot(self) -> bytes:
        return self.driver.get_screenshot_as_png()

    def open_narrow(self, path: str, width: int) -> None:
        """The window cannot be that narrow, so a frame is."""
        self.open("assets/course.css")
        self.evaluate(FRAME, self.address + path, width)
        self.driver.switch_to.frame(0)

    def complaints(self) -> list[str]:
        return self.evaluate(TAKE).splitlines()


@contextlib.contextmanager
def webkit() -> Iterator[WebKit]:
    program = browsers.needed("webkit")
    with browsers.screen() as display, tempfile.TemporaryDirectory(prefix="webkit-") as folder:
        options = Options()
        options.add_argument("--automation")
        service = Service(str(program), env=os.environ | {"DISPLAY": display})
        driver = webdriver.WebKitGTK(options=options, service=service)
        try:
            yield WebKit(driver, Path(folder))
        finally:
            driver.quit()
