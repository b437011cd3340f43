"""Pages in a real, headless browser, for the tests that need one; they are skipped where there is
none."""

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs a Chromium or Chrome, and none is installed")
    return found


def _command(profile: Path) -> list[str]:
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    return [browser(), *quiet, f"--user-data-dir={profile}"]


def dom_of(page: Path) -> str:
    """The page as a browser has it after its scripts have run."""
    command = _command(page.parent / "profile")
    command += ["--window-size=1100,900", "--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout


def found_in(text: str, folder: Path, script: str) -> dict:
    """What a script returns: the body of a function, run in the page after the page's scripts."""
    copy = folder / "page.html"
    call = f"(() => {{ try {{ {script} }} catch (fault) {{ return {{fault: fault.stack}}; }} }})()"
    report = f"document.title = JSON.stringify({call});"
    copy.write_text(text.replace("</body>", f"<script>{report}</script></body>"), encoding="utf-8")
    found = json.loads(
        html.unescape(re.search(r"<title>(.*?)</title>", dom_of(copy), re.DOTALL).group(1))
    )
    assert "fault" not in found, found["fault"]
    return found


class Tab:
    """One tab of a browser that is spoken to over two pipes in its DevTools protocol: JSON, a zero
    byte after each message."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._rest, self._count, self._session = b"", 0, {}
        self._events: list[dict] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")
        self.call("Runtime.enable")

    def call(self, method: str, **params: Any) -> dict:
        """A command of the protocol; its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params, **self._session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (heard := self._next()).get("id") != self._count:
            self._events.append(heard)
        assert "error" not in heard, heard["error"]
        return heard["result"]

    def open(self, address: str, width: int, dark: bool = False) -> list[str]:
        """Load a page on a screen so many pixels wide, a phone's up to 500; the errors that its
        scripts raised."""
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width <= 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self.call("Page.navigate", url=address)
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._next())
        thrown = [
            event["params"]
            for event in self._events
            if event["method"] == "Runtime.exceptionThrown"
        ]
        return [str(fault["exceptionDetails"]) for fault in thrown]

    def value(self, script: str) -> Any:
        """What an expression is in the page."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def _next(self) -> dict:
        while b"\0" not in self._rest:
            more = os.read(self._read, 1 << 20)
            assert more, "the browser has ended"
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)


@contextmanager
def opened_tab(folder: Path) -> Iterator[Tab]:
    """A tab of a browser whose profile lies in the folder. Windows are 500 pixels wide at least, so
    a phone is emulated."""
    commands, write = os.pipe()
    read, answers = os.pipe()

    def connect() -> None:
        """The browser reads commands from descriptor 3 and answers on 4; copies first, for these
        may be taken."""
        copies = os.dup(commands), os.dup(answers)
        os.dup2(copies[0], 3)
        os.dup2(copies[1], 4)

    command = [*_command(folder / "profile"), "--remote-debugging-pipe", "about:blank"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, preexec_fn=connect, close_fds=False, **quiet) as process:
        os.close(commands)
        os.close(answers)
        try:
            yield Tab(read, write)
        finally:
            process.terminate()
            process.wait(600)
            os.close(read)
            os.close(write)
