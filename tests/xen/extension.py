# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM without devices in which symtapd judges, made as its manual says."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import dom0
import guests
import lab

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
NUMBER = 110
UP_SECONDS, CONVERSATION_SECONDS = 240, 300
PROBE_PORT, PROBE_PKTS_PER_S, PROBES_MAX = 7000, 50, 10000
POLICY = """\
mode: enforce
inside: [10.0.1.0/26]
limiter: {floor: 0, patience: 0, credit: 0}
guards: {first_contacts: 0, new_connections: 0}
limits: {pairs: 4096, flows: 4096, hosts: 256, suspects: 1024,
         held_packets: 2048, held_packets_per_host: 1024,
         held_packets_per_key: 1024}
datapath: {nfqueue: {queues: 1, fail: open, bridge: true}}
control: {socket: /run/symtap/control.sock}
metrics: {listen: none}
state: {file: /var/lib/symtap/state}
"""
# Of one that is a guest's backend.
FAST = ", fast: {interfaces: auto, direct: true}"
BACKEND = POLICY.replace("bridge: true}}", f"bridge: true}}{FAST}}}"
                         ) + "xen: {vifs: follow}\n"
# What the tests ask it, which no real one answers.
START = """\
#!/bin/sh
mount -t debugfs debugfs /sys/kernel/debug
nc -ll -p 5000 -e /bin/sh >/dev/null 2>&1
"""


def make_image(name, policy):
    """Its path.  There is one for all but for its policy."""
    path = pathlib.Path("/run/extension.image")
    if not path.exists():
        dom0.write("/run/extension.yaml", POLICY)
        dom0.write("/run/extension.start", START)
        os.chmod("/run/extension.start", 0o755)
        build = os.environ["SYMTAP_BUILD"]
        os.environ["PATH"] += f":{build}/shaper/daemon:{build}/shaper/ctl"
        dom0.call(str(SOURCE / "contrib/xen/make-extension-vm"),
                  "--policy", "/run/extension.yaml", "--add",
                  "/run/extension.start=/etc/symtap/start", str(path))
    own = pathlib.Path(f"/run/{name}.own/etc/symtap")
    own.mkdir(parents=True, exist_ok=True)
    dom0.write(own / "symtap.yaml", policy)
    return guests.ramdisk(name, folder=own.parents[1], plain=path)


def guest_with_store():
    """The ramdisk of a guest that can ask XenStore."""
    folder = pathlib.Path("/run/guest.store")
    for name in ("xenstore-ls", "xenstore-read", "xenstore-write"):
        program = shutil.which(name)
        needed = re.findall(r"(?:=> |^\s*)(/\S+) \(0x",
                            dom0.call("ldd", program), re.M)
        for path, to in ((program, f"bin/{name}"),
                         *((path, path.lstrip("/")) for path in needed)):
            target = folder / to
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return guests.ramdisk("store", folder=folder)


def pace(arrived):
    """Packets of the first second, and packets a second after it."""
    begin, end = arrived[0].at, arrived[-1].at
    early = [each for each in arrived if each.at <= begin + 1]
    return len(early), (len(arrived) - len(early)) / max(end - begin - 1, 1)


def round_trip(said):
    return re.search("round-trip.*", said)[0]


def longest_s(said):
    """That a ping had to wait."""
    return max(map(float, re.findall(r"time=([\d.]+)", said))) / 1e3


def await_row(vm, scope, pattern):
    """Among the top ones that symtapd in there tells of."""
    said = ""

    def is_there():
        nonlocal said
        said = vm.symtapctl(f"top --once --scope {scope}")
        return re.search(pattern, said)

    if not lab.eventually(is_there, 60, 0.2):
        raise AssertionError(f"{said}\n{vm.log()}")


