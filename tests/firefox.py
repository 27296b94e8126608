"""Headless Firefox, driven through WebDriver BiDi: what tests of the page in Firefox need."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser_tab import PATIENCE_S, BrowserTab

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), "")
KEYS = {"ArrowLeft": "\ue012", "ArrowRight": "\ue014", "Escape": "\ue00c", "Tab": "\ue004"}
# A camera that Firefox draws itself, no questions, and no requests to other hosts.
PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "browser.shell.checkDefaultBrowser": False,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "services.settings.server": "data:,",
}


class Tab(BrowserTab):
    """A tab with cookies, cache and storage of its own."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.user = session.ask("browser.createUserContext")["userContext"]
        self.context = session.ask("browsingContext.create", type="tab", userContext=self.user)["context"]

    def goto(self, url: str) -> None:
        self._ask("browsingContext.navigate", url=url, wait="complete")

    def preload(self, script: str) -> None:
        in_pages = f"() => {{ if (isSecureContext) {{ {script} }} }}"  # not in the tab's empty page
        self.session.ask("script.addPreloadScript", functionDeclaration=in_pages, contexts=[self.context])

    def evaluate(self, expression: str) -> Any:
        return self.session.evaluate(expression, {"context": self.context})

    def click(self, selector: str) -> None:
        element = self._element(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'nearest'}})")
        origin = {"type": "element", "element": element}
        actions = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self._ask("input.performActions", actions=[mouse])

    def press(self, key: str) -> None:
        value = KEYS.get(key, key)
        actions = [{"type": kind, "value": value} for kind in ("keyDown", "keyUp")]
        self._ask("input.performActions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def choose_files(self, selector: str, *paths: Path) -> None:
        self._ask("input.setFiles", element=self._element(selector), files=[str(path) for path in paths])

    def resize(self, width: int, height: int) -> None:
        self._ask("browsingContext.setViewport", viewport={"width": width, "height": height})

    def screenshot(self) -> bytes:
        return base64.b64decode(self._ask("browsingContext.captureScreenshot")["data"])

    def problems(self) -> list[str]:
        entries = self._events("log.entryAdded")
        return [entry["text"] for entry in entries if entry["type"] == "javascript" and entry["level"] == "error"]

    def requests(self) -> set[str]:
        return {each["request"]["url"] for each in self._events("network.beforeRequestSent")}

    def close(self) -> None:
        self.session.ask("browser.removeUserContext", userContext=self.user)

    def _ask(self, method: str, **params: Any) -> Any:
        return self.session.ask(method, context=self.context, **params)

    def _element(self, selector: str) -> Any:
        """A reference to the first element of a selector."""
        target = {"context": self.context}
        found = self.session.ask("browsingContext.locateNodes", locator={"type": "css", "value": selector}, **target)
        assert found["nodes"], f"there is no {selector}"
        return {"sharedId": found["nodes"][0]["sharedId"]}

    def _events(self, method: str) -> list[Any]:
        self.evaluate("1")  # what happened before the answer arrives before it
        events = [event["params"] for event in self.session.events if event["method"] == method]
        return [each for each in events if self.context in (each.get("context"), each.get("source", {}).get("context"))]


class Session:
    """A Firefox and the socket to it."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.sent = socket, 0
        self.events: list[Any] = []
        self.ask("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        self.ask("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])

    def ask(self, method: str, **params: Any) -> Any:
        """Send a command of WebDriver BiDi and wait for its result."""
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv(timeout=PATIENCE_S))).get("id") != self.sent:
            if answer["type"] == "event":
                self.events.append(answer)
        assert answer["type"] == "success", answer
        return answer["result"]

    def evaluate(self, expression: str, target: dict[str, str]) -> Any:
        """The value of an expression, as JSON carries it; a promise is awaited."""
        wrapped = f"Promise.resolve({expression}).then(JSON.stringify)"
        answer = self.ask("script.evaluate", expression=wrapped, target=target, awaitPromise=True, userActivation=True)
        if answer["type"] != "success":
            raise AssertionError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))


@contextmanager
def open_firefox(profile: Path) -> Iterator[Session]:
    """A fresh headless Firefox with its files in the folder `profile`; `Tab` opens tabs in it."""
    from websockets.sync.client import connect

    profile.mkdir(parents=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    log = profile / "log.txt"
    command = [FIREFOX, "--headless", "--profile", str(profile), "--remote-debugging-port", "0", "about:blank"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := re.search(r"WebDriver BiDi listening on (ws://\S+)", log.read_text(errors="replace"))):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.1)
        with connect(f"{found[1]}/session", max_size=None, proxy=None) as socket:
            yield Session(socket)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
