#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `netback` as symtapd has it.  There is no Xen here: what is loaded
with symtapd answers in the module's stead (netback_stand_in.c), and guards
nothing.  What the module does is in tests/xen."""

import os
import shutil

import gateway_bed as bed
import lab
import vif_bed
from vif_bed import GUEST

STAND_IN = os.path.join(bed.BUILD, "tests/xenstore/libnetback_stand_in.so")


class VifNetback(vif_bed.Case):

    def start_beside(self, refuses, way, prefix=()):
        self.symtapd.start(
            {**os.environ, "LD_PRELOAD": STAND_IN, "NETBACK_REFUSES": refuses},
            prefix, bridge=True, inside=vif_bed.INSIDE_NET, limits=bed.ROOM,
            xen=f"{{vifs: follow, way: {way}}}")
        self.store.vif(7, lab.GUARDED_MAC, GUEST)

    def way(self):
        return self.symtapd.ask("vifs")["vifs"][0]["way"]

    def test_who_is_taken_waits_in_netback(self):
        """Also when an answer comes late, and is that to a question before."""
        self.start_beside("vif8.0", "netback")
        self.guarded()
        self.assertEqual(self.way(), "netback")
        self.assertNotIn("refuses", self.symtapd.log())

    def test_who_is_refused_gets_another_way(self):
        self.start_beside("vif7.0", "auto")
        self.guarded()
        self.until("netback refuses it: No space left on device")
        self.assertIn(self.way(), ("queue", "ring", "rate"))
        self.assertTrue(lab.eventually(lambda: self.store.read(
            "/local/domain/0/symtap/vif/7/0/state") == "active"))

    def test_who_is_refused_and_may_have_no_other_is_not_guarded(self):
        self.start_beside("vif7.0", "netback")
        self.until("vif7.0: its packets cannot wait: ")
        self.assertIn("netback refuses it: No space left on device",
                      self.symtapd.log())
        self.assertNotIn("is guarded", self.symtapd.log())
        self.symtapd.write_policy(bridge=True, inside=vif_bed.INSIDE_NET,
                                  limits=bed.ROOM,
                                  xen="{vifs: follow, way: queue}")
        self.symtapd.reload()
        self.guarded()
        self.assertEqual(self.way(), "queue")

    def test_what_other_ways_need_is_not_looked_at(self):
        """Who listens to a vif, each second, what the kernel's queues dropped
        while nothing comes to them, and filters where packets arrive."""
        traced = self.symtapd.path("traced")
        self.start_beside("vif8.0", "auto", (
            shutil.which("strace"), "-f", "-D", "-qq", "-e",
            "trace=openat,read", "-o", traced))
        self.guarded()

        def times():
            with open(traced, encoding="utf-8") as file:
                said = file.read()
            return (said.count("sk               RefCnt"),
                    said.count("/proc/net/netfilter/nfnetlink_queue"))

        def is_quiet():
            before = times()
            self.symtapd.a_second_later()
            return times() == before

        self.assertTrue(lab.eventually(is_quiet, 10))
        # Both were asked when its way was chosen.
        self.assertGreater(min(times()), 0)
        # One would cost each packet of the host.
        shown = self.net.gateway.run("tc", "qdisc", "show")
        self.assertIn("symtap-ring", shown)
        self.assertNotIn("clsact", shown)


if __name__ == "__main__":
    bed.main()
