#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Vifs come and go while their guest runs."""

import os
import time
import unittest

import bed
import dom0
import guests
import lab

NUMBER, VIFS = 1, 20


class Plug(bed.Case):

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(NUMBER)
        self.start(self.guest)
        self.plugged = [f"vif{self.guest.domain}.{handle}"
                        for handle in range(1, VIFS + 1)]
        self.addCleanup(self.unplug)

    def plug(self, handle):
        try:
            dom0.call("xl", "network-attach", self.guest.name,
                      f"mac={guests.mac_of(NUMBER, handle)}",
                      f"bridge={dom0.BRIDGE}", f"ip=10.0.1.{handle + 30}")
        except RuntimeError as error:
            with open("/var/log/xen/xen-hotplug.log", encoding="utf-8") as log:
                self.fail(f"{error}\n{log.read()[-2000:]}")

    def unplug(self):
        for handle, vif in enumerate(self.plugged, 1):
            if os.path.exists(f"/sys/class/net/{vif}"):
                dom0.call("xl", "network-detach", self.guest.name, str(handle))

    def all_are(self, what):
        log = self.symtapd.log()
        return all(f"{vif} of domain {self.guest.domain} {what}" in log
                   for vif in self.plugged)

    def test_twenty_come_and_go(self):
        begin = time.monotonic()
        for handle in range(1, VIFS + 1):
            self.plug(handle)
        plugged = time.monotonic()
        self.assertTrue(lab.eventually(lambda: self.all_are(
            f"({self.guest.name}) is guarded"), 30),
                        self.symtapd.log())
        print(f"{VIFS} vifs plugged within {plugged - begin:.1f} s, guarded "
              f"{time.monotonic() - plugged:.2f} s later")
        self.unplug()
        self.assertTrue(lab.eventually(lambda: self.all_are("is let go"), 30),
                        self.symtapd.log())
        self.assertFalse([vif for vif in self.plugged
                          if os.path.exists(f"/sys/class/net/{vif}")])
        # The first one's guard saw nothing of it.
        self.assertIn(" 0% packet loss", self.guest.ask(
            f"ping -c 3 -i 0.1 {dom0.OUTSIDE}"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
