#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Floods are held to the figures that the limiter promises."""

import socket
import time

import frames
import gateway_bed as bed
import lab
import traffic

UDP_SEGMENT = 103


class Flood(bed.Case):

    def flood(self, seconds, host=lab.GUARDED, to=lab.OUTSIDE, **options):
        ear = traffic.Receiver(self.net.outside, to, 9)
        source = traffic.sender(self.net.host, host)
        sent, arrived = traffic.flood(source, (to, 9), ear, seconds, **options)
        self.hang_up()
        numbers = traffic.numbers(arrived)
        self.assertEqual(numbers, sorted(set(numbers)))
        return sent, arrived

    def test_udp_flood_is_held_to_the_check_figures(self):
        self.start()
        sent, arrived = self.flood(4)
        self.check_figures(arrived, 4)
        print(f"{sent} sent, {len(arrived)} let out")

    def test_udp_flood_over_ipv6(self):
        self.start()
        _, arrived = self.flood(3, lab.GUARDED6, lab.OUTSIDE6)
        self.check_figures(arrived, 3)

    def test_figures_are_the_same_for_every_choice_of_scopes(self):
        for scopes in ("[flow]", "[pair]", "[pair, flow]", "[host]",
                       "[host, pair, flow]"):
            with self.subTest(scopes=scopes):
                self.start(limiter=f"{{enforce: {scopes}}}")
                _, arrived = self.flood(1.2)
                self.check_figures(arrived, 1.2)

    def test_threshold_of_three_lets_eight_out(self):
        self.start(limiter="{threshold: 3.0}")
        _, arrived = self.flood(0.9)
        after_ms = [(each.at - arrived[0].at) * 1e3 for each in arrived]
        underway_ms = traffic.underway_s(arrived[0]) * 1e3
        self.assertGreater(after_ms[8] + underway_ms, bed.RELEASES_MS[0],
                           after_ms)
        self.assertEqual(len(arrived), 8 + 8, after_ms)

    def test_syn_flood_is_held_by_its_pair(self):
        self.start()
        self.net.outside.nft("add table ip quiet\n"
                             "add chain ip quiet answers { type filter hook "
                             "output priority 0; policy drop; }\n")
        try:
            tap = traffic.Tap(self.net.outside, "eth0",
                              lambda frame: frame[23] == socket.IPPROTO_TCP)
            host = frames.Wire(self.net.host, "eth0")
            gateway_mac = self.net.gateway.mac("lan0")
            for port in range(2000):
                host.send(gateway_mac, frames.tcp(lab.GUARDED, lab.OUTSIDE,
                                                  1000 + port, 80 + port % 3))
            arrived = tap.receive(2)
        finally:
            self.net.outside.nft("delete table ip quiet")
        self.check_figures(arrived, 1.5)

    def test_super_packets_are_held_packet_by_packet(self):
        self.start(limits=bed.ROOM)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        source.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
        for first in range(0, 1000, 40):
            source.sendto(b"".join(traffic.numbered(number, 1000) for number
                                   in range(first, first + 40)),
                          (lab.OUTSIDE, 9))
        arrived = ear.receive(3)
        self.assertEqual({len(each.data) for each in arrived}, {1000})
        self.assertEqual(traffic.numbers(arrived), list(range(len(arrived))))
        self.check_figures(arrived, 3)

    def test_answers_free_what_waits_at_once(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        for number in range(50):
            source.sendto(traffic.numbered(number), (lab.OUTSIDE, 9))
        arrived = ear.receive(0.1)
        self.assertLess(len(arrived), 10)
        begin = time.time()
        for _ in range(13):
            ear.answer(arrived[0])
        arrived += ear.receive(1, 50 - len(arrived))
        self.assertEqual(traffic.numbers(arrived), list(range(50)))
        self.assertLess(arrived[-1].at - begin, 0.1)

    def test_silence_of_a_window_forgives(self):
        self.start()
        _, arrived = self.flood(0.05, at_once=5, pkts_per_s=0)
        self.assertEqual(len(arrived), 5)
        time.sleep(1.1)
        _, arrived = self.flood(0.05, at_once=5, pkts_per_s=0)
        self.check_figures(arrived, 0.01)


class FasterThanWeRead(bed.Case):
    """As many packets a second as the wire carries."""

    def check(self, fail):
        self.start(fail=fail)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        talk = self.talk(seconds=4)
        blast = traffic.Blast(self.net.host, "eth0", self.flood_frame(),
                              bed.BUILD, seconds=3.5)
        arrived = ear.receive(3.4)
        sent = blast.finish()
        self.check_figures(arrived, 3.3)
        talked = talk.finish()
        self.check_whole(talked)
        print(f"{sent['sent'] / sent['seconds']:.0f} packets/s offered, "
              f"{len(arrived)} let out; the neighbour's round trip "
              f"{talked['p50_us']} us, {talked['p99_us']} us at the 99th "
              "percentile")

    def test_flood_that_may_pass_unread(self):
        self.check("open")

    def test_flood_that_may_not(self):
        self.check("closed")


if __name__ == "__main__":
    bed.main()
