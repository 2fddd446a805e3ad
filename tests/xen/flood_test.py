#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A flood waits in the guest that sends it, and who is innocent does not."""

import json
import math
import re
import socket
import unittest

import bed
import dom0
import traffic

LARGE, SMALL = 1200, 60
PROBE_PORT, STREAM_PORT = 9002, 9003
FLOOD_SECONDS = 3
# What a way may hold before it says that a guest waits.
SLOTS = 10


class Held(bed.Case):
    """What is asked of every flood."""

    def check_rate(self, flood):
        begin = flood.arrived[0].at
        later = sum(each.at > begin + 1 for each in flood.arrived)
        self.assertLessEqual(len(flood.arrived) - later, self.way.first)
        seconds = math.ceil(flood.arrived[-1].at - begin)
        self.assertLessEqual(later, self.way.later * seconds)

    def let_go(self, flood):
        """The guard goes and all of it leaves: what the guest says, and how
        many were dropped with the reason counted."""
        held = len(flood.arrived)
        dropped = bed.dropped(self.symtapd)
        self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        flood.look(2)
        told = flood.told()
        flood.look(0.2)
        print(f"{self.way.name}: sent {told['sent']}, {held} of them while "
              f"held, {len(flood.arrived)} in all, {dropped} dropped and "
              f"counted; send() took {told['longest_s']} s")
        return told, dropped

    def check_waits(self, flood):
        """All of it arrives, in order, since the guest waited."""
        told, dropped = self.let_go(flood)
        self.assertEqual(dropped, 0)
        self.assertEqual(traffic.numbers(flood.arrived),
                         list(range(told["sent"])))
        self.assertGreater(told["longest_s"], 0.5)


@bed.each_way
class Flood(Held):

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.start(self.guest, self.other)

    def probe(self, seconds=2):
        """A conversation of the guest's with somebody."""
        return f"probe {dom0.OUTSIDE} {PROBE_PORT} 200 10 {seconds}"

    def test_it_waits_and_others_do_not(self):
        self.outside_runs("probe", "answer", dom0.OUTSIDE, PROBE_PORT)
        idle = json.loads(self.guest.ask(self.probe()))
        flood = self.begin_flood(self.guest, LARGE, FLOOD_SECONDS,
                                 to=dom0.OUTSIDE2)
        beside = self.guest.begin(self.probe())
        self.addCleanup(beside.close)
        said = self.other.ask(f"ping -c 5 -i 0.3 {dom0.OUTSIDE}")
        flood.look(FLOOD_SECONDS)
        slots = self.guest.ring()
        self.check_rate(flood)
        self.check_waits(flood)
        beside = json.loads(self.guest.finish(beside))
        print(f"{slots} slots held; innocent, idle: {idle}; beside: {beside}; "
              f"another's ping: {re.search('round-trip.*', said)[0]}")
        self.assertIn(" 0% packet loss", said)
        self.assertEqual(idle["answered"], idle["sent"])
        if self.way.selective:
            self.assertGreater(slots, SLOTS)
            self.assertEqual(beside["answered"], beside["sent"])

    def test_small_packets_are_held_as_well(self):
        flood = self.flood(self.guest, SMALL, FLOOD_SECONDS)
        self.check_rate(flood)
        if self.way.small:
            self.check_waits(flood)
            return
        told, dropped = self.let_go(flood)
        self.assertEqual(len(flood.arrived) + dropped, told["sent"])


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


@bed.each_way
class Queues(Held):
    """A vif with more than one queue."""

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(5, queues=2)
        self.start(self.guest)

    def test_it_waits_whichever_queue_it_takes(self):
        self.assertEqual(self.guest.queues(), 2)
        flood = self.flood(self.guest, LARGE, FLOOD_SECONDS)
        self.check_rate(flood)
        self.check_waits(flood)


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
        told, dropped = self.let_go(flood)
        self.assertEqual(len(flood.arrived) + dropped, told["sent"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
