#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hotplug script of xl: XenStore and symtapd are real, the script that it
runs is not."""

import os
import pathlib
import subprocess
import tempfile
import time

import gateway_bed as bed
import lab
import symtapd
import vif_bed
import xenstore

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "contrib/xen/scripts"
FAKE = """#!/bin/sh
echo "${0##*/} $*" >>"${0%/*}/ran"
xenstore-write "$XENBUS_PATH/hotplug-status" connected
exit "$(cat "${0%/*}/status")"
"""


class Hotplug(vif_bed.Case):

    def setUp(self):
        super().setUp()
        for key, value in (("mac", lab.GUARDED_MAC), ("ip", vif_bed.GUEST),
                           ("bridge", "br0"), ("state", "2")):
            self.store.key(7, key, value)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for script in SCRIPTS.iterdir():
            (self.folder / script.name).symlink_to(SCRIPTS / "vif-symtap")
        for name in ("vif-bridge", "vif-route"):
            (self.folder / name).write_text(FAKE, encoding="utf-8")
            (self.folder / name).chmod(0o755)
        (self.folder / "status").write_text("0", encoding="utf-8")

    def policy(self, fail):
        return {"bridge": True, "inside": vif_bed.INSIDE_NET,
                "limits": bed.ROOM, "fail": fail, "xen": "{vifs: follow}"}

    def online(self, name="vif-symtap", command="online", wait_s="10"):
        """What xl does.  Its status, and how long it took."""
        build = self.symtapd.build
        begin = time.monotonic()
        done = subprocess.run(
            [self.folder / name, command, "type_if=vif"], check=False, env={
                **self.store.environment, "vif": "vif7.0",
                "XENBUS_PATH": f"{xenstore.BACKEND}/7/0",
                "SYMTAP_POLICY": self.symtapd.path("symtap.yaml"),
                "SYMTAP_WAIT_S": wait_s, "PATH": ":".join((
                    f"{build}/shaper/daemon", f"{build}/shaper/ctl",
                    f"{build}/packages/usr/bin", os.environ["PATH"]))})
        return done.returncode, time.monotonic() - begin

    def ran(self):
        path = self.folder / "ran"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def test_it_is_guarded_before_the_guest_can_connect(self):
        self.symtapd.start(**self.policy("closed"))
        status, took = self.online()
        self.assertEqual(status, 0)
        self.assertEqual(self.ran(), "vif-bridge online type_if=vif\n")
        self.assertEqual(self.store.read(f"{xenstore.BACKEND}/7/0/"
                                         "hotplug-status"), "connected")
        self.assertIn("vif7.0 of domain 7 (web) is guarded",
                      self.symtapd.log())
        print(f"online within {took:.2f} s")
        self.assertLess(took, 5)

    def test_it_composes_with_others(self):
        self.symtapd.start(**self.policy("closed"))
        self.assertEqual(self.online("vif-symtap-route")[0], 0)
        self.store.write("/local/domain/0/symtap/script", "vif-route")
        self.assertEqual(self.online()[0], 0)
        self.assertEqual(self.online(command="offline")[0], 0)
        self.assertEqual(self.ran(), "vif-route online type_if=vif\n" * 2 +
                         "vif-route offline type_if=vif\n")
        (self.folder / "status").write_text("3", encoding="utf-8")
        self.assertEqual(self.online()[0], 3)
        self.store.write("/local/domain/0/symtap/script", "../../bin/true")
        self.assertEqual(self.online()[0], 1)
        self.store.write("/local/domain/0/symtap/script", "vif-symtap")
        self.assertEqual(self.online()[0], 1)
        self.store.write("/local/domain/0/symtap/script", "vif-absent")
        self.assertEqual(self.online()[0], 1)

    def test_closed_without_symtapd_the_device_fails(self):
        self.symtapd.write_policy(**self.policy("closed"))
        self.store.write("/local/domain/0/symtap/vif/7/0/state", "active")
        self.assertEqual(self.online(wait_s="1")[0], 1)
        self.assertEqual(self.ran(), "")
        self.assertIn("does not guard it", self.store.read(
            f"{xenstore.BACKEND}/7/0/hotplug-error"))

    def test_open_without_symtapd_it_goes_on_at_once(self):
        self.symtapd.write_policy(**self.policy("open"))
        status, took = self.online()
        self.assertEqual(status, 0)
        self.assertLess(took, 5)
        self.assertEqual(self.ran(), "vif-bridge online type_if=vif\n")

    def test_what_cannot_be_guarded_is_told(self):
        self.store.key(7, "mac", "nonsense")
        self.symtapd.start(**self.policy("closed"))
        self.assertEqual(self.online(wait_s="2")[0], 1)
        self.assertIn("mac: not six pairs", self.store.read(
            f"{xenstore.BACKEND}/7/0/hotplug-error"))


if __name__ == "__main__":
    bed.main()
