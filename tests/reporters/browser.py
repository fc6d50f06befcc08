"""A page in headless Chromium, by the WebDriver protocol: JSON over HTTP to chromedriver, so no package is needed.

https://www.w3.org/TR/webdriver2/
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
DRIVER = shutil.which("chromedriver")
MISSING = (
    "" if CHROMIUM and DRIVER else "chromium and chromedriver are not installed (Debian: chromium, chromium-driver)"
)

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
    "--window-size=1200,900",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One session of one browser."""

    def __init__(self, address: str, capabilities: dict[str, Any]) -> None:
        self._address = address
        self._session = ""
        self._session = f"/session/{self._call('POST', '/session', {'capabilities': capabilities})['sessionId']}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._address}{self._session}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, path: Path) -> None:
        """Open a file; returns when the page is loaded."""
        self._call("POST", "/url", {"url": path.as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns in the page."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script: str, *arguments: Any, seconds: float = 20) -> Any:
        """Wait until a function body returns something true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < end, f"still not true after {seconds} s: {script}"
            time.sleep(0.05)
        return value

    def keys(self, text: str, selector: str = "body") -> None:
        """Type into an element."""
        element = self._call("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT]
        self._call("POST", f"/element/{element}/value", {"text": text})

    def console(self) -> list[str]:
        """What the console said since the last call, warnings and errors."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """Addresses that the page asked for since the last call, beside files and data."""
        entries = self._call("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("file:", "data:", "blob:", "chrome:"))]

    def media(self, **features: str) -> None:
        """Emulate media features: `media(prefers_color_scheme='dark')`."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", {"features": named})

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        """A command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path: Path) -> None:
        """The visible part of the page as PNG."""
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def pdf(self, path: Path) -> None:
        """The page as it prints."""
        path.write_bytes(base64.b64decode(self._call("POST", "/print", {})))

    def quit(self) -> None:
        """Close the browser."""
        self._call("DELETE", "")


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile; it and its driver end with the block."""
    assert CHROMIUM, MISSING
    assert DRIVER, MISSING
    # To a file: a pipe that nobody reads fills, and then the driver stands still.
    log = profile / "chromedriver.log"
    with log.open("wb") as output:
        driver = subprocess.Popen(
            [DRIVER, "--port=0"],
            stdout=output,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(profile)},
            # A group of its own, so that no browser outlives a driver that has to be stopped.
            start_new_session=True,
        )
    try:
        options = {"binary": CHROMIUM, "args": [*_ARGUMENTS, f"--user-data-dir={profile / 'profile'}"]}
        logs = {"browser": "ALL", "performance": "ALL"}
        session = Browser(
            f"http://127.0.0.1:{_port(log)}",
            {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}},
        )
        try:
            yield session
        finally:
            session.quit()
    finally:
        os.killpg(driver.pid, signal.SIGTERM)
        driver.wait(10)


def _port(log: Path) -> int:
    """The port that the driver says it listens at."""
    end = time.monotonic() + 30
    while not (found := re.search(r"started successfully on port (\d+)", log.read_text())):
        assert time.monotonic() < end, "chromedriver does not start"
        time.sleep(0.05)
    return int(found.group(1))
