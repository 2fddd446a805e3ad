#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `rate`, as XenStore sees it: whose value stands in the key, when."""

import os
import signal
import socket
import time

import gateway_bed as bed
import lab
import traffic
import vif_bed
import xenstore
from vif_bed import GUEST, OUTER

KEY = f"{xenstore.BACKEND}/7/0/rate"
NOTE = f"{xenstore.BACKEND}/7/0/symtap-rate"
PAUSED = "0,50000"
UDP_SEGMENT = 103
SEGMENTS, AT_ONCE = 12, 4
OPERATORS = "12500,50000"
# 64 frames of the flood's, in the first 50 ms.
BURST = f"{64 * (100 + 28 + 14)},50000"


class VifRate(vif_bed.Case):

    def start(self, way="rate", **policy):
        super().start(xen=f"{{vifs: follow, way: {way}}}", **policy)
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.until("its packets wait by way of rate")
        self.guarded()
        self.ear = traffic.Receiver(self.net.outside, OUTER, 9)
        self.addCleanup(self.ear.socket.close)
        self.source = traffic.sender(self.net.host, GUEST)

    def key(self):
        return self.store.read(KEY)

    def stands(self, value, seconds=3):
        begin = time.monotonic()
        self.assertTrue(lab.eventually(lambda: self.key() == value, seconds,
                                       0.001), (self.key(), value))
        return time.monotonic() - begin

    def flood(self, count=30):
        for number in range(count):
            self.source.sendto(traffic.numbered(number), (OUTER, 9))

    def flood_until(self, path, value):
        """What answered before counts for a second."""
        def is_there():
            self.flood(5)
            return self.store.read(path) == value
        self.assertTrue(lab.eventually(is_there, 5, 0.01), self.key())
        # For longer than what comes next.
        self.flood()

    def answer(self):
        for _ in range(40):
            self.ear.socket.sendto(b"go on", self.source.getsockname())

    def test_a_flood_pauses_and_replies_give_the_key_back(self):
        self.start()
        self.assertIsNone(self.key())
        self.flood()
        print(f"paused within {self.stands(PAUSED) * 1000:.1f} ms")
        # None of it is held here.
        self.assertEqual(len(self.ear.receive(1, 30)), 30)
        self.answer()
        print(f"free within {self.stands(None) * 1000:.1f} ms")
        self.assertIsNone(self.store.read(NOTE))

    def test_a_burst_goes_after_a_pause(self):
        """Of the size of what was owed; it stands there for 50 ms, in which
        nobody may have looked."""
        self.start()

        def bursts():
            self.flood()
            self.stands(PAUSED)
            begin = time.monotonic()
            value = PAUSED
            while value == PAUSED:
                value = self.key()
            print(f"paused for {time.monotonic() - begin:.3f} s")
            self.stands(None)
            return value == BURST

        self.assertTrue(lab.eventually(bursts, 30, 1.1))

    def test_a_super_packet_owes_what_it_carries(self):
        self.start()
        self.source.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 100)
        self.source.sendto(b"".join(map(traffic.numbered, range(SEGMENTS))),
                           (OUTER, 9))
        self.stands(PAUSED)
        self.assertEqual(traffic.numbers(self.ear.receive(1, SEGMENTS)),
                         list(range(SEGMENTS)))
        # One or two that owe may leave while it is asked.
        owed = self.symtapd.settled()["paced_owed_pkts"]
        self.assertLessEqual(owed, SEGMENTS - AT_ONCE)
        self.assertGreater(owed, SEGMENTS - AT_ONCE - 3)
        self.answer()
        self.stands(None)

    def test_the_operators_value_is_never_lost(self):
        self.start()
        for value in (OPERATORS, "0,1000", "not a rate", ""):
            self.store.write(KEY, value)
            paused = value if value == "0,1000" else PAUSED
            self.flood_until(NOTE, f"{paused}\n{value}")
            self.stands(paused)
            self.answer()
            self.assertTrue(lab.eventually(
                lambda: self.store.read(NOTE) is None, 3))
            self.assertEqual(self.key(), value)

    def test_what_the_operator_writes_meanwhile_stands_afterwards(self):
        self.start()
        self.store.write(KEY, OPERATORS)
        self.flood()
        self.stands(PAUSED)
        for value in ("1000,50000", "9999999,50000"):
            self.store.write(KEY, value)
            self.stands(PAUSED)
        self.answer()
        self.stands("9999999,50000")
        self.flood_until(KEY, PAUSED)
        self.store.remove(KEY)
        self.stands(PAUSED)
        self.answer()
        self.stands(None)

    def test_the_key_is_given_back_when_symtapd_is_killed(self):
        self.start()
        self.store.write(KEY, OPERATORS)
        self.flood()
        self.stands(PAUSED)
        self.symtapd.process.kill()
        self.symtapd.process.wait()
        took = self.stands(OPERATORS)
        print(f"given back {took * 1000:.1f} ms after kill -9")
        self.assertLess(took, 1)

    def test_the_next_one_gives_it_back_when_all_were_killed(self):
        self.start()
        self.store.write(KEY, OPERATORS)
        self.flood()
        self.stands(PAUSED)
        with open(f"/proc/{self.symtapd.process.pid}/task/"
                  f"{self.symtapd.process.pid}/children",
                  encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        for process in children:
            os.kill(process, signal.SIGKILL)
        self.symtapd.process.kill()
        self.symtapd.process.wait()
        self.assertEqual(self.key(), PAUSED)
        self.symtapd.restart()
        self.stands(OPERATORS)
        self.assertIsNone(self.store.read(NOTE))

    def test_the_key_is_given_back_at_the_end(self):
        self.start()
        self.store.write(KEY, OPERATORS)
        self.flood()
        self.stands(PAUSED)
        self.assertEqual(self.symtapd.stop(), 0)
        self.stands(OPERATORS)


if __name__ == "__main__":
    bed.main()
