#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `ring`: packets wait as they leave a vif, and their sender with
them; a veth's socket stands for a guest."""

import select
import signal
import socket
import time

import gateway_bed as bed
import lab
import traffic
import vif_bed
from gateway_hold_test import Flood
from vif_bed import GUEST, OUTER

ANOTHER = "10.20.128.2"
GUEST6, OUTER6 = "fd00:20::2", "fd00:20::8000:0:0:1"
INSIDE = '["10.20.0.0/17", "fd00:20::/65"]'
DEVICE = "symtap-ring"


class VifRing(vif_bed.Case):

    @classmethod
    def build(cls):
        super().build()
        cls.net.outside.address("eth0", f"{ANOTHER}/16", f"{OUTER6}/64")
        cls.net.host.address("eth0", f"{GUEST6}/64")

    def start(self, way="ring"):
        super().start(inside=INSIDE, xen=f"{{vifs: follow, way: {way}}}")
        self.store.vif(7, lab.GUARDED_MAC, GUEST, GUEST6)

    def guarded(self, domain=7):
        self.until("its packets wait by way of ring")
        super().guarded(domain)

    def flood(self, guest=GUEST, outer=OUTER, port=9):
        source = self.net.host.socket(traffic.family_of(guest),
                                      socket.SOCK_DGRAM)
        source.bind((guest, 0))
        ear = traffic.Receiver(self.net.outside, outer, port)
        self.addCleanup(ear.socket.close)
        flood = Flood(lambda number: source.sendto(
            traffic.numbered(number).ljust(1200, b"."), (outer, port)))
        self.addCleanup(flood.stop)
        return flood, ear

    def end(self, flood, ear, arrived):
        """All that was sent arrives once nobody holds it."""
        flood.finish()
        arrived += ear.receive(1, flood.sent - len(arrived))
        # What goes by no device any more may overtake what still does.
        self.assertEqual(sorted(traffic.numbers(arrived)),
                         list(range(flood.sent)))

    def test_a_flood_waits_and_an_innocent_flow_does_not(self):
        self.start()
        self.guarded()
        flood, ear = self.flood()
        arrived = ear.receive(0.5)
        talk = self.talk((GUEST, ANOTHER), seconds=3)
        arrived += ear.receive(4)
        self.check_whole(talk.finish())
        seconds = [0] * 8
        for each in arrived:
            seconds[min(int(each.at - arrived[0].at), 7)] += 1
        longest = flood.longest()
        flood.stop()
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)
        print(f"{flood.sent} sent, by seconds {seconds}, {longest:.3f} s the "
              f"longest one blocked")
        self.assertGreater(longest, 0.4)
        self.assertLessEqual(seconds[0], bed.FIRST_SECOND)
        self.assertLessEqual(max(seconds[1:]), 12)
        self.assertNotIn(DEVICE, self.net.gateway.run("ip", "link"))

    def is_reached(self, guest, outer):
        """Its neighbour has answered, so nothing is lost on the way there."""
        with traffic.Receiver(self.net.outside, outer, 8).socket as heard, \
                self.net.host.socket(traffic.family_of(guest),
                                     socket.SOCK_DGRAM) as source:
            source.bind((guest, 0))
            source.sendto(b"are you there", (outer, 8))
            return bool(select.select([heard], [], [], 0.2)[0])

    def test_so_does_one_over_ipv6(self):
        self.assertTrue(lab.eventually(
            lambda: self.is_reached(GUEST6, OUTER6), 10))
        self.start()
        self.guarded()
        flood, ear = self.flood(GUEST6, OUTER6)
        arrived = ear.receive(2.5)
        flood.stop()
        self.assertLessEqual(len(arrived), bed.FIRST_SECOND + 20)
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)

    def test_flows_of_a_pair_wait_as_one(self):
        self.start()
        self.guarded()
        floods = [self.flood(port=port) for port in range(9, 15)]
        time.sleep(2.5)
        arrived = [ear.receive(0.01) for _, ear in floods]
        for flood, _ in floods:
            flood.stop()
        self.assertLessEqual(sum(map(len, arrived)), bed.FIRST_SECOND + 20)
        self.assertEqual(self.symtapd.stop(), 0)
        for (flood, ear), of_it in zip(floods, arrived):
            self.end(flood, ear, of_it)

    def test_an_answer_lets_all_go(self):
        self.start()
        self.guarded()
        flood, ear = self.flood()
        arrived = ear.receive(1.5)
        flood.stop()
        begin, last = time.monotonic(), arrived
        while flood.is_alive() or len(arrived) < flood.sent:
            self.assertLess(time.monotonic(), begin + 5)
            for each in last:
                for _ in range(8):
                    ear.answer(each)
            last = ear.receive(0.02)
            arrived += last
        print(f"all {flood.sent} left {time.monotonic() - begin:.3f} s after "
              "answers")
        self.assertEqual(traffic.numbers(arrived), list(range(flood.sent)))

    def test_who_listens_is_in_its_way(self):
        with self.net.gateway.socket(
                socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap:
            tap.bind(("vif7.0", 3))
            self.start()
            self.until("its packets cannot wait: ring: somebody listens")
        self.guarded()
        with self.net.gateway.socket(
                socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap:
            tap.bind(("vif7.0", 3))
            self.until("its packets cannot wait: ring: somebody listens",
                       times=2)
        self.until("its packets wait by way of ring", times=2)

    def test_killed_it_holds_nobody(self):
        self.start()
        self.guarded()
        flood, ear = self.flood()
        ear.receive(1.5)
        self.symtapd.stop(signal.SIGKILL)
        begin, sent = time.monotonic(), flood.sent
        self.assertTrue(lab.eventually(lambda: flood.sent > sent + 1000, 5))
        print(f"free {time.monotonic() - begin:.3f} s after kill -9")
        flood.stop()
        flood.finish()
        self.assertNotIn(DEVICE, self.net.gateway.run("ip", "link"))
        self.assertNotIn("u32", self.net.gateway.run(
            "tc", "filter", "show", "dev", "vif7.0", "ingress"))


if __name__ == "__main__":
    bed.main()
