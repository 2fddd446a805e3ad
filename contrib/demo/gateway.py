# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd in the gateway's namespace, asked over its control socket."""

import collections
import glob
import json
import os
import shutil
import socket
import subprocess
import time

import world as w

Row = collections.namedtuple("Row", "name s_offered s_let_out held")

CONFIGURATION = f"""\
mode: enforce
inside: [10.20.0.0/16, 2001:db8:20::/48]
antispoof:
  interfaces:
    lan0: {{sources: [10.20.0.0/16, 2001:db8:20::/48]}}
  bindings:
    - mac: "{w.GOOD_MAC}"
      addresses: [{w.GOOD}, {w.GOOD6}]
      interface: lan0
    - mac: "{w.BAD_MAC}"
      addresses: [{w.BAD}, {w.BAD6}]
      interface: lan0
"""


class Gateway:
    FOLDER = "/run/symtap-demo-"
    START_WITHIN_S = 15

    def __init__(self, world, symtapd):
        self.world = world
        self.symtapd = symtapd
        self.folder = None
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        self.sweep()
        folder = f"{self.FOLDER}{os.getpid()}"
        os.mkdir(folder, mode=0o700)
        self.folder = folder
        with open(self.path("symtap.yaml"), "w", encoding="ascii") as file:
            file.write(CONFIGURATION)
            file.write(f"control: {{socket: {self.path('control.sock')}}}\n"
                       "state: {file: none}\n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(self.path("notify"))
            self.launch()
            self.wait_until_ready(notices)

    def sweep(self):
        """Remove what a demo that was killed outright could not."""
        for folder in glob.glob(f"{self.FOLDER}*"):
            if not w.alive(folder.removeprefix(self.FOLDER)):
                shutil.rmtree(folder, ignore_errors=True)

    def launch(self):
        with open(self.path("log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.world.inside("gateway", [
                    "setpriv", "--pdeathsig", "TERM",
                    self.symtapd, "-c", self.path("symtap.yaml")]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                env={"NOTIFY_SOCKET": self.path("notify"),
                     "PATH": os.environ["PATH"]})

    def wait_until_ready(self, notices):
        """It tells us as it would tell a service manager."""
        deadline = time.monotonic() + self.START_WITHIN_S
        notices.settimeout(0.1)
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                if b"READY=1" in notices.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                pass
        raise w.WorldError("symtapd did not start:\n" + self.log())

    def log(self):
        with open(self.path("log"), encoding="utf-8") as file:
            return file.read().strip()

    def ask(self, line):
        """The answer, or None when there is none within a second."""
        try:
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(1)
                control.connect(self.path("control.sock"))
                control.sendall(line.encode() + b"\n")
                with control.makefile() as answers:
                    return json.loads(answers.readline()).get("ok")
        except (OSError, ValueError):
            if self.process.poll() is not None:
                raise w.WorldError("symtapd ended:\n" + self.log()) from None
            return None

    def rows(self):
        """What it sees of pairs of hosts, the loudest first."""
        answer = self.ask("top by=rate scope=pair limit=4") or {"rows": []}
        return [Row(f"{row['inside']} > {row['outside']}", row["S_offered"],
                    row["S_let_out"], row["held_packets"])
                for row in answer["rows"]]

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
