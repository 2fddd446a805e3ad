#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `rate`: netback is told to pause, so packets of all sizes wait."""

import json
import time
import unittest

import bed
import dom0
import lab
import traffic

OPERATORS = "1250000,50000"
PAUSE_S = 0.1
PROBE_PORT = 9002


def before_pause(arrived):
    gaps = zip(arrived, arrived[1:])
    return next((number for number, (one, next_one) in enumerate(gaps, 1)
                 if next_one.at - one.at > PAUSE_S), len(arrived))


class Rate(bed.Case):
    way = bed.RATE

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.start(self.guest, self.other)

    def rate(self):
        return bed.store_value(f"{self.guest.backend}/rate")

    def test_a_flood_waits_in_the_guest(self):
        """Large packets: those of small ones are in flood_test.py."""
        flood = self.flood(self.guest, 1200, 4)
        begin = flood.arrived[0].at
        seconds = [0] * 8
        for each in flood.arrived:
            seconds[min(int(each.at - begin), 7)] += 1
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertEqual(self.rate(), "")
        told = flood.rest()
        print(f"sent {told['sent']}, {before_pause(flood.arrived)} before the "
              f"first pause, by seconds {seconds}, send() took "
              f"{told['longest_s']} s")
        numbers = traffic.numbers(flood.arrived)
        self.assertEqual(numbers, sorted({*numbers}))
        self.assertEqual(len(flood.missing()), flood.own_drops(),
                         flood.missing())
        self.assertGreater(told["longest_s"], 0.5)
        self.assertLess(sum(seconds[2:4]), 2 * self.way.later)

    def test_a_conversation_goes_on_beside_a_flood(self):
        """It waits with the flood, and goes with the burst after a pause."""
        self.outside_runs("probe", "answer", dom0.OUTSIDE, PROBE_PORT)
        beside = self.guest.begin(
            f"sleep 1; probe {dom0.OUTSIDE} {PROBE_PORT} 200 10 5")
        flood = self.begin_flood(self.guest, 1200, 6, to=dom0.OUTSIDE2)
        flood.look(7)
        self.assertEqual(self.symtapd.stop(), 0)
        flood.rest()
        told = json.loads(self.guest.finish(beside))
        print(f"{told['answered']} of {told['sent']} answered, the middle one "
              f"after {told['p50_ms']:.0f} ms, the last after "
              f"{told['max_ms']:.0f} ms")
        self.assertEqual(told["answered"], told["sent"])
        self.assertLess(told["max_ms"], 1000 * self.as_slow(4))

    def test_replies_free_it(self):
        self.symtapd.stop()
        dom0.call("xenstore-write", f"{self.guest.backend}/rate", OPERATORS)
        self.symtapd.restart()
        self.until(self.guest.guarded, times=2)
        ear = self.listen(9000)
        sender = self.guest.flood(dom0.OUTSIDE, 9000, 60, 0, 4)
        self.addCleanup(sender.close)
        self.assertTrue(lab.eventually(
            lambda: self.rate().startswith("0,"), 60, 0.1))
        time.sleep(1)
        heard = ear.take()
        begin = time.monotonic()
        for _ in range(100):
            ear.answer(heard[0])
        # Free for a moment: it floods, and is paused again.
        self.assertTrue(ear.receive(self.as_slow(2), 1))
        print(f"free {time.monotonic() - begin:.3f} s after replies")
        self.guest.flooded(sender)
        self.symtapd.stop()
        self.assertEqual(self.rate(), OPERATORS)
        dom0.call("xenstore-rm", f"{self.guest.backend}/rate")

    def test_others_do_not_wait_nor_it_when_symtapd_is_killed(self):
        flood = self.begin_flood(self.guest, 60, 1)
        self.until_it_waits(self.guest)
        said = self.other.ask(f"ping -c 5 -i 0.1 {dom0.OUTSIDE}")
        self.assertIn(" 0% packet loss", said)
        bound_s = self.as_slow(2)
        self.symtapd.process.kill()
        self.symtapd.process.wait()
        begin = time.monotonic()
        self.assertTrue(lab.eventually(lambda: self.rate() == "", bound_s))
        print(f"the key is back after {time.monotonic() - begin:.3f} s")
        flood.told()


if __name__ == "__main__":
    unittest.main(verbosity=2)
