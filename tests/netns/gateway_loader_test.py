#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel program and its interfaces: how it is attached, what a kernel
without it says, what becomes of it."""

import os
import signal
import time

import gateway_bed as bed
import lab
import symtapd
import traffic

FAST = "lan0, lan1"
FEW = 20  # packets that reach the daemon until it trusts a conversation
WITHOUT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "without.py")
NO_TCX = (WITHOUT, "BPF_LINK_CREATE=EINVAL")


class Case(bed.Case):

    @classmethod
    def setUpClass(cls):
        symtapd.FAST = FAST
        super().setUpClass()

    def start_without(self, prefix, **policy):
        self.symtapd.start(prefix=prefix, **policy)

    def check_fast(self, seconds=1):
        """A conversation stays in the kernel."""
        before = self.symtapd.settled()
        talk = self.talk(seconds=seconds).finish()
        after = self.symtapd.settled()
        self.check_whole(talk)
        self.assertLess(after["received_pkts"] - before["received_pkts"], FEW)
        self.assertGreater(after["fast_out_pkts"] - before["fast_out_pkts"],
                           talk["sent"] - FEW)
        self.assertGreater(after["fast_in_pkts"] - before["fast_in_pkts"],
                           talk["sent"] - FEW)

    def check_slow(self):
        """It goes by the queue, and a flood is held there."""
        self.check_whole(self.talk(seconds=0.5).finish())
        self.assertEqual(self.symtapd.settled()["fast_out_pkts"], 0)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        _, arrived = traffic.flood(traffic.sender(self.net.host, lab.GUARDED),
                                   (lab.OUTSIDE, 9), ear, 0.9)
        self.check_figures([each.at for each in arrived], 0.9)

    def filters(self, device="lan1"):
        return [self.net.gateway.run("tc", "filter", "show", "dev", device, at)
                for at in ("ingress", "egress")]


class Clsact(Case):
    """Linux before 6.6: filters of a clsact qdisc."""

    def tearDown(self):
        super().tearDown()
        for device in ("lan0", "lan1"):
            self.net.gateway.run("tc", "qdisc", "del", "dev", device,
                                 "clsact", check=False)

    def test_does_the_same_and_leaves_none_behind(self):
        self.start_without(NO_TCX)
        self.assertIn("symtap_out", self.filters()[0])
        self.assertIn("symtap_in", self.filters()[1])
        self.check_fast()
        self.symtapd.stop()
        self.assertEqual(self.filters(), ["", ""])

    def test_filters_of_others_stay(self):
        tc = self.net.gateway.run
        tc("tc", "qdisc", "add", "dev", "lan1", "clsact")
        for at in ("ingress", "egress"):
            tc("tc", "filter", "add", "dev", "lan1", at, "prio", "7",
               "bpf", "bytecode", "1,6 0 0 0")
        before = self.filters()
        self.start_without(NO_TCX)
        self.assertNotEqual(self.filters(), before)
        self.symtapd.stop()
        self.assertEqual(self.filters(), before)

    def test_what_was_left_behind_is_replaced(self):
        self.start_without(NO_TCX)
        self.symtapd.stop(signal.SIGKILL)
        self.symtapd.restart(prefix=NO_TCX)
        self.assertEqual([each.count("direct-action")
                          for each in self.filters()], [1, 1])
        self.check_fast()


class Without(Case):
    """What is missing is said, and all goes by the queue."""

    def start_slow(self, prefix, why):
        self.start_without(prefix)
        self.assertIn(why, self.symtapd.log())
        self.check_slow()

    def test_no_bpf(self):
        self.start_slow((WITHOUT, "BPF_MAP_CREATE=ENOSYS",
                         "BPF_PROG_LOAD=ENOSYS"), "CONFIG_BPF_SYSCALL")

    def test_not_allowed(self):
        self.start_slow((WITHOUT, "BPF_MAP_CREATE=EPERM",
                         "BPF_PROG_LOAD=EPERM"), "bpf(2) is not allowed here")

    def test_no_capability(self):
        self.start_slow(("setpriv", "--bounding-set", "-bpf,-sys_admin"),
                        "loading it needs CAP_BPF")

    def test_neither_tcx_nor_clsact(self):
        tc = self.net.gateway.run
        for device in ("lan0", "lan1"):
            tc("tc", "qdisc", "add", "dev", device, "ingress")
            self.addCleanup(tc, "tc", "qdisc", "del", "dev", device, "ingress")
        self.start_slow(NO_TCX, "neither tcx links")


if __name__ == "__main__":
    bed.main()
