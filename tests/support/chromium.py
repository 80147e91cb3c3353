"""A browser for tests: headless Chromium, driven through a pipe by its DevTools protocol.

No package is needed. Every request for a network address and every message of the console is kept.
"""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
    " --disable-component-update --disable-sync --disable-default-apps --disable-extensions"
    " --disable-dev-shm-usage --hide-scrollbars --remote-debugging-pipe"
).split()
SECONDS = 60
"""Longest time to wait for an answer of the browser."""


def find() -> str | None:
    """Return the path of a browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a headless browser of its own.

    Attributes:
        problems: errors of scripts, and warnings and errors of the console.
        requests: addresses that the page asked for.
    """

    def __init__(self, profile: Path) -> None:
        """Start a browser that keeps its profile in an empty folder."""
        executable = find()
        assert executable is not None
        (read_end, self._write), (self._read, write_end) = os.pipe(), os.pipe()
        # The browser reads from descriptor 3 and writes to 4.
        moved = f'exec "$0" "$@" 3<&{read_end} 4>&{write_end}'
        self._process = subprocess.Popen(
            ["bash", "-c", moved, executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(read_end, write_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_end)
        os.close(write_end)
        self._numbers, self._waiting, self._session = itertools.count(1), b"", ""
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._loaded = 0
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._send(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)
        os.close(self._write)
        os.close(self._read)

    def open(self, address: str) -> None:
        """Open an address and wait until it is loaded."""
        count = self._loaded
        self._send("Page.navigate", url=address)
        while self._loaded == count:
            self._receive()

    def run(self, expression: str) -> Any:
        """Return the value of an expression in the page; a promise is awaited."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Set the size of the window in pixels, and the colours that the reader prefers."""
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", features=[scheme])

    def place(self, selector: str) -> tuple[float, float]:
        """Scroll to an element, and return the centre of it."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({selector!r});"
            " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            " return [b.left + b.width / 2, b.top + b.height / 2]; })()"
        )
        return x, y

    def click(self, selector: str) -> None:
        """Click on the centre of an element."""
        self.drag([self.place(selector)])

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press the mouse at the first point, move through the others, and release it."""
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
            self._send(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                clickCount=1,
            )  # fmt: skip

    def press(self, key: str) -> None:
        """Press a key such as ArrowRight, or type a letter."""
        options = {"text": key} if len(key) == 1 else {}
        # Keys that the browser itself obeys are known to it by their number.
        number = {"Tab": 9, "Enter": 13, "Escape": 27}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            self._send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=number, **options,
            )  # fmt: skip

    def touch(self, selector: str) -> None:
        """Tap with a finger on the centre of an element."""
        x, y = self.place(selector)
        self._send("Emulation.setTouchEmulationEnabled", enabled=True)
        self._send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self._send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self._send("Emulation.setTouchEmulationEnabled", enabled=False)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input element."""
        root = self._send("DOM.getDocument")["root"]["nodeId"]
        node = self._send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Write a picture of the window, or of the whole page."""
        answer = self._send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + SECONDS
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._read, 1 << 16)
            assert data, "the browser has ended"
            self._waiting += data
        first, _, self._waiting = self._waiting.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        self._keep(message.get("method", ""), message.get("params", {}))
        return message

    def _keep(self, event: str, values: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded += 1
        elif event == "Runtime.exceptionThrown":
            self.problems.append(str(values["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning"):
            self.problems.append(str(values["args"]))
        elif event == "Log.entryAdded":
            self.problems.append(values["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
