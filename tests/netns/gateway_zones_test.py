#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Equal addresses behind two interfaces are two hosts that never meet."""

import socket

import gateway_bed as bed
import lab
import traffic

SHARED = "10.20.30.1"
SHARED6 = "2001:db8:20::30"
PORT = 4000
SECOND = 0x10  # the type of service of what belongs behind lan1


class Zones(bed.Case):

    @classmethod
    def build(cls):
        super().build()
        gateway = cls.net.gateway
        for name in ("all", "lan0", "lan1"):
            gateway.write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", 0)
        for host in (cls.net.host, cls.net.neighbour):
            host.address("eth0", f"{SHARED}/32", f"{SHARED6}/128")
        for family, address in (("-4", SHARED), ("-6", SHARED6)):
            gateway.route(address, "dev", "lan0")
            gateway.run("ip", family, "route", "add", address, "dev", "lan1",
                        "table", "101")
            gateway.run("ip", family, "rule", "add", "tos", hex(SECOND),
                        "to", address, "lookup", "101")

    def check_one_floods_and_its_double_talks(self, shared, outside):
        """The same five-tuple on both sides: no answer to one of them, and an
        answer to each packet of the other."""
        self.start(limits=bed.ROOM)
        self.symtapd.a_second_later()  # its readers know what may be leased
        level, option = ((socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
                         if ":" in shared else
                         (socket.IPPROTO_IP, socket.IP_TOS))
        ear = traffic.Receiver(self.net.outside, outside, 9)
        ear.socket.setsockopt(level, option, SECOND)
        flooder = traffic.sender(self.net.host, shared, PORT)
        talker = traffic.sender(self.net.neighbour, shared, PORT)
        back = traffic.Ear(talker)
        for number in range(200):
            flooder.sendto(traffic.numbered(number), (outside, 9))
        flooded = []
        for number in range(1000, 1100):
            talker.sendto(traffic.numbered(number), (outside, 9))
            arrived = []
            while not arrived:
                taken = ear.receive(3, 1)
                self.assertTrue(taken, f"{number} is lost")
                flooded += [each for each in taken
                            if traffic.numbers([each])[0] < 1000]
                arrived = [each for each in taken
                           if traffic.numbers([each])[0] >= 1000]
            self.assertEqual(traffic.numbers(arrived), [number])
            ear.answer(arrived[0], arrived[0].data)
            self.assertEqual(traffic.numbers(back.receive(3, 1)), [number])
        self.check_rows(shared)
        flooded += ear.receive(1.3)
        self.assertEqual(traffic.numbers(flooded), list(range(len(flooded))))
        self.check_figures(flooded, 1.2)

    def check_rows(self, shared):
        for scope in ("flow", "pair", "host"):
            rows = {row["zone"]: row for row in
                    self.symtapd.ask(f"top by=held scope={scope}")["rows"]
                    if row["inside"].split("/")[0] in (shared, "2001:db8:20::")}
            with self.subTest(scope=scope):
                self.assertEqual(set(rows), {"lan0", "lan1"})
                self.assertGreater(rows["lan0"]["S_offered"], 2)
                self.assertLess(rows["lan1"]["S_offered"], 1)
                self.assertEqual(rows["lan1"]["held_packets"], 0)

    def test_equal_addresses_do_not_meet(self):
        self.check_one_floods_and_its_double_talks(SHARED, lab.OUTSIDE)

    def test_equal_ipv6_addresses_do_not_meet(self):
        self.check_one_floods_and_its_double_talks(SHARED6, lab.OUTSIDE6)

    def test_each_has_a_burst_of_its_own(self):
        self.start(limits=bed.ROOM)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        for first, host in ((0, self.net.host), (1000, self.net.neighbour)):
            source = traffic.sender(host, SHARED, PORT)
            for number in range(first, first + 100):
                source.sendto(traffic.numbered(number), (lab.OUTSIDE, 9))
        arrived = ear.receive(1.3)
        for first in (0, 1000):
            mine = [each for each in arrived if
                    first <= traffic.numbers([each])[0] < first + 100]
            self.assertEqual(traffic.numbers(mine),
                             list(range(first, first + len(mine))))
            self.check_figures(mine, 1)


if __name__ == "__main__":
    bed.main()
