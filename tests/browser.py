# SPDX-License-Identifier: GPL-2.0-or-later
"""Chromium without a window, driven through two pipes: no port, no library.

    with browser.Browser(t) as chromium:
        page = chromium.open("/tmp/page.html", width=390, dark=True)
        page.evaluate("document.documentElement.scrollWidth")
        png = page.screenshot()

The protocol is that of the Chrome DevTools (JSON texts, each ended by a zero byte), over the
descriptors 3 and 4 of the browser (--remote-debugging-pipe).
"""

import base64
import json
import os
import select
import subprocess
import time

from support import check

PROGRAM = "chromium-headless-shell"
_ANSWER_SECONDS = 120
# Nothing of it talks to a network: every host name leads nowhere, and what it does by itself in the
# background is off.
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND",
            "--proxy-server=127.0.0.1:9", "--hide-scrollbars", "--force-color-profile=srgb",
            "--font-render-hinting=none", "--remote-debugging-pipe"]


class Browser:
    def __init__(self, t):
        self._t = t
        self._number = 0
        self._waiting = b""
        self.events = []

    def __enter__(self):
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        profile = self._t.path("chromium")
        with open(self._t.path("chromium.log"), "wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "sh", PROGRAM,
                 *_OPTIONS, f"--user-data-dir={profile}", "about:blank"],
                pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, "HOME": self._t.dir, "TZ": "UTC"},
                start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self._process.wait(30)
        except Exception:  # it is ended whatever it says
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def call(self, method, session=None, **parameters):
        """The result of a command; what happened meanwhile is added to `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data):]
        while True:
            answer = self.next_message()
            if answer.get("id") != self._number:
                self.events.append(answer)
                continue
            check("error" not in answer, f"{method}: {answer.get('error')}")
            return answer["result"]

    def next_message(self):
        deadline = time.monotonic() + _ANSWER_SECONDS
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            check(ready, f"the browser did not answer within {_ANSWER_SECONDS} s: {self._log()}")
            got = os.read(self._read, 1 << 20)
            check(got, f"the browser ended: {self._log()}")
            self._waiting += got
        message, self._waiting = self._waiting.split(b"\0", 1)
        return json.loads(message)

    def _log(self):
        with open(self._t.path("chromium.log"), errors="replace", encoding="utf-8") as log:
            return log.read()[-2000:]

    def open(self, path, width, dark=False, height=900, media="screen"):
        """A page of that width in CSS pixels, shown until the browser closes."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        page.call("Page.enable")
        page.call("Network.enable")
        page.call("Runtime.enable")
        page.call("Log.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        page.call("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        page.call("Page.navigate", url="file://" + path)
        page.wait_for("Page.loadEventFired")
        return page


class Page:
    def __init__(self, browser, session):
        self._browser, self._session = browser, session

    def call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def events(self, method):
        return [e["params"] for e in self._browser.events
                if e.get("sessionId") == self._session and e["method"] == method]

    def wait_for(self, method):
        while not self.events(method):
            self._browser.events.append(self._browser.next_message())

    def evaluate(self, script):
        """The value of a script of ours, which is no part of the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        check("exceptionDetails" not in result, f"script: {result.get('exceptionDetails')}")
        return result["result"].get("value")

    def screenshot(self, whole=False):
        """PNG of what is in the window, or of the whole page."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png",
                                          captureBeyondViewport=whole)["data"])

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
