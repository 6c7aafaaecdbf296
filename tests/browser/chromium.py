"""A headless Chromium that opens pages at a width, in light or dark, and says what it saw.

It is spoken to by its developer protocol over a pipe: no package and no port is needed.
Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS_TO_ANSWER = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
_NARROW = 500

# Opens what is folded, then names what reaches beyond the window: the document, or an element in no box that scrolls.
_LOOK = """(() => {
  document.querySelectorAll('details').forEach(one => one.open = true);
  const width = document.documentElement.clientWidth, beyond = [];
  const holds = one => one !== document.body && one !== document.documentElement
    && ['auto', 'scroll', 'hidden'].includes(getComputedStyle(one).overflowX);
  for (const one of document.querySelectorAll('body *')) {
    const box = one.getBoundingClientRect();
    if (!box.width || !box.height || (box.right <= width + 1 && box.left >= -1)) continue;
    let above = one.parentElement;
    while (above && !holds(above)) above = above.parentElement;
    if (!above) beyond.push(`<${one.tagName.toLowerCase()} class="${one.getAttribute('class') || ''}"> from `
      + `${Math.round(box.left)} to ${Math.round(box.right)}: ${(one.textContent || '').trim().slice(0, 60)}`);
  }
  const boxes = [...document.querySelectorAll('div.scroll')].filter(one => one.scrollWidth > one.clientWidth + 1);
  return JSON.stringify({
    width, document_width: document.documentElement.scrollWidth, beyond: beyond.slice(0, 10),
    n_scrolling: boxes.length,
    unmarked: boxes.filter(one => !getComputedStyle(one).backgroundImage.includes('gradient')).length,
    height: document.documentElement.scrollHeight,
    background: getComputedStyle(document.body).backgroundColor,
  });
})()"""


# Chromium reads commands from file 3 and writes answers to file 4.
_PIPES_TO_3_AND_4 = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class BrowserError(Exception):
    """Chromium ended, or doesn't answer."""


@dataclass(frozen=True)
class Look:
    """What was seen of a page, everything that is folded opened.

    Attributes:
        width: of the window, CSS pixels.
        document_width: that all of the page takes; more than the window where the page itself scrolls sideways.
        beyond: elements that reach out of the window and lie in no box that scrolls or cuts, the first ten.
        n_scrolling: boxes of tables that are wider than their place.
        unmarked: those of them that show no sign of it.
        height: of the page.
        background: color of the page.
        errors: of the console, and exceptions.
    """

    width: int
    document_width: int
    beyond: tuple[str, ...]
    n_scrolling: int
    unmarked: int
    height: int
    background: str
    errors: tuple[str, ...]


def find_chromium() -> str | None:
    """Return the path of a Chromium; None where none is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def browser(executable: str, profile: Path) -> Iterator[Chromium]:
    """Yield a running Chromium; it is ended with its children afterwards.

    Args:
        executable: path of it.
        profile: folder that it keeps its profile in.
    """
    to_browser, from_browser = os.pipe(), os.pipe()
    command = [
        sys.executable,
        "-c",
        _PIPES_TO_3_AND_4,
        str(to_browser[0]),
        str(from_browser[1]),
        executable,
        *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
        "about:blank",
    ]
    process = subprocess.Popen(
        command,
        pass_fds=(to_browser[0], from_browser[1]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TMPDIR": "/tmp"},  # a socket's path there is a hundred letters long at most
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Chromium(to_browser[1], from_browser[0])
    finally:
        os.close(to_browser[1])
        os.close(from_browser[0])
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its children too
        process.wait()


class Chromium:
    """One tab of a running Chromium."""

    def __init__(self, write_end: int, read_end: int) -> None:
        self._write_end, self._read_end = write_end, read_end
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = ""
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def open(self, address: str, *, width: int, height: int = 900, is_dark: bool = False) -> Look:
        """Open the page and return what was seen of it."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < _NARROW,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        told = self._ask("Page.navigate", url=address)
        if "errorText" in told:
            raise BrowserError(f"{address}: {told['errorText']}")
        if "loaderId" in told:  # none where only the part after `#` is another
            self._wait_for("Page.loadEventFired")
        seen = json.loads(self._evaluate(_LOOK))
        seen["beyond"] = tuple(seen["beyond"])
        return Look(**seen, errors=tuple(filter(None, map(_error, self._events))))

    def picture(self, path: Path, *, width: int, height: int, scale: float = 1.0) -> None:
        """Write the top of the page that is open, so many CSS pixels of it, as a PNG that is smaller by the scale."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": scale}
        told = self._ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def wait_for_text(self, text: str) -> None:
        """Wait until the page that is open shows the text: pages that are drawn by scripts are there before it."""
        shown = f"document.body.innerText.includes({json.dumps(text)})"
        self._evaluate(
            f"new Promise(done => {{ if ({shown}) done(); else new MutationObserver((_, seen) => {{ if ({shown}) "
            "{ seen.disconnect(); done(); } }).observe(document.body, {childList: true, subtree: true, "
            "characterData: true}); })"
        )

    def fold(self) -> None:
        """Close again what a look has opened."""
        self._evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")

    def set_cookie(self, name: str, value: str, address: str) -> None:
        """Keep a cookie, such as a session's."""
        self._ask("Network.setCookie", name=name, value=value, url=address)

    def click(self, selector: str) -> str:
        """Click on the first element that fits, wait for the page it leads to, and return that one's address."""
        self._events.clear()
        self._evaluate(f"document.querySelector({json.dumps(selector)}).click()")
        self._wait_for("Page.loadEventFired")
        return str(self._evaluate("location.href"))

    def _evaluate(self, expression: str) -> Any:
        told = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise BrowserError(f"{expression[:80]}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if getattr(self, "_session", ""):
            message["sessionId"] = self._session
        os.write(self._write_end, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while (told := self._next(deadline)).get("id") != self._number:
            self._events.append(told)
        if "error" in told:
            raise BrowserError(f"{method}: {told['error']}")
        result: dict[str, Any] = told["result"]
        return result

    def _wait_for(self, event: str) -> None:
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while not any(one.get("method") == event for one in self._events):
            self._events.append(self._next(deadline))

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read_end], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(self._read_end, 1 << 20) if ready else b""
            if not more:
                raise BrowserError("Chromium ended" if ready else f"no answer in {SECONDS_TO_ANSWER:.0f} s")
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found


def _error(event: dict[str, Any]) -> str:
    """Return what went wrong on the page, as the event tells; empty where nothing did."""
    told = event.get("params", {})
    if event.get("method") == "Runtime.exceptionThrown":
        return str(told["exceptionDetails"].get("text", "exception"))
    if event.get("method") == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
        return f"{told['entry']['text']} {told['entry'].get('url', '')}".strip()
    if event.get("method") == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
        return " ".join(str(one.get("value", "")) for one in told["args"])
    return ""
