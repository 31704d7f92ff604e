"""Headless Chromium, spoken to over its own debugging pipe: no library, no open port."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import itertools
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_ANSWER_S: Final = 20.0
_LONGEST_MESSAGE: Final = 64 * 1024 * 1024
_FLAGS: Final = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_WITH_PIPE: Final = 'exec "${@:3}" 3<&"$1" 4>&"$2"'
_KEYS: Final = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    " ": (32, " "),
    "ArrowDown": (40, ""),
    "ArrowRight": (39, ""),
}


def find() -> str | None:
    """Return the browser's path, ``None`` where there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class PageError(Exception):
    """The page has thrown, or the browser refuses."""


class Browser:
    """One Chromium process."""

    def __init__(self, write: int) -> None:
        self._write = write
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._pages: dict[str, Page] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def run(cls, folder: Path) -> AsyncIterator[Browser]:
        """Start one with its profile in ``folder``, and end it."""
        path = find()
        assert path is not None
        theirs_in, ours_out = _high(os.pipe())
        ours_in, theirs_out = _high(os.pipe())
        flags = [*_FLAGS, f"--user-data-dir={folder}/profile"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        with (folder / "chromium.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *("bash", "-c", _WITH_PIPE, "bash", str(theirs_in), str(theirs_out), path),
                *flags,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs_in, theirs_out),
                env={**os.environ, "HOME": str(folder)},
            )
        os.close(theirs_in)
        os.close(theirs_out)
        reader = asyncio.StreamReader(limit=_LONGEST_MESSAGE)
        pipe = os.fdopen(ours_in, "rb", 0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        browser = cls(ours_out)
        listening = asyncio.create_task(browser._listen(reader))
        try:
            yield browser
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            transport.close()
            os.close(ours_out)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def page(self) -> Page:
        """Open an empty page with a profile of its own."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = Page(self, attached["sessionId"], context)
        self._pages[attached["sessionId"]] = page
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            await page.call(f"{domain}.enable")
        return page

    async def call(self, method: str, session: str | None = None, /, **params: Any) -> Any:
        """Ask the browser. Raises PageError."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        await asyncio.to_thread(_write_all, self._write, json.dumps(message).encode() + b"\0")
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await answer
        finally:
            del self._waiting[number]

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            message = json.loads((await reader.readuntil(b"\0"))[:-1])
            if "id" in message:
                self._answered(message)
            elif (page := self._pages.get(message.get("sessionId", ""))) is not None:
                page.happened(message["method"], message["params"])

    def _answered(self, message: dict[str, Any]) -> None:
        answer = self._waiting.get(message["id"])
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(PageError(message["error"]["message"]))
        else:
            answer.set_result(message["result"])


class Page:
    """One page: what it asks the network for, what it complains of, and hands to use it."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.expected = ""
        self.on_binding: dict[str, Callable[[str], None]] = {}

    async def call(self, method: str, **params: Any) -> Any:
        """Ask the browser about this page. Raises PageError."""
        return await self._browser.call(method, self._session, **params)

    def is_expected(self, complaint: str) -> bool:
        """Tell whether a test has said that the page will complain like this."""
        return self.expected != "" and re.search(self.expected, complaint) is not None

    async def close(self) -> None:
        """Close it and forget what it has stored."""
        await self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)

    def happened(self, method: str, params: dict[str, Any]) -> None:
        """Note an event."""
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                thrown = details.get("exception", {}).get("description", details["text"])
                self.complaints.append(f"exception: {thrown}")
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                said = " ".join(str(part.get("value", part)) for part in params["args"])
                self.complaints.append(f"console: {said}")
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"log: {params['entry']['text']}")
            case "Runtime.bindingCalled":
                self.on_binding[params["name"]](params["payload"])

    async def bind(self, name: str, take: Callable[[str], None]) -> None:
        """Let the page's scripts call ``take`` as a function of this name."""
        self.on_binding[name] = take
        await self.call("Runtime.addBinding", name=name)

    async def go(self, url: str) -> None:
        """Open an address and wait until it has been loaded."""
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited. Raises PageError."""
        result = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    async def until(self, expression: str, *, within_s: float = 10.0) -> Any:
        """Return the expression's value once it is something; fail when it never is."""
        found: Any = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    with contextlib.suppress(PageError):  # The page may just be another one.
                        found = await self.evaluate(expression)
                    if found:
                        return found
                    await asyncio.sleep(0.02)
        seen = await self.evaluate("document.body.innerText")
        raise AssertionError(
            f"{expression} did not come; {self.complaints}; the page shows: {seen}"
        )

    async def text(self, selector: str = "body") -> str:
        """Return what is seen of an element."""
        found: str = await self.evaluate(
            f"document.querySelector({json.dumps(selector)}).innerText"
        )
        return found

    async def shows(self, text: str, *, within_s: float = 10.0) -> None:
        """Wait until a text is seen."""
        await self.until(f"document.body.innerText.includes({json.dumps(text)})", within_s=within_s)

    async def click(self, selector: str) -> None:
        """Click the first such element that is seen, as a hand would."""
        await self._click(f"[...document.querySelectorAll({json.dumps(selector)})]")

    async def press_button(self, text: str) -> None:
        """Click the button or summary that is seen with this text."""
        wanted = json.dumps(text)
        await self._click(
            "[...document.querySelectorAll('button, summary')]"
            f".filter((one) => one.innerText.includes({wanted}) && !one.disabled)"
        )

    async def fill(self, selector: str, text: str) -> None:
        """Put ``text`` in the place of what is in a field, as typing would."""
        await self.click(selector)
        await self.evaluate("document.activeElement.select()")
        if text:
            await self.call("Input.insertText", text=text)
        else:
            await self.key("Delete", code=46)

    async def choose(self, selector: str, label: str) -> None:
        """Choose an option of a list."""
        await self.evaluate(
            f"""(() => {{
              const list = document.querySelector({json.dumps(selector)});
              const option = [...list.options].find((one) => one.text === {json.dumps(label)});
              list.value = option.value;
              list.dispatchEvent(new Event("input", {{ bubbles: true }}));
              list.dispatchEvent(new Event("change", {{ bubbles: true }}));
            }})()"""
        )

    async def key(self, key: str, *, shift: bool = False, code: int | None = None) -> None:
        """Press a key."""
        number, text = (code, "") if code is not None else _KEYS[key]
        event: dict[str, Any] = {
            "key": key,
            "code": "Space" if key == " " else key,
            "windowsVirtualKeyCode": number,
            "modifiers": 8 if shift else 0,
        }
        kind = "keyDown" if text else "rawKeyDown"
        extra = {"text": text} if text else {}
        await self.call("Input.dispatchKeyEvent", type=kind, **event, **extra)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def look(
        self, *, width: int = 390, height: int = 844, dark: bool = False, wide: bool = False
    ) -> None:
        """Be as wide as a phone, or as ``wide`` as a laptop; light or ``dark``."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=1280 if wide else width,
            height=800 if wide else height,
            deviceScaleFactor=1 if wide else 2,
            mobile=not wide,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def speak(self, language: str, agent: str | None = None) -> None:
        """Be a browser whose person prefers a language; ``agent`` is what it calls itself."""
        if agent is None:
            agent = await self.evaluate("navigator.userAgent")
        await self.call("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)

    async def picture(self) -> bytes:
        """Return a picture of the whole page, as PNG."""
        size = (await self.call("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])

    async def _click(self, found: str) -> None:
        place = await self.until(
            f"""(() => {{
              const one = {found}.find((one) => one.checkVisibility());
              if (!one) return null;
              one.scrollIntoView({{ block: "center" }});
              const box = one.getBoundingClientRect();
              return {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }};
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place
            )


def _high(pair: tuple[int, int]) -> tuple[int, int]:
    """Move a pipe's ends out of the way of 3 and 4."""
    moved = []
    for end in pair:
        moved.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    return moved[0], moved[1]


def _write_all(descriptor: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(descriptor, octets) :]
