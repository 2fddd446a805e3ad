#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's share: of its own ring, by what waits, and of the wire."""

import contextlib
import json
import threading
import unittest

import bed
import dom0
import lab
import traffic

LARGE_BYTES, SMALL_BYTES = 1200, 60
FLOODS = 4
PROBES_PER_S, PROBE_SECONDS = 25, 4
PORT = 9000
# Who answers is nobody that is flooded: pairs are judged, too.
ECHO, ECHO_PORT = "10.0.1.231", 9100
PER_KEY, PER_VIF, MANY = 40, 200, 80
# As much as a socket may have on its way; a packet of LARGE_BYTES is 2304.
# Four of 59 fit into a ring: what waits before it, the guest itself may drop.
ROOM_OF_36, ROOM_OF_59, ROOM_BY_ITSELF = 82944, 135936, 212992


class Innocent:
    """A conversation of a guest, answer for answer."""

    def __init__(self, guest, port, seconds=PROBE_SECONDS):
        self.guest = guest
        self.sender = guest.begin(f"probe {ECHO} {port} {SMALL_BYTES} "
                                  f"{PROBES_PER_S} {seconds} 1")

    def told(self):
        return json.loads(self.guest.finish(self.sender))


class Watch(threading.Thread):
    """Places of a guest's ring that are taken, from time to time."""

    def __init__(self, guest):
        super().__init__(daemon=True)
        self.guest, self.seen, self.ends = guest, [], threading.Event()

    def run(self):
        while not self.ends.wait(0.2):
            with contextlib.suppress(OSError, IndexError):
                self.seen.append(self.guest.ring())

    def told(self):
        """Half of the time at most so many, and the most."""
        self.ends.set()
        self.join()
        self.seen.sort()
        return self.seen[len(self.seen) // 2], self.seen[-1]


class Share(bed.Case):

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.host.outside.run("ip", "addr", "replace", f"{ECHO}/32", "dev",
                              "eth0")
        self.outside_runs("probe", "answer", ECHO, ECHO_PORT)

    @staticmethod
    def room(guest, socket_bytes):
        """What a socket of a guest may have on its way."""
        guest.ask(f"echo {socket_bytes} >/proc/sys/net/core/wmem_default")

    def idle(self, guest):
        told = Innocent(guest, ECHO_PORT, 2).told()
        self.assertEqual(told["answered"], told["sent"])
        return told


class Slots(Share):

    def follow(self, at_slots):
        self.start(self.guest, self.other, xen="{vifs: follow, way: queue, "
                   f"held_slots_per_key: {PER_KEY}, "
                   f"held_slots_per_vif: {PER_VIF}, at_slots: {at_slots}}}")

    def until_ring_has(self, slots):
        """More than so many, taken and held."""
        self.assertTrue(lab.eventually(lambda: self.guest.ring() > slots, 60),
                        self.guest.ring())

    def floods(self, rate):
        """Conversations that nobody answers, each with its ear."""
        floods = [(self.guest.flood(dom0.OUTSIDE, PORT + number, LARGE_BYTES,
                                    rate, PROBE_SECONDS + 2),
                   self.listen(PORT + number)) for number in range(FLOODS)]
        for sender, _ in floods:
            self.addCleanup(sender.close)
        return floods

    def beside(self, rate):
        """Floods, and what an innocent flow notices of them."""
        idle = self.idle(self.guest)
        floods = self.floods(rate)
        self.until_ring_has(MANY)
        watch = Watch(self.guest)
        watch.start()
        told = Innocent(self.guest, ECHO_PORT).told()
        slots = watch.told()
        print(f"idle p50 {idle['p50_ms']} p99 {idle['p99_ms']} ms; beside "
              f"{FLOODS} floods p50 {told['p50_ms']} p99 {told['p99_ms']} "
              f"ms, {told['sent'] - told['answered']} lost; {slots[0]} slots "
              f"held, {slots[1]} at most")
        self.assertEqual(told["answered"], told["sent"])
        return slots[0], floods

    def test_wait_loses_nothing_and_others_go_on_below_the_bound(self):
        self.follow("wait")
        self.room(self.guest, ROOM_OF_36)
        self.addCleanup(self.room, self.guest, ROOM_BY_ITSELF)
        slots, floods = self.beside(0)
        self.assertGreater(slots, MANY)
        self.assertLess(slots, PER_VIF)
        self.nothing_is_lost(floods)

    def test_shed_keeps_the_ring_free_whatever_is_held(self):
        self.follow("shed")
        self.room(self.guest, ROOM_OF_59)
        self.addCleanup(self.room, self.guest, ROOM_BY_ITSELF)
        slots, floods = self.beside(25)
        judged = self.symtapd.ask("status")["judgement"]
        held = self.symtapd.ask("status")["held_slots"]
        print(f"{judged['shed_key_packets']} shed of their keys, {held} held")
        self.assertLessEqual(held, PER_KEY * FLOODS)
        self.assertLess(slots, PER_VIF)
        self.assertGreater(judged["shed_key_packets"], 0)
        self.assertEqual(judged["slots_over_packets"], 0)
        for sender, _ in floods:
            self.guest.flooded(sender)

    def test_wait_loses_nothing_above_the_bound(self):
        self.follow("wait")
        self.room(self.guest, ROOM_OF_59)
        self.addCleanup(self.room, self.guest, ROOM_BY_ITSELF)
        floods = self.floods(0)
        self.until_ring_has(PER_VIF)
        slots = self.guest.ring()
        self.symtapd.a_second_later()
        over = self.symtapd.ask("status")["judgement"]["slots_over_packets"]
        print(f"{slots} slots held, {over} packets beyond their key's share")
        self.assertGreater(over, 0)
        self.nothing_is_lost(floods)

    def nothing_is_lost(self, floods):
        """All that was sent arrives, in order, once it may."""
        self.symtapd.ctl("exempt", self.guest.address, "for", "1m")
        for sender, ear in floods:
            sent = self.guest.flooded(sender)["sent"]
            arrived = ear.receive(bed.REST_SECONDS, sent)
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
                   xen=f"{{vifs: follow, way: {self.way.name}, "
                   f"guests: [{{name: {self.guest.name}, "
                   f"rate: {{packets: {self.PKTS_PER_S}/s, "
                   "burst: 100ms}}]}",
                   limiter="{threshold: 15.0}")

    def waited(self):
        return self.symtapd.counters()["waited_rate_pkts"]

    def above(self):
        """What arrives of it, when all of it did, and the other guest."""
        ear = self.listen(PORT)
        sender = self.guest.flood(dom0.OUTSIDE, PORT, SMALL_BYTES,
                                  self.OFFERED_PER_S, self.SECONDS)
        told = Innocent(self.other, ECHO_PORT, self.SECONDS).told()
        sent = self.guest.flooded(sender)["sent"]
        arrived = ear.receive(bed.REST_SECONDS, sent)
        ear.socket.close()
        self.assertEqual(traffic.numbers(arrived), list(range(sent)))
        return arrived, told

    def assert_rate(self, arrived, late_s):
        """In any time no more than the burst and the rate; dom0 is late at
        times."""
        at = [each.at for each in arrived]
        for first in range(0, len(at), 10):
            for last in range(first, len(at), 10):
                self.assertLessEqual(
                    last - first + 1, self.BURST_PKTS + self.PKTS_PER_S *
                    (at[last] - at[first] + late_s) + 1)

    def test_a_guest_above_its_rate_is_delayed_and_loses_nothing(self):
        self.start_with_rate()
        idle = self.idle(self.other)
        arrived, told = self.above()
        waited = self.waited()
        print(f"{len(arrived)} sent in {self.SECONDS} s, arrived in "
              f"{arrived[-1].at - arrived[0].at:.2f} s, {waited} waited; "
              f"another guest p50 {told['p50_ms']} p99 {told['p99_ms']} ms, "
              f"idle p50 {idle['p50_ms']} p99 {idle['p99_ms']} ms")
        # As late as it was with another's, there and back.
        self.assert_rate(arrived, max(0.1, told["max_ms"] / 1e3))
        self.assertGreater(len(arrived), 1.2 * self.PKTS_PER_S * self.SECONDS)
        self.assertGreater(waited, len(arrived) / 4)
        self.assertEqual(told["answered"], told["sent"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
