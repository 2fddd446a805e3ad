#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `rate`: netback is told to pause, so packets of all sizes wait."""

import signal
import subprocess
import time
import unittest

import bed
import dom0
import lab
import traffic

OPERATORS = "1250000,50000"


class Rate(bed.Case):

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.start(self.guest, self.other, xen="{vifs: follow, way: rate}")

    def rate(self, guest=None):
        done = subprocess.run(
            ["xenstore-read", f"{(guest or self.guest).backend}/rate"],
            text=True, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        return done.stdout.strip() if done.returncode == 0 else None

    def held(self, size):
        """A flood: what left in each second, and nothing of it is lost."""
        flood = self.flood(self.guest, size, 4)
        begin = flood.arrived[0].at
        seconds = [0] * 8
        for each in flood.arrived:
            seconds[min(int(each.at - begin), 7)] += 1
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertTrue(lab.eventually(lambda: self.rate() is None, 2))
        flood.look(3)
        told = flood.told()
        print(f"{size} bytes: sent {told['sent']}, by seconds {seconds}, "
              f"send() took {told['longest_s']} s")
        self.assertEqual(traffic.numbers(flood.arrived),
                         list(range(told["sent"])))
        self.assertGreater(told["longest_s"], 0.5)
        return seconds

    def test_a_flood_of_small_packets_waits_in_the_guest(self):
        seconds = self.held(60)
        self.assertLess(sum(seconds[2:4]), 2 * 40)

    def test_a_flood_of_large_packets_waits_in_the_guest(self):
        seconds = self.held(1200)
        self.assertLess(sum(seconds[2:4]), 2 * 20)

    def test_replies_free_it(self):
        self.symtapd.stop()
        dom0.call("xenstore-write", f"{self.guest.backend}/rate", OPERATORS)
        self.symtapd.restart()
        self.until(self.guest.guarded, times=2)
        ear = self.listen(9000)
        sender = self.guest.flood(dom0.OUTSIDE, 9000, 60, 0, 4)
        self.addCleanup(sender.close)
        self.assertTrue(lab.eventually(
            lambda: (self.rate() or "").startswith("0,"), 3, 0.1))
        time.sleep(1)
        heard = ear.take()
        begin = time.monotonic()
        for _ in range(100):
            ear.answer(heard[0])
        # Free for a moment: it floods, and is paused again.
        self.assertTrue(ear.receive(2, 1))
        print(f"free {time.monotonic() - begin:.3f} s after replies")
        self.guest.flooded(sender)
        self.symtapd.stop()
        self.assertEqual(self.rate(), OPERATORS)
        dom0.call("xenstore-rm", f"{self.guest.backend}/rate")

    def test_others_do_not_wait_nor_it_when_symtapd_is_killed(self):
        flood = self.flood(self.guest, 60, 1)
        said = self.other.ask(f"ping -c 5 -i 0.1 {dom0.OUTSIDE}")
        self.assertIn(" 0% packet loss", said)
        self.symtapd.process.send_signal(signal.SIGKILL)
        self.symtapd.process.wait()
        begin = time.monotonic()
        self.assertTrue(lab.eventually(lambda: self.rate() is None, 1))
        print(f"the key is back after {time.monotonic() - begin:.3f} s")
        flood.told()


if __name__ == "__main__":
    unittest.main(verbosity=2)
