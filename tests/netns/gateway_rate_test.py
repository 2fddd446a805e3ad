#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host may send in all, by `rate`."""

import unittest

import gateway_bed as bed
import lab
import traffic

PKTS_PER_S, BURST_PKTS = 1000, 50
SIZE = 1000
# A gate never closes, and nothing is dropped for having waited.
OPEN = {"limiter": "{threshold: 15.0}", "limits": bed.ROOM}


class Rate(bed.Case):

    def flood(self, seconds, pkts_per_s):
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        sent, arrived = traffic.flood(source, (lab.OUTSIDE, 9), ear, seconds,
                                      0, pkts_per_s, SIZE)
        arrived += ear.receive(10, sent - len(arrived))
        self.assertEqual(traffic.numbers(arrived), list(range(sent)))
        return [each.at for each in arrived]

    def check_rate(self, times):
        """In any time no more than the burst and the rate; who is told late
        does not let more go, but the wire may be late by `slack`."""
        slack = self.margins_ms()[1] / 1e3
        for first in range(0, len(times), 20):
            for last in range(first, len(times), 20):
                most = BURST_PKTS + 1 + PKTS_PER_S * (
                    times[last] - times[first] + slack)
                self.assertLessEqual(last - first + 1, most)

    def test_what_is_above_the_rate_waits_and_others_do_not(self):
        self.start(rate=f"{{packets: {PKTS_PER_S}/s, burst: 50ms}}", **OPEN)
        talk = self.talk(seconds=1.5)
        times = self.flood(1, 2000)
        self.check_rate(times)
        self.assertGreater(times[-1] - times[0], 1.5)
        told = talk.finish()
        self.check_whole(told)
        waited = self.symtapd.wait_for("waited_rate_pkts", 500)
        print(f"{len(times)} in {times[-1] - times[0]:.2f} s, {waited} waited")

    def test_bytes_count_as_well(self):
        self.start(rate=f"{{bytes: {PKTS_PER_S * SIZE}B/s, burst: 50ms}}",
                   **OPEN)
        times = self.flood(1, 2000)
        self.check_rate(times)

    def test_explain_says_for_what_it_waits(self):
        self.start(rate="{packets: 100/s}", **OPEN)
        source = traffic.sender(self.net.host, lab.GUARDED)
        for number in range(100):
            source.sendto(traffic.numbered(number), (lab.OUTSIDE, 9))
        said = self.symtapd.ctl("explain", lab.GUARDED)
        self.assertIn("waits for the rate of its host, 100/s packets", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
