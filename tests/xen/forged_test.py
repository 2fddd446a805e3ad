#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest sends in another's name stays inside, whatever it makes of a
frame."""

import unittest

import bed
import dom0
import frames
import guests
import traffic
from frames import BROADCAST

NUMBER = 3
OWN, OWN6, MAC = (guests.address_of(NUMBER), guests.address6_of(NUMBER),
                  guests.mac_of(NUMBER))
OTHER, OTHER6, OTHER_MAC = (guests.address_of(4), guests.address6_of(4),
                            guests.mac_of(4))
TO, TO6, TO_MAC = dom0.OUTSIDE, dom0.OUTSIDE6, dom0.OUTSIDE_MAC
NODES6_MAC = "33:33:00:00:00:01"


def ip(packet, source=MAC, to=TO_MAC):
    kind = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    return frames.ethernet(to, source, kind, packet)


def arp(operation, sender_mac, sender, source=MAC):
    return frames.ethernet(BROADCAST, source, 0x0806, frames.arp(
        operation, sender_mac, sender, TO_MAC, TO))


HONEST = {
    "IPv4": ip(frames.udp(OWN, TO, 1, 2)),
    "IPv6": ip(frames.udp(OWN6, TO6, 1, 2)),
    "an ARP request": arp(1, MAC, OWN),
    "an ARP answer": arp(2, MAC, OWN),
    "a solicitation": ip(frames.solicitation(OWN6, TO6, MAC), to=NODES6_MAC),
    "an advertisement": ip(frames.advertisement(OWN6, OWN6, MAC),
                           to=NODES6_MAC),
    "DHCP": ip(frames.udp("0.0.0.0", "255.255.255.255", 68, 67), to=BROADCAST),
}
FORGED = {
    "another's IPv4": ip(frames.udp(OTHER, TO, 1, 2)),
    "IPv4 of nobody's": ip(frames.udp("192.0.2.1", TO, 1, 2)),
    "a fragment": ip(frames.ipv4(OTHER, TO, 17, b"x" * 600, more=True)),
    "a later fragment": ip(frames.ipv4(OTHER, TO, 17, b"x" * 600, offset=800)),
    "a small packet": ip(frames.ipv4(OTHER, TO, 17, b"")),
    "a large packet": ip(frames.udp(OTHER, TO, 1, 2, b"x" * 1400)),
    "another's IPv6": ip(frames.udp(OTHER6, TO6, 1, 2)),
    "IPv6 of nobody's": ip(frames.udp("2001:db8::1", TO6, 1, 2)),
    "another's MAC": ip(frames.udp(OTHER, TO, 1, 2), OTHER_MAC),
    "another's MAC, and no address": frames.ethernet(
        TO_MAC, OTHER_MAC, 0x88b5, b"no address" * 5),
    "its own IPv4 from another's MAC": ip(frames.udp(OWN, TO, 1, 2),
                                          OTHER_MAC),
    "its own IPv6 from another's MAC": ip(frames.udp(OWN6, TO6, 1, 2),
                                          OTHER_MAC),
    "another is here, as an answer": arp(2, MAC, OTHER),
    "another is here, as a request": arp(1, MAC, OTHER),
    "it is elsewhere": arp(2, OTHER_MAC, OWN),
    "ARP from another's MAC": arp(2, MAC, OWN, OTHER_MAC),
    "another's solicitation": ip(frames.solicitation(OTHER6, TO6, MAC),
                                 to=NODES6_MAC),
    "another is here, as an advertisement": ip(
        frames.advertisement(OWN6, OTHER6, MAC), to=NODES6_MAC),
    "it is elsewhere, as an advertisement": ip(
        frames.advertisement(OWN6, OWN6, OTHER_MAC), to=NODES6_MAC),
}


class Forged(bed.Case):

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(NUMBER, ips=(OWN, OWN6))
        self.start(self.guest)

    def only_its_own_leaves(self):
        wanted = [*FORGED.values(), *HONEST.values()]
        tap = traffic.Tap(self.host.outside, "eth0",
                          lambda frame: frame in wanted)
        self.guest.ask("; ".join(f"frame eth0 1 {frame.hex()}"
                                 for frame in wanted))
        arrived = {arrival.data for arrival in
                   tap.receive(60, count=len(HONEST))}
        arrived |= {arrival.data for arrival in tap.take()}
        self.assertEqual([], [name for name, frame in FORGED.items()
                              if frame in arrived])
        self.assertEqual([], [name for name, frame in HONEST.items()
                              if frame not in arrived])

    def test_only_what_is_its_own_leaves(self):
        self.only_its_own_leaves()

    def test_anothers_mac_is_written_over_where_that_is_asked_for(self):
        """In place of being dropped; what it tells of others still is."""
        self.symtapd.write_policy(bridge=self.bridge, **bed.policy_of(
            self.way, xen="{vifs: follow, mac: overwrite}"))
        self.symtapd.reload()
        passes = {"its own IPv4 from another's MAC",
                  "its own IPv6 from another's MAC",
                  "another's MAC, and no address",
                  "ARP from another's MAC"}
        stamped = {name: frame[:6] + frames.mac_bytes(MAC) + frame[12:]
                   for name, frame in FORGED.items()}
        tap = traffic.Tap(self.host.outside, "eth0",
                          lambda frame: frame in stamped.values())
        self.guest.ask("; ".join(f"frame eth0 1 {frame.hex()}"
                                 for frame in FORGED.values()))
        # An ARP answer that is stamped is the honest one.
        arrived = {arrival.data for arrival in
                   tap.receive(60, count=len(passes))}
        arrived |= {arrival.data for arrival in tap.take()}
        self.assertEqual(passes, {name for name, frame in stamped.items()
                                  if frame in arrived})

    def test_an_address_that_it_gives_itself(self):
        self.guest.ask("ip addr add 10.0.1.99/24 dev eth0")
        said = self.guest.ask(
            f"ping -c 3 -i 0.1 -W 1 -I 10.0.1.99 {dom0.OUTSIDE}")
        self.guest.ask("ip addr del 10.0.1.99/24 dev eth0")
        self.assertIn("100% packet loss", said)
        self.assertIn(" 0% packet loss",
                      self.guest.ask(f"ping -c 3 -i 0.1 {dom0.OUTSIDE}"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
