#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Nobody sends as somebody else: rules_antispoof_test.py DRIVER"""

import struct

import frames
import lab
import rules_bed
from frames import BROADCAST
from lab import (GUARDED, GUARDED6, GUARDED_MAC, NEIGHBOUR, NEIGHBOUR6,
                 NEIGHBOUR_MAC, OUTSIDE, OUTSIDE6)

LISTED = rules_bed.POLICY + """
antispoof:
  interfaces:
    lan0: {sources: [10.20.0.0/24, "2001:db8:20::/64"]}
    lan1: {sources: [10.20.0.0/24, "2001:db8:20::/64"]}
"""
BOUND = LISTED + f"""
  bindings:
    - {{mac: "{GUARDED_MAC}", addresses: [{GUARDED}, "{GUARDED6}"], interface: lan0}}
    - {{mac: "{NEIGHBOUR_MAC}", addresses: [{NEIGHBOUR}, 10.20.0.64/28, "{NEIGHBOUR6}"]}}
"""
ONLY_BOUND = rules_bed.POLICY + f"""
antispoof:
  bindings:
    - {{mac: "{GUARDED_MAC}", addresses: [{GUARDED}, "{GUARDED6}"]}}
"""
ALL_ROUTERS = "ff02::2"
GATEWAY_LL = "fe80::1"


