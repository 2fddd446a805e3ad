#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The gateway hands frames on instead of routing packets."""

import fcntl
import json
import os
import signal
import socket
import struct

import frames
import gateway_bed as bed
import lab
import symtapd
import traffic

SIOCSIFNAME = 0x8923
LINUX = tuple(int(part) for part in os.uname().release.split(".")[:2])
INSIDE = ("10.20.0.2", "10.20.7.1")
OUTER = "10.20.128.1"
INSIDE_NET = f"[10.20.0.0/17, {lab.GUARDED6}/128]"


def is_of_the_flood(frame):
    return frames.packed(INSIDE[1]) + frames.packed(OUTER) in frame


class Bridged(bed.Case):

    @classmethod
    def build(cls):
        cls.net = lab.Bridged(cls.lab, INSIDE, OUTER)
        cls.outside_mac = cls.net.outside.mac("eth0")
        cls.check_path(cls.net.host, cls.net.outside, (INSIDE[0], OUTER))

    def start(self, **policy):
        self.symtapd.start(bridge=True, inside=INSIDE_NET, **policy)
        # An operator can list what it made.
        self.assertIn("symtap", self.net.gateway.nft("list ruleset"))
        self.check_whole(self.talk((INSIDE[0], OUTER), seconds=0.02).finish())

    def zones(self):
        return {row["zone"] for row in
                self.symtapd.ask("top by=held")["rows"]}

    def test_flood_is_reduced_and_its_neighbour_is_not(self):
        self.start(limits=bed.ROOM)
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        source = traffic.sender(self.net.host, INSIDE[1])
        talk = self.talk((INSIDE[0], OUTER), seconds=1)
        for number in range(200):
            source.sendto(traffic.numbered(number), (OUTER, 9))
        arrived = ear.receive(1.3)
        self.check_whole(talk.finish())
        self.assertEqual(traffic.numbers(arrived), list(range(len(arrived))))
        self.check_figures(arrived, 1)
        self.assertEqual(self.zones(), {"lan0"})

    def test_killed_closed_nothing_passes(self):
        self.start(fail="closed")
        self.check_whole(self.talk((INSIDE[0], OUTER), seconds=0.5).finish())
        if symtapd.FAST:
            self.assertGreater(self.symtapd.settled()["fast_out_pkts"], 100)
        self.symtapd.stop(signal.SIGKILL)
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        for _ in range(5):
            traffic.sender(self.net.host, INSIDE[1]).sendto(b"no", (OUTER, 9))
        self.assertEqual(ear.receive(0.3), [])

    def make_bridge(self):
        gateway = self.net.gateway
        gateway.run("ip", "link", "add", "br0", "type", "bridge")
        for port in ("lan0", "wan0"):
            self.net.add_port(port)
        gateway.up("br0")

    def hooks(self):
        """Whether br_netfilter is on for the bridge by itself."""
        return self.net.gateway.run(
            "cat", "/sys/class/net/br0/bridge/nf_call_iptables").strip()

    def is_native(self):
        return 'packets come by "queue"' in self.symtapd.log()

    def test_rules_are_put_back_when_they_can_be(self):
        """They are flushed while there is no bridge."""
        self.start(limits=bed.ROOM)
        self.net.gateway.run("ip", "link", "del", "br0")
        self.net.gateway.nft("flush ruleset")
        if not self.is_native():
            self.assertTrue(lab.eventually(
                lambda: "there is no bridge" in self.symtapd.log()))
        self.make_bridge()
        self.assertTrue(lab.eventually(
            lambda: "put back" in self.symtapd.log()))
        self.assertIn("symtap", self.net.gateway.run("nft", "list", "tables"))

    def set_default_hooks(self, value):
        """Whether br_netfilter is on for bridges that are made."""
        for family in ("iptables", "ip6tables"):
            self.net.gateway.write(
                f"/proc/sys/net/bridge/bridge-nf-call-{family}", value)

    def test_a_bridge_that_is_made_anew_is_hooked_into_again(self):
        if not os.path.exists("/proc/sys/net/bridge"):
            self.skipTest("there is no br_netfilter here")
        self.set_default_hooks(0)
        try:
            self.start(limits=bed.ROOM)
            self.net.gateway.run("ip", "link", "del", "br0")
            self.make_bridge()
            if not self.is_native():
                self.assertTrue(lab.eventually(lambda: self.hooks() == "1"))
            self.assertEqual(self.symtapd.stop(), 0)
            self.assertEqual(self.hooks(), "0")
        finally:
            self.set_default_hooks(1)

    def rename(self, names):
        """The port, one after the other, with a packet by each of them; who
        hears of these."""
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        source = traffic.sender(self.net.host, INSIDE[0])
        with self.net.gateway.socket(socket.AF_INET,
                                     socket.SOCK_DGRAM) as control:
            before = "lan0"
            for name in [*names, "lan0"]:
                fcntl.ioctl(control, SIOCSIFNAME, struct.pack(
                    "16s16s", before.encode(), name.encode()))
                before = name
                source.sendto(traffic.numbered(0), (OUTER, 9))
                taken = ear.receive(3, 1)
                while taken and 0 not in traffic.numbers(taken):
                    taken = ear.receive(3, 1)
                self.assertTrue(taken, name)
        return ear

    def test_names_that_come_and_go_leave_who_is_held_alone(self):
        """So many that those which nobody is of are forgotten."""
        if LINUX < (6, 2):
            self.skipTest("an interface that is up keeps its name here")
        self.start(limits=bed.ROOM)
        source = traffic.sender(self.net.host, INSIDE[1])
        for number in range(1, 200):
            source.sendto(traffic.numbered(number), (OUTER, 9))
        self.symtapd.wait_for("waited_pkts", 1)
        ear = self.rename(f"vif{number}.0" for number in range(1100))
        flows = self.symtapd.ask("top by=held scope=flow")["rows"]
        held = [row for row in flows if row["held_packets"] > 0]
        self.assertEqual([(row["inside"], row["zone"]) for row in held],
                         [(INSIDE[1], "lan0")])
        numbers = traffic.numbers(ear.receive(1.3))
        self.assertIn(len(numbers), range(2, 17))
        self.assertEqual(numbers, list(range(numbers[0], numbers[-1] + 1)))

    def test_super_packets_taken_apart_keep_their_ethernet_header(self):
        """Linux 6.1 forgets it where br_netfilter is off, see doctor."""
        header = frames.ethernet(self.outside_mac, lab.GUARDED_MAC, 0x0800, b"")
        ends = frames.packed(INSIDE[0]) + frames.packed(OUTER)
        wrong = traffic.Tap(self.net.outside, "eth0", lambda frame: (
            ends in frame and not frame.startswith(header)))
        self.start(shipped=True)
        for end in traffic.stream(self.net.host, self.net.outside, OUTER,
                                  1 << 20):
            end.close()
        self.assertGreater(self.symtapd.settled()["split_pkts"], 0)
        self.assertEqual(wrong.receive(0.2), [])

    def tagged(self, packet, *tags):
        frame = frames.ethernet(self.outside_mac, lab.GUARDED_MAC, 0x0800,
                                packet)
        for number in tags:
            frame = frames.vlan(frame, number)
        return frame

    def flood_tagged(self, *tags, seconds=1.3):
        """An unanswered flood in a VLAN; when it arrived."""
        tap = traffic.Tap(self.net.outside, "eth0", is_of_the_flood)
        wire = frames.Wire(self.net.host, "eth0")
        for number in range(100):
            wire.send_frame(self.tagged(frames.udp(
                INSIDE[1], OUTER, 4000, 9, traffic.numbered(number)), *tags))
        return tap.receive(seconds)

    def test_flood_in_a_vlan_is_held(self):
        self.start(limits=bed.ROOM)
        arrived = self.flood_tagged(17)
        self.check_figures(arrived, 1)

    def test_answers_in_a_vlan_free_what_waits(self):
        self.start(limits=bed.ROOM)
        self.assertLess(len(self.flood_tagged(17, seconds=0.6)), 20)
        back = frames.Wire(self.net.outside, "eth0")
        tap = traffic.Tap(self.net.outside, "eth0", is_of_the_flood)
        answer = frames.udp(OUTER, INSIDE[1], 9, 4000)
        for _ in range(40):
            back.send_frame(frames.vlan(frames.ethernet(
                lab.GUARDED_MAC, self.outside_mac, 0x0800, answer), 17))
        self.assertGreater(len(tap.receive(1, 80)), 60)

    def solicit(self, to):
        """100 unanswered solicitations of `to`; when they arrived."""
        def is_one(frame):
            return frames.packed(lab.GUARDED6) + frames.packed(to) in frame
        tap = traffic.Tap(self.net.outside, "eth0", is_one)
        wire = frames.Wire(self.net.host, "eth0")
        for _ in range(100):
            wire.send(self.outside_mac, frames.solicitation(
                lab.GUARDED6, to, destination=to))
        return tap.receive(1.3)

    def test_neighbour_discovery_is_no_way_to_flood_one_far_away(self):
        self.start(limits=bed.ROOM)
        self.check_figures(self.solicit("2001:db8:ff::99"), 1)
        self.assertEqual(len(self.solicit("fe80::99")), 100)


