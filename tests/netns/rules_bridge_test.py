#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge instead of a router: rules_bridge_test.py DRIVER"""

import struct

import frames
import lab
import rules_bed
from frames import BROADCAST
from lab import (GUARDED, GUARDED6, GUARDED_MAC, NEIGHBOUR, OUTSIDE,
                 OUTSIDE6)

BRIDGED = rules_bed.POLICY + """
datapath: {nfqueue: {bridge: true}}
antispoof:
  interfaces:
    lan0: {sources: [10.20.0.0/24, "2001:db8:20::/64"]}
"""
RULES = BRIDGED + """
rules:
  - {priority: 10, match: {proto: udp, dst_port: 7, interface: lan0}, action: drop}
  - {priority: 20, match: {proto: udp, dst_port: 8, interface: lan9}, action: drop}
  - {priority: 30, match: {proto: udp, vlan: 5, dst_port: 9}, action: drop}
"""
JUDGED = rules_bed.POLICY + f"""
fragments: {{packets_per_s: 50}}
datapath: {{nfqueue: {{bridge: true}}}}
antispoof:
  bindings:
    - {{mac: "{GUARDED_MAC}", addresses: [{GUARDED}, "{GUARDED6}"],
       interface: lan0}}
"""
STRANGER_MAC = "52:54:00:99:99:98"
MARK = "0xd00000"  # netback's, by the mark as it comes
SYSCTLS = "/proc/sys/net/bridge/bridge-nf-"


class Bed(rules_bed.Case):

    @classmethod
    def build(cls):
        gateway = cls.lab.namespace("gateway")
        host = cls.lab.namespace("host")
        outside = cls.lab.namespace("outside")
        gateway.run("ip", "link", "add", "br0", "type", "bridge")
        cls.lab.wire(gateway, "lan0", host, "eth0", right_mac=GUARDED_MAC)
        cls.lab.wire(gateway, "wan0", outside, "eth0")
        for port in ("lan0", "wan0"):
            gateway.run("ip", "link", "set", port, "master", "br0")
        gateway.up("br0")
        cls.net = type("Net", (), {"gateway": gateway})
        cls.host = cls.neighbour = frames.Wire(host, "eth0")
        cls.outside = frames.Wire(outside, "eth0")
        # Ports learn, and nothing is flooded while a test counts.
        for wire in (cls.host, cls.outside):
            wire.send(BROADCAST, b"\0" * 50, kind=0x88b5)

    def setUp(self):
        super().setUp()
        gateway = self.net.gateway
        for name in ("call-iptables", "call-ip6tables", "filter-vlan-tagged",
                     "filter-pppoe-tagged"):
            gateway.write(SYSCTLS + name, 0)
        self.before = self.settings()

    def settings(self):
        gateway = self.net.gateway
        return [gateway.read("/sys/class/net/br0/bridge/nf_call_iptables"),
                gateway.read("/sys/class/net/br0/bridge/nf_call_ip6tables"),
                gateway.run("sh", "-c", f"grep . {SYSCTLS}*")]

    def out(self, packet):
        return frames.ethernet(self.outside.mac, GUARDED_MAC,
                               0x86dd if packet[0] >> 4 == 6 else 0x0800,
                               packet)

    @staticmethod
    def pppoe(frame):
        """The same in a session of PPP over Ethernet."""
        kind = b"\0\x57" if frame[12:14] == b"\x86\xdd" else b"\0\x21"
        packet = frame[14:]
        return (frame[:12] + b"\x88\x64" +
                struct.pack("!BBHH", 0x11, 0, 1, len(packet) + 2) + kind +
                packet)