class Extension(guests.Guest):
    """One of a number and name.  `words` are of contrib/xen/extension-init."""

    def __init__(self, policy, words, driver=1, number=NUMBER,
                 name="extension"):
        begin = time.monotonic()
        image = make_image(name, policy)
        made = time.monotonic()
        dom0.write(f"/run/{name}.cfg", "\n".join((
            f'name = "{name}"', 'type = "pv"',
            f'kernel = "{dom0.KERNEL}"',
            f'ramdisk = "{image}"', "memory = 160", "vcpus = 1",
            f"driver_domain = {driver}",
            f'vif = ["mac={guests.mac_of(number)},bridge={dom0.BRIDGE},'
            f'script={guests.SCRIPT}"]',
            f'extra = "console=hvc0 quiet net.ifnames=0 {words} '
            f'address={guests.address_of(number)}/24"', "")))
        super().__init__(number, self._boot(name), None)
        self.name = name
        self._await()
        print(f"{name} VM: image {made - begin:.1f} s, up after "
              f"{time.monotonic() - made:.1f} s", flush=True)

    @staticmethod
    def _boot(name):
        """The domain's number."""
        dom0.call("xl", "create", f"/run/{name}.cfg")
        return int(dom0.call("xl", "domid", name))

    def _await(self):
        if not lab.eventually(self.is_up, UP_SECONDS, 0.2):
            raise RuntimeError(f"it is not up:\n{self.console()}")

    def create_again(self, meanwhile=lambda: None):
        """Of the same image, in another domain: it was destroyed."""
        self.domain = self._boot(self.name)
        meanwhile()
        self._await()

    def end(self):
        """Unless it is gone."""
        if subprocess.run(["xl", "domid", self.name], check=False,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0:
            self.destroy()

    def symtapctl(self, words):
        return self.ask(f"symtapctl -s /run/symtap/control.sock {words} 2>&1")

    def set_policy(self, policy):
        """In force when symtapd is asked to reload, or started again."""
        self.ask("cat >/etc/symtap/symtap.yaml <<'END'\n" + policy + "END")

    def reload(self):
        return self.symtapctl("reload")

    def kill(self, number="KILL"):
        """symtapd in there, which is started again."""
        # Its helpers have the same name, and end with it.
        self.ask(f"kill -{number} $(pidof symtapd | tr ' ' '\\n' | sort -n | "
                 "head -n 1)")

    def starts(self):
        """How often symtapd said that it runs."""
        return self.log().count("symtapd: runs")

    def await_start(self, before):
        if not self.says("symtapd: runs", times=before + 1):
            raise RuntimeError(f"symtapd is not back:\n{self.log()}")

    def restart_seconds(self):
        """From its end until it runs again."""
        before, begin = self.starts(), time.monotonic()
        self.kill()
        self.await_start(before)
        return time.monotonic() - begin

    @staticmethod
    def begin_conversation(guest, to, seconds, at_once=""):
        """Of the guest's with who answers at `to` and PROBE_PORT."""
        return guest.begin(f"probe {to} {PROBE_PORT} 200 {PROBE_PKTS_PER_S} "
                           f"{seconds} {at_once}")

    @staticmethod
    def conversed(guest, opened):
        """How many were sent, how many lost, how long the longest waited."""
        told = json.loads(guest.finish(opened, CONVERSATION_SECONDS))
        return {"sent": told["sent"], "lost": told["sent"] - told["answered"],
                "stall_ms": told["max_ms"]}

    def conversation(self, guest, to, seconds):
        return self.conversed(guest, self.begin_conversation(guest, to,
                                                             seconds))

    def patient_conversation(self, guest, to, seconds):
        """The same, and what comes late is not lost."""
        return self.conversed(guest, self.begin_conversation(
            guest, to, seconds, PROBES_MAX))

    def restarted_beside(self, guest, to, seconds=5):
        """It ends and is started again beside a conversation: how that
        fared."""
        opened = self.begin_conversation(guest, to, seconds)
        time.sleep(1)
        before = self.starts()
        self.kill()
        told = self.conversed(guest, opened)
        self.await_start(before)
        return told

    def away_beside(self, guest, to, seconds, start_s):
        """The same, and it can be started after `seconds` only."""
        opened = self.begin_conversation(guest, to, 1 + seconds + 2 * start_s)
        time.sleep(1)
        before = self.starts()
        self.ask("mv /bin/symtapd /bin/symtapd.away")
        self.kill()
        time.sleep(seconds)
        self.ask("mv /bin/symtapd.away /bin/symtapd")
        told = self.conversed(guest, opened)
        self.await_start(before)
        return told

    def says(self, text, seconds=60, times=1):
        """On its console."""
        return lab.eventually(lambda: self.log().count(text) >= times, seconds,
                              0.1)

    def log(self):
        return "".join(path.read_text(encoding="utf-8", errors="replace")
                       for path in pathlib.Path("/var/log/xen").rglob(
                           f"guest-{self.name}.log"))
