#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A flood waits in the guest that sends it, and who is innocent does not."""

import json
import math
import re
import socket
import sys
import unittest

import bed
import dom0
import traffic

LARGE, SMALL = 1200, 60
PROBE_PORT, STREAM_PORT = 9002, 9003
FLOOD_SECONDS, BESIDE = 3, 3


class Held(bed.Case):
    """What is asked of every flood."""

    @staticmethod
    def probe(seconds=2, pkts_per_s=10):
        """A conversation of the guest's with somebody, answer for answer: who
        sends on while his answers are late is no innocent."""
        return (f"probe {dom0.OUTSIDE} {PROBE_PORT} 200 {pkts_per_s} {seconds} "
                "1")

    def check_rate(self, flood):
        begin = flood.arrived[0].at
        # A vif is paused as soon as symtapd and netback have their turn.
        early_s = 1 if self.way.selective else self.as_slow(2)
        early_ms = [round(1e3 * (each.at - begin))
                    for each in flood.arrived if each.at <= begin + early_s]
        later = len(flood.arrived) - len(early_ms)
        self.assertLessEqual(len(early_ms), self.way.first,
                             f"{early_ms}\n{self.symtapd.log()}")
        seconds = math.ceil(flood.arrived[-1].at - begin)
        self.assertLessEqual(later, self.way.later * seconds)

    def let_go(self, flood):
        """The guard goes and all of it leaves: what the guest says, and how
        many were dropped with the reason counted."""
        held = len(flood.arrived)
        dropped = bed.dropped(self.symtapd)
        self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        told = flood.rest(dropped)
        print(f"{self.way.name}: sent {told['sent']}, {held} of them while "
              f"held, {len(flood.arrived)} in all, {dropped} dropped and "
              f"counted, {flood.own_drops()} by the guest; send() took "
              f"{told['longest_s']} s")
        return told, dropped

    def check_counted(self, flood):
        """What does not arrive was dropped, and is counted."""
        flood.told()  # nothing more comes
        dropped = self.let_go(flood)[1]
        self.assertEqual(len(flood.missing()), dropped + flood.own_drops(),
                         f"{flood.missing()[:20]}\n{self.symtapd.log()}")

    def begin_beside(self, count=1):
        """Conversations, each with a port of its own, unless all of the guest
        waits: not even its shell would answer."""
        opened = [self.guest.begin(self.probe())
                  for _ in range(count if self.way.selective else 0)]
        for each in opened:
            self.addCleanup(each.close)
        return opened

    def check_beside(self, flood, opened):
        """The flood waits, and these do not."""
        beside = [json.loads(self.guest.finish(each)) for each in opened]
        flood.look(0.1)
        self.check_rate(flood)
        longest_s = self.check_waits(flood)["longest_s"]
        for each in beside:
            self.assertEqual(each["answered"], each["sent"])
            self.assertLess(each["p50_ms"], 1e3 * longest_s)
        return beside

    def check_waits(self, flood):
        """All of it arrives, in order, since the guest waited."""
        told, dropped = self.let_go(flood)
        self.assertEqual(dropped, 0)
        numbers = traffic.numbers(flood.arrived)
        self.assertEqual(numbers, sorted({*numbers}))
        self.assertEqual(len(flood.missing()), flood.own_drops(),
                         flood.missing())
        self.assertGreater(told["longest_s"], 0.5)
        return told


