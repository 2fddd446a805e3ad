#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `ring`: packets wait as they leave the vif, and the guest with
them."""

import subprocess
import unittest

import bed
import dom0
import flood_test
import lab
import traffic

ROUTED = 31


class Ring(flood_test.Held):
    """What flood_test.py does not ask of every way."""

    way = bed.RING

    def check_held(self, guest):
        """And that all of it arrives, in order, while it goes on."""
        flood = self.begin_flood(guest, flood_test.LARGE, 4)
        self.until_it_waits(guest)
        flood.look(2)
        pending = guest.ring()
        waited = len(flood.arrived) + pending
        self.check_rate(flood)
        told, dropped = self.let_go(flood)
        self.assertEqual(dropped, 0)
        numbers = traffic.numbers(flood.arrived)
        self.assertEqual(len(numbers), len({*numbers}))
        self.assertEqual(len(flood.missing()), flood.own_drops(),
                         flood.missing())
        # What the guest sends when it goes on may overtake, once.
        self.assertEqual(numbers[:waited], list(range(waited)))
        self.assertGreater(told["longest_s"], 0.9)

    def test_a_flood_that_is_routed_is_held_to_the_check_figures(self):
        for name in ("all", dom0.BRIDGE):
            dom0.write(f"/proc/sys/net/ipv4/conf/{name}/forwarding", "1")
        dom0.write(f"/proc/sys/net/ipv4/conf/{dom0.BRIDGE}/proxy_arp", "1")
        guest = self.pool.take(
            ROUTED, vif=f"script=vif-route,gatewaydev={dom0.BRIDGE}")
        self.addCleanup(self.pool.destroy, guest)
        self.symtapd.start(**bed.policy_of(self.way))
        self.until(guest.guarded)
        self.check_held(guest)

    def test_who_listens_to_the_vif_is_in_its_way(self):
        self.guest = self.pool.take(1)
        refused = f"{self.guest.vif}: its packets cannot wait: ring: somebody"
        self.start(self.guest)
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
            60), self.symtapd.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
