"""One tab of the browser: goes to pages, presses keys, and remembers what went wrong on them."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.browser.devtools import Chromium, Failed
from tests.waiting import wait_for

DESKTOP, PHONE = (1280, 900), (375, 800)
PICTURE_PX = 3000
ENABLED = ("Page", "Runtime", "Log", "Network")
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), " ": (32, " ")}
# What a policy refuses is told in the page alone, so each page gets an ear before its own scripts.
EAR = """
window.refusedByPolicy = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.refusedByPolicy.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


class Tab:
    """A tab with cookies of its own, on one service.

    `faults`: errors and warnings of the console, exceptions and refusals. `asked`: every URL that
    was requested. `dialogs`: every alert that a page opened; each is closed at once.
    """

    def __init__(self, chromium: Chromium, origin: str) -> None:
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        self.origin = origin
        self._chromium = chromium
        self._loads = 0
        self._context = chromium.call("Target.createBrowserContext")["browserContextId"]
        self._target = chromium.call(
            "Target.createTarget", url="about:blank", browserContextId=self._context
        )["targetId"]
        self._session = chromium.call("Target.attachToTarget", targetId=self._target, flatten=True)[
            "sessionId"
        ]
        self._sessions = {self._session}
        chromium.hear(self._heard)
        for domain in ENABLED:
            self.call(f"{domain}.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=EAR)
        # A frame in a sandbox is a process of its own, which has to be listened to as well.
        self.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False,
                  flatten=True)  # fmt: skip

    def close(self) -> None:
        """Close it, and forget its cookies."""
        self._chromium.hear(lambda event: None)
        self._chromium.call("Target.disposeBrowserContext", browserContextId=self._context)

    def call(self, method: str, **params: Any) -> Any:
        """Run a command of the protocol on this tab."""
        return self._chromium.call(method, self._session, **params)

    def look_as(self, size: tuple[int, int], scheme: str = "light", zone: str = "UTC") -> None:
        """Be a screen of this size whose owner likes `light` or `dark`, in a time zone."""
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=size == PHONE)  # fmt: skip
        scheme_of = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[scheme_of])
        self.call("Emulation.setTimezoneOverride", timezoneId=zone)

    def go(self, path: str) -> None:
        """Open a path of the service, and wait until the page has loaded."""
        seen = self._loads
        answer = self.call("Page.navigate", url=f"{self.origin}{path}")
        if "errorText" in answer:
            raise Failed(f"{path}: {answer['errorText']}")
        if "loaderId" in answer:  # without: it was another place on the same page
            self.wait_for_load(seen)

    def wait_for_load(self, seen: int | None = None) -> None:
        """Wait until one more page has loaded than had before; None: than have now."""
        before = self._loads if seen is None else seen
        self._chromium.read_until(lambda: self._loads > before)

    def during_load(self, act: Callable[[], Any]) -> None:
        """Do something that leads to another page, and wait until that has loaded."""
        seen = self._loads
        act()
        self.wait_for_load(seen)

    def js(self, expression: str) -> Any:
        """Return the value of an expression on the page, or of what it promises. Raises Failed."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True, userGesture=True)  # fmt: skip
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Failed(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until an expression on the page is true, also while it changes to another page."""

        def holds() -> Any:
            with suppress(Failed):
                return self.js(expression)

        try:
            return wait_for(holds)
        except TimeoutError as error:
            raise TimeoutError(f"{expression}; {self.faults}") from error

    def text(self, selector: str = "body") -> str:
        """Return the text that an element shows."""
        return str(self.js(f"document.querySelector({json.dumps(selector)}).innerText"))

    def has(self, selector: str) -> bool:
        """Return whether there is such an element."""
        return bool(self.js(f"document.querySelector({json.dumps(selector)}) !== null"))

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key of KEYS."""
        code, text = KEYS[key]
        more: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        more["modifiers"] = 8 if shift else 0
        kind = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=kind, text=text, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **more)

    def type(self, text: str) -> None:
        """Put a text where the cursor is."""
        self.call("Input.insertText", text=text)

    def fill(self, selector: str, text: str) -> None:
        """Put a text into a field, in place of what is there."""
        self.js(f"{{ const field = document.querySelector({json.dumps(selector)});"
                " field.focus(); field.select(); }")  # fmt: skip
        self.type(text)

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element."""
        x, y = self.js(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            " found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        where = {"x": x, "y": y, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **where)

    def picture(self, file: Path) -> None:
        """Write what the page looks like, down to PICTURE_PX, as PNG."""
        box = self.call("Page.getLayoutMetrics")["cssContentSize"]
        part = box | {"height": min(box["height"], PICTURE_PX), "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=part)
        file.write_bytes(base64.b64decode(shot["data"]))

    def all_faults(self) -> list[str]:
        """Return `faults`, and what the policy of the page that is shown has refused."""
        return self.faults + [f"refused: {line}" for line in self.js("window.refusedByPolicy")]

    def strangers(self) -> list[str]:
        """Return what was requested elsewhere; what is in a page itself, as data:, is not."""
        return [url for url in self.asked if not url.startswith((f"{self.origin}/", "data:"))]

    def hold_still(self) -> None:
        """Let the page refresh nothing from now on."""
        self.js(
            "for (const name of ['htmx:beforeRequest', 'htmx:beforeSwap'])"
            " document.addEventListener(name, (event) => event.preventDefault())"
        )

    def _heard(self, event: dict[str, Any]) -> None:
        """Take one event of the browser, if it is of this tab or of a frame in it."""
        session, method, params = event.get("sessionId"), event["method"], event["params"]
        if session not in self._sessions:
            return
        match method:
            case "Target.attachedToTarget":
                self._sessions.add(params["sessionId"])
                for domain in ENABLED[1:]:
                    self._chromium.send(f"{domain}.enable", params["sessionId"])
            case "Page.loadEventFired":
                self._loads += 1
            case "Page.javascriptDialogOpening":
                self.dialogs.append(params["message"])
                self._chromium.send("Page.handleJavaScriptDialog", session, accept=True)
            case "Network.requestWillBeSent":
                self.asked.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                thrown = details.get("exception", {}).get("description", "")
                self.faults.append(f"thrown: {details['text']} {thrown}")
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                said = " ".join(str(item.get("value", "")) for item in params["args"])
                self.faults.append(f"console: {said}")
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                entry = params["entry"]
                self.faults.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
            case _:
                pass