@bed.each_way
class Flood(Held):

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.start(self.guest, self.other)

    def test_it_waits_and_others_do_not(self):
        self.outside_runs("probe", "answer", dom0.OUTSIDE, PROBE_PORT)
        idle = json.loads(self.guest.ask(self.probe()))
        flood = self.begin_flood(self.guest, LARGE, FLOOD_SECONDS,
                                 to=dom0.OUTSIDE2)
        self.until_it_waits(self.guest)
        slots = self.guest.ring()
        beside = self.begin_beside()
        said = self.other.ask(f"ping -c 5 -i 0.3 {dom0.OUTSIDE}")
        flood.look(FLOOD_SECONDS)
        told = self.check_beside(flood, beside)
        print(f"{slots} slots held; innocent, idle: {idle}; beside: {told}; "
              f"another's ping: {re.search('round-trip.*', said)[0]}")
        self.assertIn(" 0% packet loss", said)
        self.assertEqual(idle["answered"], idle["sent"])

    def test_small_packets_are_held_as_well(self):
        flood = self.flood(self.guest, SMALL, FLOOD_SECONDS)
        self.check_rate(flood)
        if self.way.small:
            self.check_waits(flood)
        else:
            self.check_counted(flood)


@bed.each_way
class Upload(bed.Case):
    """With the policy as it comes: the gates alone know no TCP."""

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(1)
        self.start(self.guest, shipped=True)

    def test_it_goes_on_as_if_there_were_nobody(self):
        self.outside_runs("stream", "take", dom0.OUTSIDE, STREAM_PORT)
        told = json.loads(self.guest.ask(
            f"stream {dom0.OUTSIDE} {STREAM_PORT} 2"))
        count = self.symtapd.settled()
        print(f"{self.way.name}: upload of "
              f"{told['bytes'] / told['seconds'] / 1e6:.1f} MB/s, "
              f"{told['again']} sent again, {count['waited_pkts']} of "
              f"{count['out_pkts']} waited")
        self.assertEqual(bed.dropped(self.symtapd), 0)
        # When all is slow, a timer is early now and then.
        self.assertLess(told["again"], 5)
        self.assertLess(count["waited_pkts"], count["out_pkts"] / 100)


class Fast(Held):
    """With the program in the kernel at the vif."""

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(1)
        self.start(self.guest, fast="auto", direct=True)
        self.until(f"fast path: attached to {self.guest.vif}")

    def test_answered_packets_stay_in_the_kernel_and_a_flood_waits(self):
        self.outside_runs("probe", "answer", dom0.OUTSIDE, PROBE_PORT)
        told = json.loads(self.guest.ask(self.probe(3, 100)))
        count = self.symtapd.settled()
        print(f"{count['fast_out_pkts']} of {told['sent']} stayed in the "
              f"kernel, {count['fast_direct_pkts']} went past the bridge")
        self.assertEqual(told["answered"], told["sent"])
        self.assertGreater(count["fast_direct_pkts"], told["sent"] / 2)
        flood = self.flood(self.guest, LARGE, FLOOD_SECONDS)
        self.check_rate(flood)
        self.check_waits(flood)


@bed.each_way
class Queues(Held):
    """A vif with more than one queue."""

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(5, queues=2)
        self.start(self.guest)

    def test_it_waits_whichever_queue_it_takes(self):
        self.assertEqual(self.guest.queues(), 2)
        self.outside_runs("probe", "answer", dom0.OUTSIDE, PROBE_PORT)
        flood = self.begin_flood(self.guest, LARGE, FLOOD_SECONDS,
                                 to=dom0.OUTSIDE2)
        self.until_it_waits(self.guest)
        # Some take the flood's queue, some the other.
        beside = self.begin_beside(BESIDE)
        flood.look(FLOOD_SECONDS)
        print(f"beside it: {self.check_beside(flood, beside)}")


@bed.each_way
class Tapped(Held):
    """Somebody reads the vif's packets."""

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(1)
        self.start(self.guest)

    def test_it_is_held_and_all_that_is_lost_is_counted(self):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.addCleanup(tap.close)
        tap.bind((self.guest.vif, traffic.ETH_P_ALL))
        flood = self.flood(self.guest, LARGE, FLOOD_SECONDS)
        self.check_rate(flood)
        self.check_counted(flood)


# It refuses: ring_test.py.
del sys.modules[__name__].Tapped_ring


if __name__ == "__main__":
    unittest.main(verbosity=2)
