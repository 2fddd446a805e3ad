#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guarded interfaces are VLANs of one wire, or in a VRF."""

import subprocess
import sys

import gateway_bed as bed
import lab
import traffic

LAN0, LAN1 = "trunk.10", "trunk.11"


def need_vlans():
    with lab.Lab("vlan") as world:
        there = world.namespace("probe")
        there.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name",
                  "eth1")
        made = subprocess.run(there.argv("ip", "link", "add", "link", "eth0",
                                         "name", "eth0.10", "type", "vlan",
                                         "id", "10"), check=False,
                              stderr=subprocess.DEVNULL)
    if made.returncode != 0:
        print("this kernel has no VLAN devices")
        sys.exit(lab.SKIPPED)


class TrunkNet(lab.Routed):
    """host, neighbour - (ports of a bridge in VLAN 10 and 11) switch (eth0)
    - (trunk) gateway (wan0) - outside"""

    def __init__(self, world):
        self.switch = world.namespace("switch")
        self.switch.run("ip", "link", "add", "br0", "type", "bridge",
                        "vlan_filtering", "1")
        self.switch.up("br0")
        super().__init__(world)

    def _guarded(self, host, interface, ipv4, ipv6, mac):
        number = {"lan0": "10", "lan1": "11"}[interface]
        if interface == "lan0":
            self.lab.wire(self.gateway, "trunk", self.switch, "trunk")
            self.switch.run("ip", "link", "set", "trunk", "master", "br0")
        self.switch.run("bridge", "vlan", "add", "dev", "trunk", "vid", number)
        self.lab.wire(self.switch, interface, host, "eth0", right_mac=mac)
        self.switch.run("ip", "link", "set", interface, "master", "br0")
        self.switch.run("bridge", "vlan", "add", "dev", interface, "vid",
                        number, "pvid", "untagged")
        self.gateway.run("ip", "link", "add", "link", "trunk", "name",
                         f"trunk.{number}", "type", "vlan", "id", number)
        self.gateway.up(f"trunk.{number}")
        self._address(host, "eth0", f"trunk.{number}", ipv4, ipv6)


class Vlan(bed.Case):
    """By the queue alone."""

    FAST = ""

    @classmethod
    def build(cls):
        cls.net = TrunkNet(cls.lab)
        for address, outside in ((lab.GUARDED, lab.OUTSIDE),
                                 (lab.GUARDED6, lab.OUTSIDE6)):
            cls.check_path(cls.net.host, cls.net.outside, (address, outside))
        cls.check_path(cls.net.neighbour, cls.net.outside,
                       (lab.NEIGHBOUR, lab.OUTSIDE))

    def test_flood_is_held_and_its_neighbour_is_not(self):
        self.start(limits=bed.ROOM)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        talk = self.talk(seconds=1)
        for number in range(200):
            source.sendto(traffic.numbered(number), (lab.OUTSIDE, 9))
        arrived = ear.receive(1.3)
        self.check_whole(talk.finish())
        self.assertEqual(traffic.numbers(arrived), list(range(len(arrived))))
        self.check_figures(arrived, 1)
        self.assertEqual({row["zone"] for row in
                          self.symtapd.ask("top by=held")["rows"]
                          if row["inside"] == lab.GUARDED}, {LAN0})

    def test_an_address_of_the_other_vlan_does_not_leave(self):
        self.start(antispoof=f"{{interfaces: {{{LAN0}: {{sources: "
                             f"[{lab.GUARDED}]}}, {LAN1}: {{sources: "
                             f"[{lab.NEIGHBOUR}]}}}}}}")
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        self.net.host.address("eth0", f"{lab.NEIGHBOUR}/32")
        try:
            source = traffic.sender(self.net.host, lab.NEIGHBOUR)
            source.sendto(traffic.numbered(7), (lab.OUTSIDE, 9))
            self.assertEqual(ear.receive(0.5), [])
        finally:
            self.net.host.run("ip", "addr", "del", f"{lab.NEIGHBOUR}/32",
                              "dev", "eth0")


class Fast(Vlan):
    """With the kernel's fast path, which sits on the VLANs."""

    FAST = f"{LAN0}, {LAN1}"

    def test_a_conversation_that_conforms_stays_in_the_kernel(self):
        self.start()
        self.check_fast(seconds=2, few=20)


class Vrf(bed.Case):
    """All are in one: what comes by any of them is routed as the VRF's."""

    FAST = ""

    @classmethod
    def build(cls):
        cls.net = lab.Routed(cls.lab)
        gateway = cls.net.gateway
        gateway.run("ip", "link", "add", "red", "type", "vrf", "table", "10")
        gateway.up("red")
        for name, address in (("lan0", lab.GUARDED), ("lan1", lab.NEIGHBOUR),
                              ("wan0", None)):
            gateway.run("ip", "link", "set", name, "master", "red")
            if address:
                gateway.run("ip", "route", "replace", address, "dev", name,
                            "vrf", "red")
        for host, address in ((cls.net.host, lab.GUARDED),
                              (cls.net.neighbour, lab.NEIGHBOUR)):
            cls.check_path(host, cls.net.outside, (address, lab.OUTSIDE))

    def test_flood_is_held_and_its_neighbour_is_not(self):
        self.check_zone("red")


class VrfFast(Vrf):
    """The fast path leaves them to the queue."""

    FAST = "lan0, lan1"

    def start(self, **policy):
        super().start(**policy)
        self.assertIn("lan0: it is in a VRF", self.symtapd.log())


if __name__ == "__main__":
    lab.need_root()
    need_vlans()
    bed.main()
