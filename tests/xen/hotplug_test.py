#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""xl's hotplug script, policies in XenStore, and what is published there."""

import os
import pathlib
import subprocess
import time
import unittest

import bed
import dom0
import guests
import lab

NUMBER, HANDLE = 1, 1
ADDRESS = "10.0.1.31"
SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "contrib/xen/scripts"
SYMTAP = "/local/domain/0/symtap"


def link(path, target):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def exists(path):
    return subprocess.run(["xenstore-exists", path], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


class Hotplug(bed.Case):

    def setUp(self):
        super().setUp()
        # As if it were installed.
        for script in SCRIPTS.iterdir():
            link(f"/etc/xen/scripts/{script.name}", script.resolve())
        for program in ("daemon/symtapd", "ctl/symtapctl"):
            link(f"/usr/local/sbin/{os.path.basename(program)}",
                 f"{bed.BUILD}/shaper/{program}")
        link("/etc/symtap/symtap.yaml", self.symtapd.path("symtap.yaml"))
        self.guest = self.pool.take(NUMBER)
        self.vif = f"vif{self.guest.domain}.{HANDLE}"
        self.published = f"{SYMTAP}/vif/{self.guest.domain}/{HANDLE}"
        self.addCleanup(self.detach)

    def attach(self, script, **environment):
        """xl's status, what it said, and how long it took."""
        begin = time.monotonic()
        done = subprocess.run(
            ["xl", "network-attach", self.guest.name,
             f"mac={guests.mac_of(NUMBER, HANDLE)}", f"bridge={dom0.BRIDGE}",
             f"ip={ADDRESS}", f"script={script}"], check=False, text=True,
            env={**os.environ, **environment}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        return done.returncode, done.stdout, time.monotonic() - begin

    def detach(self):
        if exists(f"/local/domain/0/backend/vif/{self.guest.domain}/{HANDLE}"):
            dom0.call("xl", "network-detach", self.guest.name, str(HANDLE))

    def test_a_vif_is_guarded_before_it_is_on_its_network(self):
        self.start(self.guest, fail="closed")
        status, said, took = self.attach("vif-symtap", SYMTAP_WAIT_S="30")
        self.assertEqual(status, 0, said + self.symtapd.log())
        print(f"attached and guarded within {took:.2f} s")
        self.assertIn(f"{self.vif} of domain {self.guest.domain} "
                      f"({self.guest.name}) is guarded", self.symtapd.log())
        self.assertEqual(os.path.basename(os.readlink(
            f"/sys/class/net/{self.vif}/master")), dom0.BRIDGE)
        self.assertEqual(dom0.call("xenstore-read", f"{self.published}/state"),
                         "active\n")
        self.assertIn(f" {self.vif} ", self.symtapd.ctl("vifs"))
        self.detach()
        self.assertTrue(lab.eventually(
            lambda: not exists(self.published), 60), self.symtapd.log())
        # The guest's other vif has its state still.
        self.assertTrue(exists(f"{SYMTAP}/vif/{self.guest.domain}/0/state"))

    def test_closed_without_symtapd_xl_fails(self):
        self.symtapd.write_policy(bridge=True, fail="closed",
                                  xen="{vifs: follow}", **bed.POLICY)
        status, said, took = self.attach("vif-symtap-bridge",
                                         SYMTAP_WAIT_S="2")
        print(f"failed within {took:.2f} s: {said}")
        self.assertNotEqual(status, 0)
        self.assertIn("symtapd does not guard it", said)

    def test_a_policy_in_xenstore_is_in_force(self):
        self.start(self.guest)
        uuid = dom0.call("xenstore-read",
                         f"/local/domain/{self.guest.domain}/vm").split("/")[2]
        path = f"{SYMTAP}/policy/{uuid.strip()}"
        self.addCleanup(dom0.call, "xenstore-rm", path)
        dom0.call("xenstore-write", path, "guard: off")
        self.assertTrue(lab.eventually(lambda: dom0.call(
            "xenstore-read", f"{SYMTAP}/vif/{self.guest.domain}/0/state") ==
            "off\n", 60), self.symtapd.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
