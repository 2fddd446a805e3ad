#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""NAT beside us, with a port of its own for each connection: one flow of a
guarded host stays one flow outside, whatever of it has to wait."""

import socket

import gateway_bed as bed
import lab
import traffic

UDP_SEGMENT = 103
FIRST = 1000


class Translation(bed.Case):

    @classmethod
    def build(cls):
        super().build()
        cls.build_crowd()
        cls.net.gateway.nft(
            "add table ip nat\n"
            "add chain ip nat post { type nat hook postrouting priority 100; }\n"
            "add rule ip nat post oifname wan0 masquerade fully-random\n")

    def check_one_translation(self, host, payloads, held_before):
        """`payloads` are FIRST and the seven after it.  Which has come through
        after the first seconds, and by which ports?"""
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        closer = traffic.sender(self.net.host, host)
        for number in range(held_before):
            closer.sendto(traffic.numbered(number), (lab.OUTSIDE, 9))
        before = ear.receive(1, min(held_before, bed.BURST))
        source = traffic.sender(self.net.host, host)
        if len(payloads) < 8:
            source.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 100)
        for payload in payloads:
            source.sendto(payload, (lab.OUTSIDE, 9))
        arrived = [each for each in before + ear.receive(
            10, held_before + 8 - len(before))
                   if traffic.numbers([each])[0] >= FIRST]
        self.hang_up()
        self.assertEqual(len({each.peer for each in arrived}), 1, arrived)
        self.assertEqual(traffic.numbers(arrived),
                         list(range(FIRST, FIRST + 8)))

    def test_one_flow_has_one_translation(self):
        self.start(limits=bed.ROOM)
        pieces = [traffic.numbered(FIRST + each) for each in range(8)]
        self.check_one_translation("10.20.1.1", pieces, 0)
        self.check_one_translation("10.20.1.2", pieces, 6)
        self.symtapd.wait_for("room_waited_pkts", 1)

    def test_one_flow_of_super_packets_has_one_translation(self):
        self.start(limits=bed.ROOM)
        pieces = [traffic.numbered(FIRST + each) for each in range(8)]
        self.check_one_translation(
            "10.20.1.3", [b"".join(pieces[:4]), b"".join(pieces[4:])], 6)

    def test_conversation_and_stop_lose_nothing(self):
        self.start(limits=bed.ROOM)
        client = traffic.sender(self.net.host, "10.20.1.4", 4000)
        back = traffic.Ear(client)
        server = traffic.Receiver(self.net.outside, lab.OUTSIDE, 7)
        for number in range(200):
            client.sendto(traffic.numbered(number), (lab.OUTSIDE, 7))
            arrived = server.receive(2, 1)
            self.assertEqual(traffic.numbers(arrived), [number])
            server.answer(arrived[0], arrived[0].data)
            self.assertEqual(traffic.numbers(back.receive(2, 1)), [number])
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        for number in range(100):
            client.sendto(traffic.numbered(number), (lab.OUTSIDE, 9))
        self.symtapd.wait_for("waited_pkts", 1)
        self.assertEqual(self.symtapd.stop(), 0)
        arrived = ear.receive(5, 100)
        self.assertEqual(traffic.numbers(arrived), list(range(100)))
        self.assertEqual(len({each.peer for each in arrived}), 1)


if __name__ == "__main__":
    bed.main()
