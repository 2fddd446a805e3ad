# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM without devices in which symtapd judges, made as its manual says."""

import json
import os
import pathlib
import re
import shutil
import time

import dom0
import guests
import lab

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
NUMBER = 110
UP_SECONDS = 90
PROBE_PORT, PROBE_PKTS_PER_S = 7000, 50
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
# What the tests ask it, which no real one answers.
START = """\
#!/bin/sh
mount -t debugfs debugfs /sys/kernel/debug
nc -ll -p 5000 -e /bin/sh >/dev/null 2>&1
"""


def make_image(path, policy):
    dom0.write("/run/extension.yaml", policy)
    dom0.write("/run/extension.start", START)
    os.chmod("/run/extension.start", 0o755)
    build = os.environ["SYMTAP_BUILD"]
    os.environ["PATH"] += f":{build}/shaper/daemon:{build}/shaper/ctl"
    dom0.call(str(SOURCE / "contrib/xen/make-extension-vm"),
              "--policy", "/run/extension.yaml",
              "--add", "/run/extension.start=/etc/symtap/start", path)


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


class Extension(guests.Guest):
    """One of a number and name.  `words` are of contrib/xen/extension-init."""

    def __init__(self, policy, words, driver=1, number=NUMBER,
                 name="extension"):
        begin = time.monotonic()
        make_image(f"/run/{name}.cpio", policy)
        made = time.monotonic()
        dom0.write(f"/run/{name}.cfg", "\n".join((
            f'name = "{name}"', 'type = "pv"',
            f'kernel = "{dom0.JOB}/vmlinux"',
            f'ramdisk = "/run/{name}.cpio"', "memory = 160", "vcpus = 1",
            f"driver_domain = {driver}",
            f'vif = ["mac={guests.mac_of(number)},bridge={dom0.BRIDGE}"]',
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

    def create_again(self):
        """Of the same image, in another domain: it was destroyed."""
        self.domain = self._boot(self.name)
        self._await()

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

    @staticmethod
    def begin_conversation(guest, to, seconds):
        """Of the guest's with who answers at `to` and PROBE_PORT."""
        return guest.begin(f"probe {to} {PROBE_PORT} 200 {PROBE_PKTS_PER_S} "
                           f"{seconds}")

    @staticmethod
    def conversed(guest, opened):
        """How many were sent, how many lost, how long the longest waited."""
        told = json.loads(guest.finish(opened))
        return {"sent": told["sent"], "lost": told["sent"] - told["answered"],
                "stall_ms": told["max_ms"]}

    def conversation(self, guest, to, seconds):
        return self.conversed(guest, self.begin_conversation(guest, to,
                                                             seconds))

    def restarted_beside(self, guest, to, number="KILL", seconds=5):
        """It ends and is started again beside a conversation: how that
        fared."""
        opened = self.begin_conversation(guest, to, seconds)
        time.sleep(1)
        starts = self.log().count("symtapd: runs")
        self.kill(number)
        told = self.conversed(guest, opened)
        if not lab.eventually(
                lambda: self.log().count("symtapd: runs") > starts, 20):
            raise RuntimeError(f"symtapd is not back:\n{self.log()}")
        return told

    def says(self, text, seconds=20):
        """On its console."""
        return lab.eventually(lambda: text in self.log(), seconds)

    def log(self):
        return "".join(path.read_text(encoding="utf-8", errors="replace")
                       for path in pathlib.Path("/var/log/xen").rglob(
                           f"guest-{self.name}.log"))