class Antispoof(rules_bed.Case):
    @classmethod
    def build(cls):
        super().build()
        # What comes in is seen again where the gateway's own rules, later
        # than ours, have counted it.
        cls.net.gateway.write("/proc/sys/net/ipv4/conf/all/rp_filter", 0)
        cls.net.gateway.write("/proc/sys/net/ipv4/conf/default/rp_filter", 0)

    def watchers(self):
        """Counts what gets past our first chain, and not what the gateway tells
        itself of whom it did not find in three seconds."""
        self.net.gateway.nft("""
table inet seen {
    chain pre {
        type filter hook prerouting priority -440; policy accept;
        iifname != "lo" counter
    }
}
table arp seen {
    chain in {
        type filter hook input priority 0; policy accept;
        counter
    }
}
""")

    def seen(self):
        total = 0
        for family in ("inet", "arp"):
            listed = self.net.gateway.run("nft", "list", "table", family,
                                          "seen")
            total += int(listed.split("packets ")[1].split()[0])
        return total

    def install_watched(self, policy):
        driver = self.install(policy)
        self.watchers()
        return driver

    def check(self, wire, mac, passes, forged, driver, counter):
        """Each packet of `passes` gets through, none of `forged` does."""
        for name, send in passes.items():
            before = self.seen()
            send(wire, mac)
            lab.eventually(lambda: self.seen() > before)
            self.assertEqual(before + 1, self.seen(), f"{name} passes")
        for name, send in forged.items():
            before = self.seen()
            count = driver.counters().get(counter)
            send(wire, mac)
            self.assertEqual(before, self.seen(), f"{name} is forged")
            self.assertEqual(count + 1, driver.counters()[counter],
                             f"{name} is counted")

    @staticmethod
    def ip(packet, **options):
        return lambda wire, mac: wire.send(mac, packet, **options)

    @staticmethod
    def arp(packet, **options):
        return lambda wire, mac: wire.send(BROADCAST, packet, kind=0x0806,
                                           **options)

    DHCP = frames.udp("0.0.0.0", "255.255.255.255", 68, 67)

    def test_a_listed_interface_passes_its_sources_only(self):
        driver = self.install_watched(LISTED)
        ip = self.ip
        self.check(self.host, self.lan_mac, {
            "its own": ip(frames.udp(GUARDED, OUTSIDE, 1, 2)),
            "another of the list": ip(frames.udp("10.20.0.9", OUTSIDE, 1, 2)),
            "IPv6": ip(frames.udp(GUARDED6, OUTSIDE6, 1, 2)),
            "DHCP": ip(self.DHCP),
        }, {
            "another inside": ip(frames.udp("10.20.1.9", OUTSIDE, 1, 2)),
            "outside": ip(frames.udp(OUTSIDE, "192.0.2.1", 1, 2)),
            "nobody": ip(frames.udp("0.0.0.0", OUTSIDE, 68, 67)),
            "nobody's DHCP to one": ip(
                frames.udp("0.0.0.0", "10.20.0.1", 68, 67)),
            "not DHCP": ip(
                frames.udp("0.0.0.0", "255.255.255.255", 68, 68)),
            "everybody": ip(
                frames.udp("255.255.255.255", OUTSIDE, 1, 2)),
            "loopback": ip(frames.udp("127.0.0.1", OUTSIDE, 1, 2)),
            "multicast": ip(frames.udp("224.0.0.1", OUTSIDE, 1, 2)),
            "IPv6 inside": ip(
                frames.udp("2001:db8:20:1::9", OUTSIDE6, 1, 2)),
            "IPv6 outside": ip(frames.udp(OUTSIDE6, OUTSIDE6, 1, 2)),
            "IPv6 nobody": ip(frames.udp("::", OUTSIDE6, 1, 2)),
            "a fragment": ip(frames.ipv4("10.99.0.9", OUTSIDE, 17, b"x" * 600,
                                         more=True)),
            "a later fragment": ip(frames.ipv4("10.99.0.9", OUTSIDE, 17,
                                               b"x" * 600, offset=800)),
        }, driver, "forged lan0")

    def test_link_local_and_duplicate_address_detection_work(self):
        driver = self.install_watched(LISTED)
        ip = self.ip
        self.check(self.host, "33:33:ff:00:00:01", {
            "link-local": ip(frames.udp("fe80::7", "fe80::1", 546, 547)),
            "router solicitation": ip(frames.icmp6(
                "fe80::7", ALL_ROUTERS, 133, b"\0" * 4)),
            "its first": ip(frames.icmp6("::", ALL_ROUTERS, 133, b"\0" * 4)),
            "membership report": ip(frames.icmp6("::", "ff02::16", 143,
                                                 b"\0" * 4)),
            "is mine free": ip(frames.solicitation("::", GUARDED6)),
            "is link-local free": ip(frames.solicitation("::", "fe80::7")),
            "who is it": ip(frames.solicitation(GUARDED6, "2001:db8:20::1")),
            "it is me": ip(frames.advertisement(GUARDED6, GUARDED6)),
            "and link-local": ip(frames.advertisement("fe80::7", "fe80::7")),
        }, {
            "is yours free": ip(frames.solicitation("::", OUTSIDE6)),
            "I am you": ip(frames.advertisement("fe80::7", OUTSIDE6)),
            "nobody's ping": ip(frames.echo("::", "ff02::1", 1)),
            "nobody's advertisement": ip(
                frames.advertisement("::", GUARDED6)),
        }, driver, "forged lan0")

    def test_a_bound_mac_sends_from_its_addresses_and_they_from_it(self):
        driver = self.install_watched(BOUND)
        ip = self.ip
        own, other = frames.udp(GUARDED, OUTSIDE, 1, 2), "52:54:00:99:99:99"
        self.check(self.host, self.lan_mac, {
            "its own": ip(own),
            "its own IPv6": ip(frames.udp(GUARDED6, OUTSIDE6, 1, 2)),
            "an unbound one's": ip(frames.udp("10.20.0.9", OUTSIDE, 1, 2),
                                   from_mac=other),
            "DHCP": ip(self.DHCP),
            "link-local": ip(frames.udp("fe80::7", "fe80::1", 546, 547)),
        }, {
            "its address by another MAC": ip(own, from_mac=other),
            "its IPv6 by another MAC": ip(
                frames.udp(GUARDED6, OUTSIDE6, 1, 2), from_mac=other),
            "an unbound address": ip(frames.udp("10.20.0.9", OUTSIDE, 1, 2)),
            "an unbound IPv6 address": ip(
                frames.udp("2001:db8:20::9", OUTSIDE6, 1, 2)),
            "the neighbour's": ip(frames.udp(NEIGHBOUR, OUTSIDE, 1, 2)),
        }, driver, "forged lan0")
        self.check(self.neighbour, self.lan1_mac, {
            "its own": ip(frames.udp(NEIGHBOUR, OUTSIDE, 1, 2)),
            "its prefix": ip(frames.udp("10.20.0.70", OUTSIDE, 1, 2)),
        }, {
            "past its prefix": ip(frames.udp("10.20.0.80", OUTSIDE, 1, 2)),
            "its prefix by another": ip(
                frames.udp("10.20.0.70", OUTSIDE, 1, 2), from_mac=other),
        }, driver, "forged lan1")

    def test_neighbour_discovery_payloads_are_checked(self):
        driver = self.install_watched(BOUND)
        ip, other = self.ip, "52:54:00:99:99:99"
        self.check(self.host, "33:33:ff:00:00:01", {
            "where I am": ip(frames.advertisement(GUARDED6, GUARDED6,
                                                  GUARDED_MAC)),
            "who asks": ip(frames.solicitation(GUARDED6, OUTSIDE6,
                                               GUARDED_MAC)),
        }, {
            "where I am not": ip(frames.advertisement(GUARDED6, GUARDED6,
                                                      other)),
            "who asks not": ip(frames.solicitation(GUARDED6, OUTSIDE6,
                                                   other)),
            "the neighbour is me": ip(frames.advertisement(
                GUARDED6, NEIGHBOUR6, GUARDED_MAC)),
            "is the neighbour's free": ip(
                frames.solicitation("::", NEIGHBOUR6)),
        }, driver, "forged lan0")

    def test_arp_payloads_are_checked(self):
        driver = self.install_watched(BOUND)
        arp, nobody, other = self.arp, "00:00:00:00:00:00", "52:54:00:99:99:99"
        self.check(self.host, self.lan_mac, {
            "question": arp(frames.arp(1, GUARDED_MAC, GUARDED, nobody,
                                       "10.20.0.1")),
            "probe": arp(frames.arp(1, GUARDED_MAC, "0.0.0.0", nobody,
                                    GUARDED)),
            "announcement": arp(frames.arp(1, GUARDED_MAC, GUARDED, nobody,
                                           GUARDED)),
            "unbound": arp(frames.arp(1, other, "10.20.0.9", nobody,
                                      "10.20.0.1"), from_mac=other),
        }, {
            "the gateway is me": arp(frames.arp(2, GUARDED_MAC, "192.0.2.1",
                                                BROADCAST, GUARDED)),
            "the neighbour is me": arp(frames.arp(
                2, GUARDED_MAC, NEIGHBOUR, BROADCAST, "10.20.0.1")),
            "he is there": arp(frames.arp(2, NEIGHBOUR_MAC, GUARDED,
                                          BROADCAST, "10.20.0.1")),
            "by another": arp(frames.arp(1, other, GUARDED, nobody,
                                         "10.20.0.1"), from_mac=other),
            "of an odd kind": arp(struct.pack("!HHBBH", 6, 0x0800, 6, 4, 1) +
                                  b"\0" * 20),
        }, driver, "forged lan0")

    def test_elsewhere_nothing_claims_to_come_from_inside(self):
        driver = self.install_watched(LISTED)
        ip, arp = self.ip, self.arp
        self.check(self.outside, self.wan_mac, {
            "its own": ip(frames.udp(OUTSIDE, GUARDED, 1, 2)),
            "any other": ip(frames.udp("203.0.113.9", GUARDED, 1, 2)),
            "IPv6": ip(frames.udp(OUTSIDE6, GUARDED6, 1, 2)),
            "its ARP": arp(frames.arp(1, self.outside.mac, OUTSIDE,
                                      "00:00:00:00:00:00", "192.0.2.1")),
        }, {
            "a guarded host's": ip(frames.udp(GUARDED, NEIGHBOUR, 1, 2)),
            "any inside": ip(frames.udp("10.20.99.9", OUTSIDE, 1, 2)),
            "IPv6 inside": ip(frames.udp(GUARDED6, NEIGHBOUR6, 1, 2)),
            "ARP from inside": arp(frames.arp(
                2, self.outside.mac, GUARDED, BROADCAST, "192.0.2.1")),
        }, driver, "forged elsewhere")

    def test_without_a_list_bindings_hold_everywhere(self):
        driver = self.install_watched(ONLY_BOUND)
        ip = self.ip
        self.check(self.host, self.lan_mac, {
            "its own": ip(frames.udp(GUARDED, OUTSIDE, 1, 2)),
            "IPv6": ip(frames.udp(GUARDED6, OUTSIDE6, 1, 2)),
        }, {
            "another's": ip(frames.udp("10.20.0.9", OUTSIDE, 1, 2)),
        }, driver, "forged any")
        self.check(self.neighbour, self.lan1_mac, {
            "unbound": ip(frames.udp(NEIGHBOUR, OUTSIDE, 1, 2)),
            "unlisted": ip(frames.udp("10.99.0.1", OUTSIDE, 1, 2)),
        }, {
            "the bound one": ip(frames.udp(GUARDED, OUTSIDE, 1, 2)),
        }, driver, "forged any")

    def test_real_hosts_get_by(self):
        self.install(BOUND)
        for host in (self.net.host, self.net.neighbour, self.net.outside):
            host.run("nft", "delete", "table", "inet", "silent")
        try:
            self.net.host.run("ip", "neigh", "flush", "all")
            self.net.gateway.run("ip", "neigh", "flush", "all")
            for target in ("10.20.0.1", OUTSIDE, NEIGHBOUR):
                self.net.host.run("ping", "-c1", "-W2", target)
            for target in ("2001:db8:20::1", OUTSIDE6, NEIGHBOUR6):
                self.net.host.run("ping", "-c1", "-W3", target)
        finally:
            self.silence()

    def test_the_last_offenders_are_remembered_each_with_its_count(self):
        driver = self.install(BOUND)
        for _ in range(3):
            self.send_out(frames.udp("10.99.0.1", OUTSIDE, 1, 2))
        self.send_out(frames.udp("10.99.0.2", OUTSIDE, 1, 2))
        self.send_out(frames.udp("2001:db8:99::1", OUTSIDE6, 1, 2))
        self.host.send(BROADCAST, frames.arp(
            2, GUARDED_MAC, "10.99.0.3", BROADCAST, "10.20.0.1"), kind=0x0806)
        rows = {tuple(line.split()[:4]) for line in driver.ask("offenders")}
        self.assertEqual({
            ("lan0", GUARDED_MAC, "10.99.0.1", "3"),
            ("lan0", GUARDED_MAC, "10.99.0.2", "1"),
            ("lan0", GUARDED_MAC, "2001:db8:99::1", "1"),
            ("lan0", GUARDED_MAC, "10.99.0.3", "1")}, rows)

    def test_offenders_past_the_sets_size_are_counted_in_one(self):
        driver = self.install(BOUND)
        for n in range(1500):
            self.send_out(frames.udp(f"10.99.{n // 256}.{n % 256}", OUTSIDE, 1,
                                     2))
        counters = driver.counters()
        self.assertEqual(1500, counters["forged lan0"])
        kept = len(driver.ask("offenders"))
        self.assertLessEqual(kept, 1024)
        self.assertEqual(1500 - kept, counters["offenders overflow"])

    def test_offenders_and_counts_survive_an_update(self):
        driver = self.install(LISTED)
        self.send_out(frames.udp("10.99.0.1", OUTSIDE, 1, 2))
        driver.update(BOUND)
        self.assertEqual(1, len(driver.ask("offenders")))
        self.assertEqual(1, driver.counters()["forged lan0"])

    def test_nothing_forged_is_tracked_or_reassembled(self):
        self.net.gateway.nft("""
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy accept;
        ct state invalid drop
    }
}
""")
        self.install(LISTED)
        before = self.net.gateway.read(
            "/proc/sys/net/netfilter/nf_conntrack_count")
        for n in range(20):
            self.send_out(frames.udp(f"10.99.1.{n}", OUTSIDE, 1, 2))
            self.send_out(frames.ipv4(f"10.99.2.{n}", OUTSIDE, 17, b"x" * 600,
                                      more=True))
        self.assertEqual(before, self.net.gateway.read(
            "/proc/sys/net/netfilter/nf_conntrack_count"))


if __name__ == "__main__":
    rules_bed.main()
