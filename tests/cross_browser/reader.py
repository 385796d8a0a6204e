"""What a reader does in a browser, on top of the few commands that each driver gives."""

import contextlib
import io
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from selenium.common.exceptions import WebDriverException
from serving import serve

PATIENCE = 60  # seconds

FIND = """(selector, text) => [...document.querySelectorAll(selector)].find(
  (element) => element.checkVisibility() && element.textContent.includes(text))"""

# The middle of an element's first line, once the page is loaded and nothing covers it.
AIM = f"""(selector, text) => {{
  const element = ({FIND})(selector, text);
  if (!element || document.readyState !== "complete") return null;
  element.scrollIntoView({{ block: "center", behavior: "instant" }});
  const {{ x, y, width, height }} = element.getClientRects()[0];
  const place = [x + width / 2, y + height / 2].map(Math.floor);
  return element.contains(document.elementFromPoint(...place)) ? place : null;
}}"""

BOX = f"""(selector) => {{
  const element = ({FIND})(selector, "");
  element.scrollIntoView({{ block: "center", behavior: "instant" }});
  const box = element.getBoundingClientRect();
  return [box.left, box.top, box.right, box.bottom].map(Math.round);
}}"""


def until(attempt: Callable[[], Any], wish: str) -> Any:
    """The first result that is true; a browser between two pages is asked again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            result = attempt()
        except WebDriverException as error:
            result, wish = None, f"{wish.partition(': ')[0]}: {error.msg}"
        if result:
            return result
        assert time.monotonic() < deadline, f"{PATIENCE} s without {wish}"
        time.sleep(0.02)


class Reader(ABC):
    """A browser that shows a site; places on its pages are CSS selectors and a text."""

    address: str

    @abstractmethod
    def go(self, url: str) -> None:
        """Load a page to its end."""

    @abstractmethod
    def evaluate(self, function: str, *arguments: Any) -> Any:
        """What a JavaScript function returns in the page, or its promise gives."""

    @abstractmethod
    def act(self, *sources: dict[str, Any]) -> None:
        """Do the actions of input sources, as WebDriver defines them."""

    @abstractmethod
    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in a file input."""

    @abstractmethod
    def screenshot(self) -> bytes:
        """The viewport as PNG."""

    @abstractmethod
    def open_narrow(self, path: str, width: int) -> None:
        """Load a page of the site in a viewport of that width, until the next page is opened."""

    @abstractmethod
    def complaints(self) -> list[str]:
        """What has gone wrong since the last call: errors, and requests that failed or left."""

    def prepared(self, site: Path) -> Path:
        """The site as this browser has to be given it."""
        return site

    @contextlib.contextmanager
    def visit(self, site: Path) -> Iterator[None]:
        """Serve a site to a reader of whom this browser knows nothing yet."""
        with serve(self.prepared(site)) as self.address:
            try:
                yield
            finally:
                complaints = self.complaints()
            assert not complaints, "\n".join(complaints)

    def open(self, path: str = "") -> None:
        self.go(self.address + path)

    def wait(self, condition: str, *arguments: Any) -> Any:
        """Wait until a JavaScript function returns something true."""
        return until(lambda: self.evaluate(condition, *arguments), f"{condition}{arguments}")

    def click(self, selector: str, text: str = "") -> None:
        def aim() -> list[int] | None:
            return self.evaluate(AIM, selector, text)

        x, y = until(lambda: (place := aim()) == aim() and place, f"a {selector} {text} to click")
        moves = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self.act({"type": "pointer", "id": "mouse", "actions": moves})

    def press(self, *keys: str) -> None:
        """Press keys together."""
        down = [{"type": "keyDown", "value": key} for key in keys]
        up = [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self.act({"type": "key", "id": "keyboard", "actions": [*down, *up]})

    def write(self, text: str) -> None:
        for character in text:
            self.press(character)

    def focus(self, selector: str, text: str = "") -> None:
        self.wait(
            f"(...place) => {{ const element = ({FIND})(...place); element?.focus();"
            " return element && element === document.activeElement; }",
            selector,
            text,
        )

    def text(self, selector: str) -> str:
        return self.wait(f"(selector) => ({FIND})(selector, '')?.innerText", selector)

    def picture(self, selector: str) -> Image.Image:
        """An element as it looks."""
        box = self.evaluate(BOX, selector)
        return Image.open(io.BytesIO(self.screenshot())).convert("RGB").crop(box)
