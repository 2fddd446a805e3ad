#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Forged sources do not leave, and nothing is remembered of them."""

import socket

import frames
import gateway_bed as bed
import lab
import traffic

STRANGER_MAC = "52:54:00:99:99:99"
ANTISPOOF = f"""
  interfaces:
    lan0: {{sources: [10.20.0.0/24, "2001:db8:20::/64"]}}
    lan1: {{sources: [10.20.0.0/24, "2001:db8:20::/64"]}}
  bindings:
    - {{mac: "{lab.GUARDED_MAC}", addresses: [{lab.GUARDED}, "{lab.GUARDED6}"]}}
    - {{mac: "{lab.NEIGHBOUR_MAC}", addresses: [{lab.NEIGHBOUR}, "{lab.NEIGHBOUR6}"]}}
"""
PORT = 4444


def is_ours(frame):
    """To or from the port of these tests, whatever is in front of it."""
    at = 34 if frame[12:14] == b"\x08\x00" else 54
    return PORT.to_bytes(2, "big") in (frame[at:at + 2], frame[at + 2:at + 4])


class Forged(bed.Case):

    @classmethod
    def build(cls):
        super().build()
        for name in ("all", "default", "lan0", "lan1", "wan0"):
            cls.net.gateway.write(
                f"/proc/sys/net/ipv4/conf/{name}/rp_filter", 0)
        cls.lan_mac = cls.net.gateway.mac("lan0")
        cls.wan_mac = cls.net.gateway.mac("wan0")

    def setUp(self):
        super().setUp()
        self.host = frames.Wire(self.net.host, "eth0")
        self.outside = frames.Wire(self.net.outside, "eth0")
        self.tap = traffic.Tap(self.net.outside, "eth0", is_ours)

    def sees(self, tap):
        """Did it get through?  A packet that does comes before it."""
        mark = frames.udp(lab.NEIGHBOUR, lab.OUTSIDE, 1, PORT)
        wire = frames.Wire(self.net.neighbour, "eth0")
        wire.send(self.net.gateway.mac("lan1"), mark)
        arrived = tap.receive(2, 1)
        while arrived and arrived[-1].data[26:30] != frames.packed(
                lab.NEIGHBOUR):
            arrived += tap.receive(2, 1)
        return len(arrived) - 1

    def check(self, packet, passes, mac=lab.GUARDED_MAC):
        self.host.send(self.lan_mac, packet, from_mac=mac)
        self.assertEqual(self.sees(self.tap), passes)

    def test_only_their_own_sources_leave(self):
        self.start(antispoof=ANTISPOOF,
                   limiter="{threshold: 10.0}")
        before = self.symtapd.carried()["out_pkts"]
        rows = (
            ("own", lab.GUARDED, lab.OUTSIDE, lab.GUARDED_MAC, 1),
            ("own v6", lab.GUARDED6, lab.OUTSIDE6, lab.GUARDED_MAC, 1),
            ("neighbour's", lab.NEIGHBOUR, lab.OUTSIDE, lab.GUARDED_MAC, 0),
            ("nobody's", "10.20.0.99", lab.OUTSIDE, lab.GUARDED_MAC, 0),
            ("outside", "198.51.100.9", lab.OUTSIDE, lab.GUARDED_MAC, 0),
            ("another net", "10.20.77.9", lab.OUTSIDE, STRANGER_MAC, 0),
            ("by a stranger", lab.GUARDED, lab.OUTSIDE, STRANGER_MAC, 0),
            ("neighbour's v6", lab.NEIGHBOUR6, lab.OUTSIDE6,
             lab.GUARDED_MAC, 0),
            ("outside v6", "2001:db8:99::9", lab.OUTSIDE6,
             lab.GUARDED_MAC, 0),
        )
        for name, source, to, mac, passes in rows:
            with self.subTest(name):
                self.check(frames.udp(source, to, 1, PORT), passes, mac)
        counters = self.symtapd.carried()
        # Nine times a mark, and what was no forgery.
        self.assertEqual(counters["out_pkts"] - before, len(rows) + 2)
        self.assertEqual(self.counted_by_the_kernel()["forged lan0"], 7)
        offenders = {(row["interface"], row["mac"], row["address"])
                     for row in self.symtapd.ask("status")["offenders"]}
        self.assertIn(("lan0", lab.GUARDED_MAC, "198.51.100.9"), offenders)
        self.assertIn(("lan0", STRANGER_MAC, lab.GUARDED), offenders)

    def test_forged_flood_makes_no_state(self):
        self.start(antispoof=ANTISPOOF)
        before = self.symtapd.settled()
        frame = frames.ethernet(self.lan_mac, lab.GUARDED_MAC, 0x0800,
                                frames.udp("0.0.0.0", lab.OUTSIDE, 1, PORT))
        sent = traffic.Blast(self.net.host, "eth0", frame, bed.BUILD,
                             "random:26:4", "ipv4:14", count=100000).finish()
        self.assertEqual(self.sees(self.tap), 0)
        after = self.symtapd.settled()
        self.assertLess(after["keys_made"] - before["keys_made"], 10)
        self.assertEqual(self.counted_by_the_kernel()["forged lan0"],
                         sent["sent"])

    def test_outside_cannot_claim_an_inside_source(self):
        """Also without a list of interfaces."""
        self.start(antispoof='{interfaces: {lan0: {sources: [10.20.0.0/16, '
                             '"2001:db8:20::/48"]}, lan1: {sources: '
                             '[10.20.0.0/16, "2001:db8:20::/48"]}}}')
        tap = traffic.Tap(self.net.host, "eth0", is_ours)
        for source, to, passes in (
                (lab.OUTSIDE, lab.GUARDED, 1),
                (lab.OUTSIDE6, lab.GUARDED6, 1),
                (lab.NEIGHBOUR, lab.GUARDED, 0),
                (lab.GUARDED, lab.GUARDED, 0),
                (lab.NEIGHBOUR6, lab.GUARDED6, 0)):
            with self.subTest(source=source):
                self.outside.send(self.wan_mac,
                                  frames.udp(source, to, 1, PORT))
                self.outside.send(self.wan_mac, frames.udp(
                    lab.OUTSIDE, lab.GUARDED, 2, PORT))
                arrived = tap.receive(2, 1 + passes)
                self.assertEqual(len(arrived), 1 + passes)

    def neighbours(self, *words):
        return self.net.gateway.run("ip", "neigh", "show", "dev", "lan0",
                                    *words)

    def test_arp_payloads_are_checked(self):
        self.start(antispoof=ANTISPOOF)
        self.assertIn(lab.GUARDED_MAC, self.neighbours())
        # A stranger says that the guarded host lives with it.
        self.host.send(frames.BROADCAST, frames.arp(
            1, STRANGER_MAC, lab.GUARDED, "00:00:00:00:00:00", "10.20.0.1"),
            from_mac=STRANGER_MAC, kind=0x0806)
        # And the guarded host that it is its neighbour.
        self.host.send(frames.BROADCAST, frames.arp(
            1, lab.GUARDED_MAC, lab.NEIGHBOUR, "00:00:00:00:00:00",
            "10.20.0.1"), kind=0x0806)
        self.assertTrue(lab.eventually(
            lambda: self.kernel_counters().get("forged lan0", 0) >= 2))
        self.assertNotIn(STRANGER_MAC, self.neighbours())
        self.assertNotIn(lab.NEIGHBOUR, self.neighbours())
        # It may ask, and it may ask whether an address is taken.
        mine = traffic.Tap(self.net.host, "eth0",
                           lambda frame: frame[12:14] == b"\x08\x06")
        for sender in (lab.GUARDED, "0.0.0.0"):
            self.host.send(frames.BROADCAST, frames.arp(
                1, lab.GUARDED_MAC, sender, "00:00:00:00:00:00", "10.20.0.1"),
                kind=0x0806)
            answers = mine.receive(2, 1)
            self.assertEqual(answers[0].data[20:22], b"\0\2")

    def test_neighbour_discovery_payloads_are_checked(self):
        self.start(antispoof=ANTISPOOF)
        self.assertIn(lab.GUARDED_MAC, self.neighbours("nud", "all"))
        for packet in (
                frames.advertisement(lab.GUARDED6, lab.GUARDED6, STRANGER_MAC,
                                     "2001:db8:20::1"),
                frames.advertisement(lab.GUARDED6, lab.NEIGHBOUR6,
                                     lab.GUARDED_MAC, "2001:db8:20::1"),
                frames.solicitation(lab.GUARDED6, "2001:db8:20::1",
                                    STRANGER_MAC)):
            self.host.send(self.lan_mac, packet)
        self.assertTrue(lab.eventually(
            lambda: self.kernel_counters().get("forged lan0", 0) >= 3))
        self.assertNotIn(STRANGER_MAC, self.neighbours("nud", "all"))
        # It may ask; and it may look whether its own address is free.
        mine = traffic.Tap(self.net.host, "eth0",
                           lambda frame: frame[12:14] == b"\x86\xdd" and
                           frame[54] == 136)
        self.host.send("33:33:ff:00:00:01", frames.solicitation(
            lab.GUARDED6, "2001:db8:20::1", lab.GUARDED_MAC))
        self.assertEqual(len(mine.receive(2, 1)), 1)
        heard = self.net.gateway.socket(socket.AF_INET6, socket.SOCK_RAW,
                                        socket.IPPROTO_ICMPV6)
        heard.settimeout(2)
        self.host.send("33:33:00:00:00:01", frames.solicitation(
            "::", lab.GUARDED6, destination="ff02::1"))
        while True:
            message, peer = heard.recvfrom(1000)
            if message[0] == 135 and peer[0] == "::":
                break

    def test_link_local_talks_to_the_gateway(self):
        self.start(antispoof=ANTISPOOF)
        own = self.net.gateway.run("ip", "-6", "addr", "show", "dev", "lan0",
                                   "scope", "link").split("inet6 ")[1]
        own = own.split("/")[0]
        mine = traffic.Tap(self.net.host, "eth0",
                           lambda frame: frame[12:14] == b"\x86\xdd" and
                           frame[54] == 129)
        there = self.net.host.run("ip", "-6", "addr", "show", "dev", "eth0",
                                  "scope", "link").split("inet6 ")[1]
        self.host.send(self.lan_mac,
                       frames.echo(there.split("/")[0], own, 1))
        self.assertEqual(len(mine.receive(2, 1)), 1)

    def test_dhcp_of_who_has_no_address_yet_reaches_the_gateway(self):
        self.start(antispoof=ANTISPOOF)
        server = self.net.gateway.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("", 67))
        server.settimeout(2)
        self.host.send(frames.BROADCAST, frames.udp(
            "0.0.0.0", "255.255.255.255", 68, 67, b"discover"))
        self.assertEqual(server.recv(100), b"discover")


if __name__ == "__main__":
    bed.main()
