#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `ring`: packets wait as they leave the vif, and the guest with
them."""

import re
import subprocess
import unittest

import bed
import dom0
import lab
import traffic


class Ring(bed.Case):

    def setUp(self):
        super().setUp()
        dom0.call("modprobe", "-a", "ifb", "sch_htb", "sch_tbf", "sch_ingress",
                  "cls_u32", "act_mirred")
        self.guest, self.other = self.pool.take(1, 2)

    def guard(self):
        self.start(self.guest, self.other, xen="{vifs: follow, way: ring}")

    def test_a_flood_waits_and_other_flows_do_not(self):
        self.guard()
        flood = self.flood(self.guest, 1200, 1)
        self.assertGreater(self.guest.ring(), 10)
        for guest, target in ((self.guest, dom0.HOST),
                              (self.other, dom0.OUTSIDE)):
            said = guest.ask(f"ping -c 10 -i 0.1 {target}")
            self.assertIn(" 0% packet loss", said)
            print(guest.name, re.search("round-trip.*", said)[0])
        flood.told()

    def test_a_flood_is_held_to_the_check_figures(self):
        self.guard()
        flood = self.flood(self.guest, 1200, 4)
        pending = self.guest.ring()
        seconds = [0] * 8
        for each in flood.arrived:
            seconds[min(int(each.at - flood.arrived[0].at), 7)] += 1
        self.assertEqual(self.symtapd.stop(), 0)
        flood.look(2)
        told = flood.told()
        print(f"sent {told['sent']}, by seconds {seconds}, {pending} slots "
              f"held, send() took {told['longest_s']} s")
        self.assertEqual(sorted(traffic.numbers(flood.arrived)),
                         list(range(told["sent"])))
        self.assertLessEqual(seconds[0], bed.FIRST_SECOND)
        self.assertLessEqual(max(seconds[1:6]), bed.LATER_SECONDS)
        self.assertGreater(told["longest_s"], 0.9)
        self.assertGreater(pending, 10)

    def test_who_listens_to_the_vif_is_in_its_way(self):
        refused = f"{self.guest.vif}: its packets cannot wait: ring: somebody"
        self.guard()
        with subprocess.Popen(
                ["python3", "-c", "import socket, sys\n"
                 "tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                 f"tap.bind(('{self.guest.vif}', 3))\n"
                 "sys.stdin.read()"], stdin=subprocess.PIPE) as tap:
            self.until(refused)
            tap.stdin.close()
        self.assertTrue(lab.eventually(
            lambda: self.symtapd.log().count(
                f"{self.guest.vif}: its packets wait by way of ring") == 2,
            10), self.symtapd.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
