"""Firefox, driven by WebDriver BiDi: https://w3c.github.io/webdriver-bidi/."""

import base64
import contextlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browsers
from cross_browser.reader import PATIENCE, Reader, until
from selenium.common.exceptions import WebDriverException
from websockets.sync.client import ClientConnection, connect

EVENTS = [
    "log.entryAdded",
    "network.beforeRequestSent",
    "network.fetchError",
    "network.responseCompleted",
]


class Firefox(Reader):
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.commands = 0
        self.events: list[dict[str, Any]] = []
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=EVENTS)
        self.tab = self.send("browsingContext.create", type="window")

    def send(self, method: str, **parameters: Any) -> Any:
        """Give a command and return its result; events that arrive before it are kept."""
        self.commands += 1
        command = {"id": self.commands, "method": method, "params": parameters}
        self.socket.send(json.dumps(command))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE))
            if message["type"] == "event":
                self.events.append(message)
            elif message["id"] == self.commands:
                if message["type"] == "error":
                    raise WebDriverException(f"{message['error']}: {message['message']}")
                return message["result"]

    def go(self, url: str) -> None:
        self.send("browsingContext.setViewport", **self.tab, viewport=None)
        self.send("browsingContext.navigate", **self.tab, url=url, wait="complete")

    def call(self, function: str, *arguments: Any) -> dict[str, Any]:
        given = ", ".join(map(json.dumps, arguments))
        answer = self.send(
            "script.callFunction",
            functionDeclaration=f"() => ({function})({given})",
            target=self.tab,
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise WebDriverException(answer["exceptionDetails"]["text"])
        return answer["result"]

    def evaluate(self, function: str, *arguments: Any) -> Any:
        return plain(self.call(function, *arguments))

    def act(self, *sources: dict[str, Any]) -> None:
        self.send("input.performActions", **self.tab, actions=sources)

    def choose_file(self, selector: str, path: Path) -> None:
        element = self.call("(selector) => document.querySelector(selector)", selector)
        self.send(
            "input.setFiles",
            **self.tab,
            element={"sharedId": element["sharedId"]},
            files=[str(path)],
        )

    def screenshot(self) -> bytes:
        answer = self.send("browsingContext.captureScreenshot", **self.tab)
        return base64.b64decode(answer["data"])

    def open_narrow(self, path: str, width: int) -> None:
        self.open(path)
        size = {"width": width, "height": 844}
        self.send("browsingContext.setViewport", **self.tab, viewport=size)

    def complaints(self) -> list[str]:
        self.go("about:blank")  # ends what the page still asks for
        events, self.events = self.events, []
        return [complaint for event in events if (complaint := self.complaint(event))]

    def complaint(self, event: dict[str, Any]) -> str | None:
        match event:
            case {"method": "log.entryAdded", "params": entry}:
                return f"{entry['level']}: {entry['text']}"
            case {"method": "network.fetchError", "params": {"errorText": error, "request": asked}}:
                return None if error == "NS_BINDING_ABORTED" else f"{error}: {asked['url']}"
            case {"params": {"response": {"status": status, "url": url}}} if status >= 400:
                return f"{status}: {url}"
            case {"params": {"request": {"url": url}}}:
                own = url.startswith((self.address, "data:", "blob:", "about:"))
                return None if own else f"asks {url}"
        return None


def plain(result: dict[str, Any]) -> Any:
    """The value that BiDi writes with its types."""
    match result:
        case {"type": "array", "value": items}:
            return [plain(item) for item in items]
        case {"type": "object", "value": entries}:
            return {name: plain(item) for name, item in entries}
    return result.get("value")


@contextlib.contextmanager
def firefox(**preferences: Any) -> Iterator[Firefox]:
    """A Firefox of its own with preferences as in about:config."""
    program = browsers.needed("firefox")
    with tempfile.TemporaryDirectory(prefix="firefox-") as folder:
        profile = Path(folder)
        lines = [f'user_pref("{name}", {json.dumps(to)});' for name, to in preferences.items()]
        (profile / "user.js").write_text("\n".join(lines))
        command = [program, "--headless", "--no-remote", "--remote-debugging-port=0"]
        log = profile / "log"
        with (
            log.open("w") as output,
            subprocess.Popen(
                [*command, "--profile", folder], stderr=output, stdout=subprocess.DEVNULL
            ) as process,
        ):
            try:
                listening = until(
                    lambda: re.search(r"BiDi listening on (ws://[\d.:]+)\n", log.read_text()),
                    "Firefox's address",
                )
                with connect(f"{listening[1]}/session", max_size=None) as socket:
                    reader = Firefox(socket)
                    yield reader
                    reader.send("browser.close")
                    process.wait(10)
            finally:
                process.kill()