class Bridge(Bed):

    def test_frames_reach_the_queue_both_ways(self):
        driver = self.install(BRIDGED)
        self.assertIn(driver.ask("method")[0], ("target no-room",
                                                "queue no-room"))
        queue = self.queue()
        self.host.send_frame(self.out(frames.udp(GUARDED, OUTSIDE, 5000, 53)))
        self.host.send_frame(self.out(
            frames.udp(GUARDED6, OUTSIDE6, 5000, 53)))
        self.outside.send(GUARDED_MAC, frames.udp(OUTSIDE, GUARDED, 53, 5000))
        self.assertEqual([f"{GUARDED}:5000 > {OUTSIDE}:53",
                          f"{GUARDED6}:5000 > {OUTSIDE6}:53",
                          f"{OUTSIDE}:53 > {GUARDED}:5000"],
                         [str(packet) for packet in
                          queue.pass_all(1, count=3)])
        self.assertEqual(2, len(self.outside.receive(
            0.5, lambda frame: frame[6:12] == frames.mac_bytes(GUARDED_MAC),
            2)))

    def test_tagged_frames_do_not_bypass_us(self):
        self.install(BRIDGED)
        queue = self.queue()
        plain = self.out(frames.udp(GUARDED, OUTSIDE, 5001, 53))
        plain6 = self.out(frames.udp(GUARDED6, OUTSIDE6, 5001, 53))
        for frame in (plain, plain6):
            for tagged in (frames.vlan(frame, 5), self.pppoe(frame)):
                self.host.send_frame(tagged)
                packet, = queue.packets(1, count=1)
                self.assertEqual((5001, 53), packet.ports)
                queue.verdict(packet)
                self.assertEqual([tagged], self.outside.receive(
                    0.5, lambda one, wanted=tagged: one == wanted or
                    one[12:] == wanted[16:], 1) and [tagged])

    def test_forged_sources_are_dropped_under_any_tag(self):
        driver = self.install(BRIDGED)
        forged = [self.out(frames.udp("10.99.0.1", OUTSIDE, 1, 2)),
                  self.out(frames.udp("2001:db8:99::1", OUTSIDE6, 1, 2))]
        forged += [frames.vlan(frame, 5) for frame in forged]
        forged += [self.pppoe(frame) for frame in forged[:2]]
        forged += [frames.vlan(frame, 6, 0x88a8) for frame in forged[2:4]]
        forged.append(frames.ethernet(
            BROADCAST, GUARDED_MAC, 0x0806,
            frames.arp(2, GUARDED_MAC, "10.99.0.1", BROADCAST, OUTSIDE)))
        forged.append(self.out(frames.advertisement("fe80::7", OUTSIDE6)))
        for count, frame in enumerate(forged, 1):
            self.host.send_frame(frame)
            self.assertEqual(count, driver.counters()["forged lan0"],
                             frame.hex())
        honest = [self.out(frames.udp(GUARDED, OUTSIDE, 1, 2)),
                  self.out(frames.udp(GUARDED6, OUTSIDE6, 1, 2))]
        honest += [frames.vlan(frame, 5) for frame in honest]
        honest += [self.pppoe(frame) for frame in honest[:2]]
        honest += [frames.vlan(frame, 6, 0x88a8) for frame in honest[2:4]]
        for frame in honest:
            self.host.send_frame(frame)
        self.assertEqual(len(forged), driver.counters()["forged lan0"])

    def test_what_two_tags_hide_from_the_queue_is_counted(self):
        driver = self.install(BRIDGED)
        frame = self.out(frames.udp(GUARDED, OUTSIDE, 5002, 53))
        self.host.send_frame(frames.vlan(frames.vlan(frame, 5), 6, 0x88a8))
        if driver.ask("method")[0].startswith("target"):
            self.assertEqual(1, driver.counters()["unjudged"])

    def test_rules_match_the_port_and_the_vlan(self):
        driver = self.install(RULES)
        queue = self.queue()
        for port in (7, 8, 9):
            frame = self.out(frames.udp(GUARDED, OUTSIDE, 5003, port))
            self.host.send_frame(frame)
            self.host.send_frame(frames.vlan(frame, 5))
            self.host.send_frame(frames.vlan(frame, 6))
        # Reversed: the guarded end's port is where it goes to.
        self.outside.send(GUARDED_MAC, frames.udp(OUTSIDE, GUARDED, 7, 5003))
        self.assertEqual([8, 8, 8, 9, 9], [
            packet.ports[1] for packet in queue.packets(0.5)])
        counters = driver.counters()
        self.assertEqual((4, 0, 1), (counters["rule 10"], counters["rule 20"],
                                     counters["rule 30"]))

    def test_refusals_work_on_the_port(self):
        driver = self.install(BRIDGED)
        queue = self.queue()
        driver.ask("refuse", "pair", "lan0", 5000, GUARDED, OUTSIDE)
        self.host.send_frame(self.out(frames.udp(GUARDED, OUTSIDE, 1, 2)))
        self.host.send_frame(self.out(frames.udp(GUARDED, OUTSIDE6[:0] +
                                                 "203.0.113.9", 1, 2)))
        self.assertEqual(["203.0.113.9"], [
            packet.destination for packet in queue.packets(0.5)])
        self.assertEqual(1, len(driver.ask("refusals")))

    def test_settings_are_put_back(self):
        driver = self.install(BRIDGED)
        self.assertNotEqual(self.before, self.settings())
        driver.update(RULES)
        driver.ask("remove")
        self.assertEqual(self.before, self.settings())

    def test_settings_are_put_back_by_whoever_comes_later(self):
        self.install(BRIDGED).kill()
        self.drivers.clear()
        self.assertNotEqual(self.before, self.settings())
        # One more run finds them on, and still knows how they were.
        second = self.install(BRIDGED)
        second.kill()
        self.drivers.clear()
        third = rules_bed.Driver(self.net.gateway, BRIDGED)
        third.ask("uninstall")
        third.stop()
        self.assertEqual(self.before, self.settings())
        self.assertEqual("", self.net.gateway.run("nft", "list", "ruleset"))

    def test_settings_outlive_a_flush_by_somebody_else(self):
        driver = self.install(BRIDGED)
        self.net.gateway.run("nft", "flush", "ruleset")
        driver.ask("install")
        driver.ask("verify")
        driver.ask("remove")
        self.assertEqual(self.before, self.settings())

    def test_switched_off_by_somebody_else_is_noticed(self):
        driver = self.install(BRIDGED)
        self.net.gateway.run("ip", "link", "set", "br0", "type", "bridge",
                             "nf_call_iptables", "0")
        with self.assertRaisesRegex(RuntimeError, "switched off"):
            driver.ask("verify")
        driver.ask("install")
        driver.ask("verify")

    def with_other_bridge(self):
        gateway = self.net.gateway
        gateway.run("ip", "link", "add", "br9", "type", "bridge")
        self.addCleanup(gateway.run, "ip", "link", "del", "br9")

    def test_another_bridge_is_left_alone(self):
        self.with_other_bridge()
        self.install(BRIDGED)
        self.assertEqual("0", self.net.gateway.read(
            "/sys/class/net/br9/bridge/nf_call_iptables"))

    def test_another_bridge_that_would_be_changed_is_named(self):
        self.with_other_bridge()
        self.net.gateway.write(SYSCTLS + "call-iptables", 1)
        driver = rules_bed.Driver(self.net.gateway, BRIDGED)
        self.drivers.append(driver)
        if driver.ask("method") == ["queue no-room"]:
            self.skipTest("the bridge family queues here")
        with self.assertRaisesRegex(RuntimeError, "no 16 .*bridge br9"):
            driver.ask("install")
        self.assertEqual("", self.net.gateway.run("nft", "list", "ruleset"))

    def test_which_bridge_is_meant_must_be_clear(self):
        self.with_other_bridge()
        driver = rules_bed.Driver(
            self.net.gateway,
            rules_bed.POLICY + "datapath: {nfqueue: {bridge: true}}\n")
        self.drivers.append(driver)
        with self.assertRaisesRegex(RuntimeError, "no 16 .*name a port"):
            driver.ask("install")

    def test_fail_closed_blocks_and_stays(self):
        driver = self.install(BRIDGED.replace(
            "bridge: true", "bridge: true, fail: closed"))
        driver.ask("block")
        self.host.send_frame(self.out(frames.udp(GUARDED, OUTSIDE, 5004, 53)))
        self.assertFalse(self.arrives(
            frames.udp(GUARDED, OUTSIDE, 5004, 53), seconds=0.2))
        self.assertEqual(1, driver.counters()["blocked"])


