# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM without devices in which symtapd judges, made as its manual says."""

import os
import pathlib
import time

import dom0
import guests
import lab

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
NUMBER = 110
UP_SECONDS = 90
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
state: {file: none}
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


class Extension(guests.Guest):
    """One at a time.  `words` are of contrib/xen/extension-init."""

    def __init__(self, policy, words, driver=1):
        begin = time.monotonic()
        make_image("/run/extension.cpio", policy)
        made = time.monotonic()
        dom0.write("/run/extension.cfg", "\n".join((
            'name = "extension"', 'type = "pv"',
            f'kernel = "{dom0.JOB}/vmlinux"',
            'ramdisk = "/run/extension.cpio"', "memory = 160", "vcpus = 1",
            f"driver_domain = {driver}",
            f'vif = ["mac={guests.mac_of(NUMBER)},bridge={dom0.BRIDGE}"]',
            f'extra = "console=hvc0 quiet net.ifnames=0 {words} '
            f'address={guests.address_of(NUMBER)}/24"', "")))
        dom0.call("xl", "create", "/run/extension.cfg")
        super().__init__(NUMBER, int(dom0.call("xl", "domid", "extension")),
                         None)
        self.name = "extension"
        if not lab.eventually(self.is_up, UP_SECONDS, 0.2):
            raise RuntimeError(f"it is not up:\n{self.console()}")
        print(f"extension VM: image {made - begin:.1f} s, up after "
              f"{time.monotonic() - made:.1f} s", flush=True)

    def symtapctl(self, words):
        return self.ask(f"symtapctl -s /run/symtap/control.sock {words} 2>&1")

    def says(self, text, seconds=20):
        """On its console."""
        return lab.eventually(lambda: text in self.log(), seconds)

    @staticmethod
    def log():
        return "".join(path.read_text(encoding="utf-8", errors="replace")
                       for path in pathlib.Path("/var/log/xen").rglob(
                           "guest-extension.log"))
