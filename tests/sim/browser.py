# SPDX-License-Identifier: GPL-2.0-or-later
"""A headless Chromium, spoken to over a pipe (Chrome DevTools Protocol)."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


def find():
    """The program, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page; use it with `with`."""

    def __init__(self, deadline_s=60):
        self.deadline_s = deadline_s
        self.profile = tempfile.mkdtemp(prefix="symtap-browser-")
        read, self.to_browser = os.pipe()
        self.from_browser, write = os.pipe()
        # It reads its file descriptor 3 and writes 4, whatever ours are.
        command = [
            "sh", "-c", 'exec "$@" 3<&%d 4>&%d' % (read, write), "sh",
            find(), *FLAGS, "--user-data-dir=" + self.profile, "about:blank",
        ]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, pass_fds=(read, write), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        os.close(read)
        os.close(write)
        self.buffer = b""
        self.number = 0
        self.session = None
        self.events = []

    def __enter__(self):
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call(
            "Target.attachToTarget", targetId=target["targetId"],
            flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to_browser)
        os.close(self.from_browser)
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def receive(self, until):
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select(
                    [self.from_browser], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self.from_browser, 1 << 20)
            if not more:
                self.log.seek(0)
                raise ConnectionError(
                    "the browser ended: "
                    + self.log.read().decode(errors="replace")[-2000:])
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.to_browser, data):]
        until = time.monotonic() + self.deadline_s
        while True:
            message = self.receive(until)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(method + ": " + str(message["error"]))
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def set_view(self, width, height, dark=False, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=2 if phone else 1,
                  mobile=phone)
        self.call("Emulation.setEmulatedMedia", media="", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if dark else "light"}])

    def open(self, path):
        """Load a file; returns what it complained about."""
        self.events = []
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        until = time.monotonic() + self.deadline_s
        while not any(event["method"] == "Page.loadEventFired"
                      for event in self.events):
            message = self.receive(until)
            if "method" in message:
                self.events.append(message)
        # Two frames: the charts have been laid out.
        self.ask("new Promise(done => requestAnimationFrame("
                 "() => requestAnimationFrame(done))).then(() => true)")
        return self.complaints()

    def complaints(self):
        """Exceptions, errors on the console, and whatever it tried to load."""
        found = []
        for event in self.events:
            method, params = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                found.append(details.get("exception", {}).get(
                    "description", details["text"]))
            elif method == "Log.entryAdded":
                if params["entry"]["level"] in ("error", "warning"):
                    found.append(params["entry"]["text"])
            elif method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file://", "data:")):
                    found.append("it asks for " + url)
        return found

    def ask(self, expression):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression,
                           returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait(self, condition):
        """Until a JavaScript expression is true."""
        self.ask("""new Promise((done, fail) => {
            const until = performance.now() + %d;
            const look = () => %s ? done(true) :
                performance.now() > until ? fail(new Error("in vain")) :
                requestAnimationFrame(look);
            look();
        })""" % (self.deadline_s * 500, condition))

    def picture(self, path, whole=False):
        shot = self.call("Page.captureScreenshot", format="png",
                         captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
