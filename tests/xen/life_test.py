#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd comes and goes beside its guests, and they beside it."""

import os
import signal
import time
import unittest

import bed
import dom0
import lab


class Life(bed.Case):

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.start(self.guest, self.other)

    def test_the_guest_goes_on_without_symtapd(self):
        flood = self.flood(self.guest, 1200, 1)
        ear = self.listen(9001)
        self.symtapd.process.send_signal(signal.SIGKILL)
        self.symtapd.process.wait()
        begin = time.monotonic()
        other = self.guest.flood(dom0.OUTSIDE, 9001, 100, 100, 1)
        self.assertTrue(ear.receive(5, 1))
        self.assertLess(time.monotonic() - begin, 2)
        self.guest.flooded(other)
        flood.told()
        self.symtapd.restart()
        self.until(self.other.guarded, times=2)

    def test_a_guest_is_destroyed_while_it_waits(self):
        self.flood(self.guest, 1200, 2)
        self.assertGreater(self.guest.ring(), 0)
        took = self.pool.destroy(self.guest)
        print(f"destroyed within {took:.1f} s")
        self.assertLess(took, 8)
        self.until(f"{self.guest.vif} of domain {self.guest.domain} is let go")
        self.assertTrue(lab.eventually(
            lambda: not os.path.exists(f"/sys/class/net/{self.guest.vif}"),
            10))
        self.assertNotIn("(null)", dom0.call("xl", "list"))
        again = self.pool.take(1)
        self.until(again.guarded, 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
