#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests are paused, saved, restored and moved while their packets wait."""

import math
import os
import time
import unittest

import bed
import dom0
import lab
import traffic

IMAGE = "/run/guest.saved"
FLOOD_SECONDS = 60  # or until it is ended
FREE_PKTS = 4
TOGETHER_S = 0.01


class Travel(bed.Case):
    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(1)
        self.start(self.guest)

    def tearDown(self):
        super().tearDown()
        if os.path.exists(IMAGE):
            os.unlink(IMAGE)

    def save(self):
        """How long that took.  It is gone then, and nothing is left of it."""
        begin = time.monotonic()
        dom0.call("xl", "save", self.guest.name, IMAGE)
        took = time.monotonic() - begin
        self.until(f"{self.guest.vif} of domain {self.guest.domain} is let go")
        self.assertTrue(lab.eventually(
            lambda: not os.path.exists(f"/sys/class/net/{self.guest.vif}"),
            60))
        self.has_no_zombie()
        return took

    def restore(self):
        dom0.call("xl", "restore", IMAGE)
        domain = int(dom0.call("xl", "domid", self.guest.name))
        self.pool.moved(self.guest, domain)
        self.until(self.guest.guarded)
        self.assertTrue(lab.eventually(self.guest.is_up, 120, 0.2),
                        self.guest.console())

    def goes_on_as_it_was(self, flood):
        """Of those that leave after it came back, the first four do not leave
        together: a fresh pair's would."""
        arrived = flood.look(3)
        arrived += flood.ear.receive(60, FREE_PKTS + 1 - len(arrived))
        self.assertGreater(len(arrived), FREE_PKTS)
        took = arrived[FREE_PKTS - 1].at - arrived[0].at
        print(f"{len(arrived)} packets left after it came back, the first "
              f"four within {1000 * took:.1f} ms")
        self.assertGreater(took, TOGETHER_S)

    def test_a_guest_is_paused_while_it_waits(self):
        flood = self.begin_flood(self.guest, 1200, 2)
        self.until_it_waits(self.guest)
        flood.look(1)
        begin = time.monotonic()
        dom0.call("xl", "pause", self.guest.name)
        trickle = flood.look(2)
        seconds = time.monotonic() - begin
        dom0.call("xl", "unpause", self.guest.name)
        self.assertTrue(trickle)
        self.assertLessEqual(len(trickle),
                             bed.LATER_SECONDS * math.ceil(seconds))
        self.assertEqual(self.symtapd.stop(), 0)
        told = flood.rest()
        # While nobody listens, who comes may overtake who waits.
        self.assertEqual(sorted(traffic.numbers(flood.arrived)),
                         list(range(told["sent"])))
        self.has_no_zombie()

    def test_a_guest_is_saved_and_comes_to_another_host(self):
        """Which is this one, without its memory."""
        flood = self.begin_flood(self.guest, 1200, FLOOD_SECONDS)
        self.until_it_waits(self.guest)
        flood.look(2)
        uuid, held = self.uuid(self.guest), self.guest.ring()
        self.assertGreater(held, 0)
        took = self.save()
        rest = flood.ear.receive(20, held)
        document, penalty = self.exported(uuid)
        print(f"{held} slots were held, saved in {took:.1f} s, {len(rest)} "
              f"packets left meanwhile, penalty {penalty}")
        self.assertGreaterEqual(len(rest), held)
        self.assertGreater(penalty, 1)
        self.assertEqual(self.symtapd.stop(), 0)
        for name in ("state", "state.guests"):
            os.unlink(self.symtapd.path(name))
        self.symtapd.restart()
        path = self.symtapd.path("moved.json")
        dom0.write(path, document)
        dom0.call("sh", "-c", f"{bed.BUILD}/shaper/ctl/symtapctl -s "
                  f"{self.symtapd.path('control.sock')} state import <{path}")
        self.restore()
        self.until(f"{self.guest.vif} of domain {self.guest.domain} is known: ")
        self.goes_on_as_it_was(flood)
        self.guest.end_floods()


if __name__ == "__main__":
    unittest.main(verbosity=2)
