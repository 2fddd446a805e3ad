#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's share: of its own ring, by what waits, and of the wire."""

import json
import time
import unittest

import bed
import dom0
import traffic

LARGE_BYTES, SMALL_BYTES = 1200, 60
FLOODS = 4
PROBES_PER_S, PROBE_SECONDS = 25, 4
PORT, ECHO_PORT = 9000, 9100
PER_KEY, PER_VIF = 40, 200
# As much as a socket may have on its way; a packet of LARGE_BYTES is 2304.
# Four of 59 fit into a ring: what waits before it, the guest itself may drop.
ROOM_OF_59, ROOM_BY_ITSELF = 135936, 212992


class Innocent:
    """A conversation of a guest, answered at once."""

    def __init__(self, guest, port, seconds=PROBE_SECONDS):
        self.guest = guest
        self.sender = guest.begin(f"probe {dom0.OUTSIDE} {port} {SMALL_BYTES} "
                                  f"{PROBES_PER_S} {seconds}")

    def told(self):
        return json.loads(self.guest.finish(self.sender))


class Share(bed.Case):

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.outside_runs("probe", "answer", dom0.OUTSIDE, ECHO_PORT)

    def idle(self, guest):
        told = Innocent(guest, ECHO_PORT, 2).told()
        self.assertEqual(told["answered"], told["sent"])
        return told


class Slots(Share):

    def follow(self, at_slots):
        self.start(self.guest, self.other, xen="{vifs: follow, way: queue, "
                   f"held_slots_per_key: {PER_KEY}, "
                   f"held_slots_per_vif: {PER_VIF}, at_slots: {at_slots}}}")

    def room(self, socket_bytes):
        """What a socket of the guest may have on its way."""
        self.guest.ask(
            f"echo {socket_bytes} >/proc/sys/net/core/wmem_default")

    def floods(self, rate):
        """Conversations that nobody answers, each with its ear."""
        floods = [(self.guest.flood(dom0.OUTSIDE, PORT + number, LARGE_BYTES,
                                    rate, PROBE_SECONDS + 2),
                   self.listen(PORT + number)) for number in range(FLOODS)]
        for sender, _ in floods:
            self.addCleanup(sender.close)
        return floods

    def test_wait_loses_nothing_above_the_bound(self):
        self.follow("wait")
        self.room(ROOM_OF_59)
        self.addCleanup(self.room, ROOM_BY_ITSELF)
        floods = self.floods(0)
        time.sleep(2)
        slots = self.guest.ring()
        over = self.symtapd.ask("status")["judgement"]["slots_over_packets"]
        print(f"{slots} slots held, {over} packets beyond their key's share")
        self.assertGreater(slots, PER_VIF)
        self.assertGreater(over, 0)
        self.nothing_is_lost(floods)

    def nothing_is_lost(self, floods):
        """All that was sent arrives, in order, once it may."""
        self.symtapd.ctl("exempt", self.guest.address, "for", "1m")
        for sender, ear in floods:
            sent = self.guest.flooded(sender)["sent"]
            arrived = ear.receive(10, sent)
            self.assertEqual(traffic.numbers(arrived), list(range(sent)))
        judged = self.symtapd.ask("status")["judgement"]
        self.assertEqual((judged["shed_key_packets"],
                          judged["shed_vif_packets"]), (0, 0))


class Rate(Share):

    PKTS_PER_S, BURST_PKTS = 50, 5
    OFFERED_PER_S, SECONDS = 120, 3

    def start_with_rate(self):
        """Of one guest, whatever a gate would say: it is open."""
        self.start(self.guest, self.other,
                   xen="{vifs: follow, way: queue, guests: [{name: "
                   f"{self.guest.name}, rate: {{packets: {self.PKTS_PER_S}/s, "
                   "burst: 100ms}}]}",
                   limiter="{threshold: 15.0}")

    def above(self):
        """What arrives of it, when all of it did, and the other guest."""
        ear = self.listen(PORT)
        sender = self.guest.flood(dom0.OUTSIDE, PORT, SMALL_BYTES,
                                  self.OFFERED_PER_S, self.SECONDS)
        told = Innocent(self.other, ECHO_PORT, self.SECONDS).told()
        sent = self.guest.flooded(sender)["sent"]
        arrived = ear.receive(20, sent)
        ear.socket.close()
        self.assertEqual(traffic.numbers(arrived), list(range(sent)))
        return arrived, told

    def assert_rate(self, arrived):
        """In any time no more than the burst and the rate; dom0 is late at
        times, by less than 100 ms."""
        at = [each.at for each in arrived]
        for first in range(0, len(at), 10):
            for last in range(first, len(at), 10):
                self.assertLessEqual(
                    last - first + 1, self.BURST_PKTS + self.PKTS_PER_S *
                    (at[last] - at[first] + 0.1) + 1)

    def test_a_guest_above_its_rate_is_delayed_and_loses_nothing(self):
        self.start_with_rate()
        idle = self.idle(self.other)
        arrived, told = self.above()
        waited = self.symtapd.counters()["waited_rate_pkts"]
        print(f"{len(arrived)} sent in {self.SECONDS} s, arrived in "
              f"{arrived[-1].at - arrived[0].at:.2f} s, {waited} waited; "
              f"another guest p50 {told['p50_ms']} p99 {told['p99_ms']} ms, "
              f"idle p50 {idle['p50_ms']} p99 {idle['p99_ms']} ms")
        self.assert_rate(arrived)
        self.assertGreater(len(arrived), 1.2 * self.PKTS_PER_S * self.SECONDS)
        self.assertGreater(waited, len(arrived) / 4)
        self.assertEqual(told["answered"], told["sent"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