class Routed(bed.Case):
    """The guarded hosts are on a bridge of the gateway, which routes.  Where
    br_netfilter is on, as Docker has it, the kernel tells of its ports on the
    way out, and cannot on the way back."""

    FAST = ""

    @classmethod
    def build(cls):
        cls.net = lab.Routed(cls.lab)
        gateway = cls.net.gateway
        gateway.run("ip", "link", "add", "br0", "type", "bridge")
        gateway.up("br0")
        gateway.address("br0", "10.20.0.1/32", "2001:db8:20::1/128")
        for name, host, address in (
                ("lan0", cls.net.host, lab.GUARDED),
                ("lan1", cls.net.neighbour, lab.NEIGHBOUR)):
            gateway.run("ip", "link", "set", name, "master", "br0")
            gateway.run("ip", "route", "replace", address, "dev", "br0")
            cls.check_path(host, cls.net.outside, (address, lab.OUTSIDE))

    def test_flood_is_held_and_its_neighbour_is_not(self):
        self.check_zone("br0")


class RoutedFast(Routed):

    FAST = "br0"

    def test_a_conversation_that_conforms_stays_in_the_kernel(self):
        self.start()
        self.check_fast()

    def test_nothing_does_at_the_ports_and_doctor_says_so(self):
        self.addCleanup(setattr, symtapd, "FAST", self.FAST)
        symtapd.FAST = "lan0, lan1"
        self.start()
        self.check_whole(self.talk(seconds=0.4).finish())
        self.assertEqual(self.symtapd.settled()["fast_out_pkts"], 0)
        answer = json.loads(self.symtapd.ctl("--json", "doctor", check=False))
        found = [(finding["what"], finding["remedy"])
                 for finding in answer["ok"]["findings"]
                 if finding["id"] == "fast-at-port"]
        self.assertEqual(len(found), 2, answer)
        for (what, remedy), port in zip(found, ("lan0", "lan1")):
            self.assertIn(f"at {port}, a port of br0", what)
            self.assertIn("Name br0", remedy)


if __name__ == "__main__":
    bed.main()