class Judged(Bed):
    """Netback judges the only port that is watched."""

    def setUp(self):
        super().setUp()
        self.driver = self.install(rules_bed.POLICY +
                                   "datapath: {nfqueue: {bridge: true}}\n")
        if self.driver.ask("method") != ["queue no-room"]:
            self.skipTest("the bridge family does not queue here")
        self.driver.update(JUDGED, "owners", "judged")
        self.driver.ask("verify")

    def hooks(self):
        """Those that have anything to ask."""
        chains = self.net.gateway.run("nft", "list", "table", "bridge",
                                      "symtap").split("chain ")[1:]
        return {chain.split()[0] for chain in chains
                if "type filter hook" in chain and
                chain.count("\n\t\t") > 1}

    def mark(self):
        """As netback does, until the test ends."""
        self.net.gateway.nft(f"""
table netdev netback {{
    chain in {{
        type filter hook ingress device lan0 priority 0;
        meta mark set {MARK}
    }}
}}
""")

    def forged(self):
        """What netback would have stopped, and is counted for its port."""
        frames_ = [self.out(frames.udp("10.99.0.1", OUTSIDE, 1, 2)),
                   self.out(frames.udp(NEIGHBOUR, OUTSIDE, 1, 2)),
                   # As if it came from beyond, to one whom netback judges.
                   self.out(frames.udp(OUTSIDE, GUARDED, 1, 2)),
                   self.out(frames.udp("2001:db8:99::1", OUTSIDE6, 1, 2)),
                   self.out(frames.advertisement("2001:db8:20::99",
                                                 OUTSIDE6)),
                   frames.ethernet(BROADCAST, GUARDED_MAC, 0x0806, frames.arp(
                       2, GUARDED_MAC, NEIGHBOUR, BROADCAST, OUTSIDE))]
        frames_ += [frames.vlan(frame, 5) for frame in frames_]
        return frames_ + [self.pppoe(frame) for frame in frames_[:2]]

    def passes(self, wire, frame):
        return wire.receive(0.5, lambda one: one[12:] == frame[12:], 1) != []

    def test_what_it_judged_meets_one_hook_and_no_queue(self):
        self.assertEqual({"forward", "input"}, self.hooks())
        self.mark()
        queue = self.queue()
        for packet in (frames.udp(GUARDED, OUTSIDE, 5000, 53),
                       frames.udp(GUARDED6, OUTSIDE6, 5000, 53)):
            self.host.send_frame(self.out(packet))
            self.assertTrue(self.passes(self.outside, self.out(packet)))
        for packet in (frames.udp(OUTSIDE, GUARDED, 53, 5000),
                       frames.udp(OUTSIDE6, GUARDED6, 53, 5000),
                       frames.ipv4(OUTSIDE, GUARDED, 17, b"x" * 64,
                                   more=True)):
            self.outside.send(GUARDED_MAC, packet)
            self.assertTrue(self.host.receive(
                0.5, lambda one, wanted=packet: one[14:] == wanted, 1))
        self.assertEqual([], queue.packets(0.3))

    def test_what_it_no_longer_judges_is_asked_who_sends_it(self):
        before = 0
        for frame in self.forged():
            self.host.send_frame(frame)
            # One to all is asked for each port that it would leave by.
            count = self.driver.counters()["forged lan0"]
            self.assertGreater(count, before, frame.hex())
            before = count
            self.assertFalse(self.outside.receive(
                0, lambda one, sent=frame: one == sent))
        frame = frames.ethernet(self.outside.mac, STRANGER_MAC, 0x0800,
                                frames.udp(GUARDED, OUTSIDE, 1, 2))
        self.host.send_frame(frame)
        self.assertEqual(1, self.driver.counters()["forged mac"])
        frame = self.out(frames.udp(GUARDED, OUTSIDE, 1, 2))
        self.host.send_frame(frame)
        self.assertTrue(self.passes(self.outside, frame))

    def comes_again(self):
        """The port, with an index that no rule knows."""
        gateway, host = self.net.gateway, self.host.namespace
        gateway.run("ip", "link", "del", "lan0")
        self.lab.wire(gateway, "lan0", host, "eth0", right_mac=GUARDED_MAC)
        gateway.run("ip", "link", "set", "lan0", "master", "br0")
        type(self).host = type(self).neighbour = frames.Wire(host, "eth0")

    def test_nobody_sends_to_its_neighbour_as_if_from_beyond(self):
        self.driver.update(
            f'{JUDGED}    - {{mac: "{self.outside.mac}", interface: wan0, '
            f'addresses: [{NEIGHBOUR}]}}\n', "owners", "judged")
        frame = self.out(frames.udp(OUTSIDE, NEIGHBOUR, 1, 2))
        for count in 1, 2:
            self.host.send_frame(frame)
            self.assertEqual(count, self.driver.counters()["forged lan0"])
            self.assertFalse(self.outside.receive(
                0.1, lambda one: one == frame))
            self.comes_again()

    def test_so_is_what_goes_to_the_bridge_itself(self):
        gateway = self.net.gateway
        gateway.nft("""
table netdev seen {
    chain in {
        type filter hook ingress device br0 priority 0;
        ether type ip counter
    }
}
""")
        own = gateway.mac("br0")
        for source in "10.99.0.1", NEIGHBOUR, GUARDED:
            self.host.send(own, frames.udp(source, "10.20.0.1", 1, 2))
        self.assertEqual(2, self.driver.counters()["forged lan0"])
        self.assertIn("counter packets 1 ", gateway.run(
            "nft", "list", "table", "netdev", "seen"))

    def test_tiny_fragments_to_whom_it_judges_are_limited(self):
        packet = frames.ipv4(OUTSIDE, GUARDED, 17, b"x" * 64, more=True)
        for _ in range(200):
            self.outside.send(GUARDED_MAC, packet)
        came = len(self.host.receive(1, lambda one: one[14:] == packet, 200))
        self.assertLess(came, 200)
        self.assertEqual(200 - came, self.driver.counters()["tiny fragments"])

    def test_a_port_that_it_does_not_judge_is_asked_first(self):
        self.driver.update(JUDGED, "owners")
        self.driver.ask("verify")
        self.assertEqual({"early", "forward"}, self.hooks())
        self.host.send_frame(self.forged()[0])
        self.assertEqual(1, self.driver.counters()["forged lan0"])
        self.driver.update(JUDGED, "owners", "judged")
        self.driver.ask("verify")
        self.assertEqual({"forward", "input"}, self.hooks())


if __name__ == "__main__":
    rules_bed.main()
