# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd in a namespace, with a policy, as a service manager would run it."""

import atexit
import contextlib
import glob
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import lab

# Guarded interfaces, "lan0, lan1": every test then runs with the fast path.
FAST = os.environ.get("SYMTAP_FAST", "")
LOADING, LOAD_SECONDS = "is still looking through the program", 120
PIN = "none"
START_SECONDS = 60
STOP_SECONDS = 20

POLICY = {
    "mode": "enforce",
    "inside": '[10.20.0.0/16, "2001:db8:20::/48"]',
    "limits": "{pairs: 20000, flows: 20000, hosts: 1024}",
    "metrics": "{listen: none}",
}


def find(build, name):
    for folder in ("shaper/daemon", "shaper/ctl", "tests", "tests/netns",
                   "tests/bench/gateway.parts"):
        path = os.path.join(build, folder, name)
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"{name} is not in {build}")


def is_sanitized(build):
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        return "SYMTAP_SANITIZE:BOOL=ON\n" in file


class SymtapdError(Exception):
    """It did not do what a test takes for granted."""


class Symtapd:
    def __init__(self, namespace, build):
        self.namespace = namespace
        self.build = build
        self.process = None
        self.patient = True  # until there is a fast path
        self.folder = tempfile.mkdtemp(prefix="symtap-test-")
        atexit.register(self.close)
        self._give_folder()

    def _give_folder(self):
        """Where the user that it turns into may write as well."""
        try:
            user = pwd.getpwnam("symtap")
        except KeyError:
            return
        os.chown(self.folder, user.pw_uid, user.pw_gid)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_policy(self, queues=1, fail="open", bridge=False, shipped=False,
                     keys=16384, fast="", direct=False, **sections):
        """`sections` are top-level keys, each in YAML's short form.  The gates
        alone, unless they say otherwise: no patience, no credit, no paces.
        `shipped`: all of them, as they come.  `fast`: where the fast path
        is; `direct`: past the bridge."""
        limiter = sections.pop("limiter", "{}")
        if FAST:
            fast = f"[{FAST}]"
        if fast:
            fast = (f", fast: {{interfaces: {fast}, keys: {keys}, "
                    f"direct: {str(direct).lower()}, pin: {PIN}}}")
        gates_alone = {
            "limiter": limiter.replace(
                "{", "{floor: 0, patience: 0, credit: 0, ", 1),
            "guards": "{first_contacts: 0, new_connections: 0}",
        }
        policy = {
            **POLICY,
            **({} if shipped else gates_alone),
            "datapath": f"{{nfqueue: {{queues: {queues}, fail: {fail}, "
                        f"bridge: {str(bridge).lower()}}}{fast}}}",
            "control": f"{{socket: {self.path('control.sock')}}}",
            "state": f"{{file: {self.path('state')}}}",
            **sections,
        }
        with open(self.path("symtap.yaml"), "w", encoding="utf-8") as file:
            file.writelines(f"{key}: {value}\n"
                            for key, value in policy.items())

    def start(self, environment=None, prefix=(), **policy):
        """With nothing on its mind.  Returns when it says that it is ready."""
        self.write_policy(**policy)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path("state"))
        self.restart(environment, prefix)

    def restart(self, environment=None, prefix=()):
        """With the policy and the state that are there."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            with_path = self.path(f"notify{time.monotonic_ns()}")
            notices.bind(with_path)
            os.chmod(with_path, 0o777)
            self._launch(with_path, environment or os.environ, prefix)
            self._wait_until_ready(notices)
        if self.patient:
            lab.eventually(lambda: not self.is_loading(), LOAD_SECONDS, 0.1)

    def is_loading(self):
        """The kernel looks through the fast path's program, for which symtapd
        waits 3 s.  One that is emulated takes longer."""
        last = dict(re.findall(r"fast path: (?:attached to )?([\w.-]+)(.*)",
                               self.log()))
        return any(LOADING in text for text in last.values())

    def begin(self):
        """The same, and nobody waits until it is ready."""
        self._launch("", os.environ, ())

    def _launch(self, notify_path, environment, prefix):
        with open(self.path("log"), "a", encoding="utf-8") as log:
            with self.namespace.entered():
                self.process = subprocess.Popen(
                    [*prefix, find(self.build, "symtapd"), "-c",
                     self.path("symtap.yaml")],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**environment, "NOTIFY_SOCKET": notify_path,
                         "ASAN_OPTIONS": "detect_leaks=0:"
                         "verify_asan_link_order=0"})
        self.namespace.lab.processes.append(self.process)

    def _wait_until_ready(self, notices):
        deadline = time.monotonic() + START_SECONDS
        notices.settimeout(0.05)
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                if b"READY=1" in notices.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                pass
        raise SymtapdError("symtapd did not start:\n" + self.log())

    def log(self):
        with open(self.path("log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def ask(self, line):
        """What it answers over its control socket, when that is "ok"."""
        return self.answer(self.begin_to_ask(line), line)

    def begin_to_ask(self, line):
        control = socket.socket(socket.AF_UNIX)
        control.settimeout(10)
        control.connect(self.path("control.sock"))
        control.sendall(line.encode() + b"\n")
        return control

    def answer(self, asked, line):
        with asked, asked.makefile() as answers:
            answer = json.loads(answers.readline())
        if "ok" not in answer:
            raise SymtapdError(f"{line}: {answer}")
        return answer["ok"]

    def ctl(self, *words, check=True):
        """symtapctl's words on its socket; what it printed."""
        return self.namespace.run(find(self.build, "symtapctl"), "-s",
                                  self.path("control.sock"), *words,
                                  check=check)

    def counters(self):
        return {row["name"]: row["value"]
                for row in self.ask("stats")["counters"]}

    def wait_for(self, counter, at_least, seconds=5):
        """Counters are up to a second old.  Its value."""
        lab.eventually(lambda: self.counters()[counter] >= at_least, seconds,
                       0.1)
        value = self.counters()[counter]
        if value < at_least:
            raise SymtapdError(f"{counter} is {value}, not {at_least}")
        return value

    def settled(self):
        """Its counters, with all that happened before this call."""
        begin = self.ask("status")["uptime_s"]
        lab.eventually(lambda: self.ask("stats")["uptime_s"] > begin, 5, 0.05)
        return self.counters()

    def a_second_later(self):
        """It has looked at what the kernel counts, and at its interfaces."""
        begin = self.ask("status")["uptime_s"]
        lab.eventually(lambda: self.ask("status")["uptime_s"] > begin + 1.1,
                       5, 0.05)

    def carried(self):
        """The same, and out and in with what stayed in the kernel."""
        count = self.settled()
        for way in ("out", "in"):
            count[f"{way}_pkts"] += count[f"fast_{way}_pkts"]
        return count

    def waited_to_run_s(self):
        """So long its threads were ready, and others had the processors."""
        waited_ns = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            with open(path, encoding="ascii") as file:
                waited_ns += int(file.read().split()[1])
        return waited_ns / 1e9

    def reload(self):
        return self.ask("reload")

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, number=signal.SIGTERM):
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def close(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)
