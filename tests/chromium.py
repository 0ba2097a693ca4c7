"""A headless Chromium that tests look at pages with: its DevTools protocol over a pipe, no driver, no socket."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = ("--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--remote-debugging-pipe")
_READ, _WRITE = 3, 4
"""The descriptors on which Chromium speaks the protocol: messages of JSON, each ended by a null byte."""


def program() -> str | None:
    """The browser's path, `None` where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def browser(folder: Path) -> Iterator["Browser"]:
    """A browser with its profile in `folder`."""
    theirs, ours = os.pipe(), os.pipe()  # what it reads; what it writes
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs[0], ours[1])]
    flags = [*_FLAGS, f"--user-data-dir={folder}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]

    def place() -> None:
        for end, number in zip(high, (_READ, _WRITE), strict=True):
            os.dup2(end, number)

    process = subprocess.Popen(
        [program() or "", *flags, "about:blank"],
        stderr=subprocess.DEVNULL,
        pass_fds=(_READ, _WRITE, *high),
        preexec_fn=place,  # noqa: PLW1509 - the protocol wants these two numbers
    )
    for end in (theirs[0], ours[1], *high):
        os.close(end)
    with os.fdopen(theirs[1], "wb", buffering=0) as to, os.fdopen(ours[0], "rb", buffering=0) as back:
        try:
            yield Browser(to, back)
        finally:
            process.terminate()
            process.wait(10)


class Browser:
    """One page; what it logged and asked for stands in `said`."""

    def __init__(self, to: Any, back: Any) -> None:
        self._to, self._back, self._number, self._rest, self._session = to, back, 0, b"", None
        self.said: list[dict[str, Any]] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer."""
        self._number += 1
        told = {"id": self._number, "method": method, "params": params}
        if self._session:
            told["sessionId"] = self._session
        self._to.write(json.dumps(told).encode() + b"\0")
        while (message := self._next()).get("id") != self._number:
            self.said.append(message)
        assert "error" not in message, message
        return message["result"]

    def open(self, path: Path, width: int = 1000, height: int = 900, scheme: str = "light") -> None:
        """Show the file in a window of this size."""
        self.said.clear()
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.do("Page.navigate", url=path.as_uri())
        while not any(message.get("method") == "Page.loadEventFired" for message in self.said):
            self.said.append(self._next())

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to."""
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def complaints(self) -> list[str]:
        """What the page's console said since it was opened."""
        heard = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [json.dumps(message["params"]) for message in self.said if message.get("method") in heard]

    def requests(self) -> list[str]:
        """The addresses that were asked for since it was opened."""
        sent = [message["params"] for message in self.said if message.get("method") == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]

    def run(self, script: str) -> Any:
        """What a script comes to whose last expression may be a promise; what it throws is raised."""
        done = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def print(self, inches: tuple[float, float]) -> bytes:
        """The page on paper of this size, as PDF."""
        width, height = inches
        return base64.b64decode(self.do("Page.printToPDF", paperWidth=width, paperHeight=height)["data"])

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """The window, or the whole page, as PNG."""
        shot = self.do("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = self._back.read(1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)
