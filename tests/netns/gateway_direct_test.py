#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What conforms leaves past the bridge, and the bridge knows of it."""

import re
import shutil
import time

import gateway_bed as bed
import lab
import traffic

HOST, STRANGER, OUTER = "10.20.0.2", "10.20.7.1", "10.20.128.1"
INSIDE_NET = f"[10.20.0.0/17, {lab.GUARDED6}/128]"
PKTS_PER_S = 500
STAY = 0.7  # of a second's packets, past the bridge
AGEING_S = 2
FORBIDDEN = 5353  # a port, to rules of others


class Case(bed.Case):

    FAST = "lan0"
    POLICY = {"bridge": True, "inside": INSIDE_NET, "direct": True,
              "shipped": True, "limits": bed.ROOM}

    @classmethod
    def build(cls):
        cls.net = lab.Bridged(cls.lab, (HOST, STRANGER), OUTER)
        cls.check_path(cls.net.host, cls.net.outside, (HOST, OUTER))

    def start(self, **policy):
        self.symtapd.start(**{**self.POLICY, **policy})

    def reload(self, **policy):
        self.symtapd.write_policy(**{**self.POLICY, **policy})
        self.symtapd.reload()

    def status(self):
        return self.symtapd.ask("status")["fast"]

    def seen_by_the_bridge(self):
        """Of what the guarded host sends."""
        return int(re.search(r"packets (\d+)", self.net.gateway.run(
            "nft", "list", "counter", "bridge", "elsewhere",
            "seen")).group(1))

    def watch_the_bridge(self):
        """With somebody else's rule."""
        self.net.gateway.nft(
            "table bridge elsewhere {\ncounter seen { }\nchain forward {\n"
            "type filter hook forward priority -500;\n"
            "iifname lan0 counter name seen\n}\n}\n")

    def converse(self, seconds=1.0, **options):
        """Packets out in all, and those of them past the bridge."""
        before = self.symtapd.settled()
        talk = self.talk((HOST, OUTER), seconds=seconds,
                         pkts_per_s=PKTS_PER_S, **options).finish()
        self.check_whole(talk)
        after = self.symtapd.settled()
        return talk["sent"], (after["fast_direct_pkts"]
                              - before["fast_direct_pkts"])

    def is_direct(self):
        sent, direct = self.converse(0.3)
        print(f"{direct} of {sent} past the bridge")
        return direct > STAY * sent

    def check_is_direct(self):
        self.assertTrue(lab.eventually(self.is_direct, 10), self.status())

    def check_is_refused(self, why):
        self.assertTrue(lab.eventually(
            lambda: why in (self.status()["direct_error"] or ""), 10),
            self.symtapd.log())
        self.assertEqual(self.converse(0.3)[1], 0)
        self.assertFalse(self.status()["interfaces"][0]["direct"])
        self.assertIn(why, self.symtapd.log())
        doctor = self.symtapd.ctl("doctor", check=False)
        self.assertIn(why, " ".join(doctor.split()))


class Direct(Case):

    def test_the_bridge_sees_one_packet_a_second(self):
        self.start()
        self.check_is_direct()
        self.watch_the_bridge()
        before = self.seen_by_the_bridge()
        begun = time.monotonic()
        sent, direct = self.converse(3)
        seen = self.seen_by_the_bridge() - before
        took = time.monotonic() - begun
        self.net.gateway.nft("delete table bridge elsewhere")
        print(f"{sent} sent, {direct} past the bridge, it saw {seen}")
        # What is not leased, or not yet, goes by it as well.
        self.assertGreater(direct, STAY * sent)
        self.assertGreaterEqual(seen, 2)
        self.assertLessEqual(seen, sent - direct + took)
        self.assertIn(", direct)", self.symtapd.ctl("status"))

    def test_the_bridge_does_not_forget_who_sends(self):
        gateway = self.net.gateway
        gateway.run("ip", "link", "set", "br0", "type", "bridge",
                    "ageing_time", str(AGEING_S * 100))
        self.addCleanup(gateway.run, "ip", "link", "set", "br0", "type",
                        "bridge", "ageing_time", "30000")
        self.start()
        self.check_is_direct()
        self.converse(2.5 * AGEING_S)
        known = gateway.run("bridge", "fdb", "show", "br", "br0")
        self.assertRegex(known, rf"{lab.GUARDED_MAC} dev lan0")

    def test_a_flood_is_held_all_the_same(self):
        self.start()
        self.check_is_direct()
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        source = traffic.sender(self.net.host, STRANGER)
        for number in range(2000):
            source.sendto(traffic.numbered(number), (OUTER, 9))
        arrived = len(ear.receive(2))
        print(f"{arrived} of a flood of 2000")
        self.assertLess(arrived, 100)
        self.check_is_direct()

    def test_it_is_refused_where_the_bridge_has_more_to_say(self):
        """And comes back when that is over."""
        gateway = self.net.gateway
        bridge = ("ip", "link", "set", "br0", "type", "bridge")
        self.start()
        for option, why in (("stp_state", "spanning tree"),
                            ("vlan_filtering", "filters VLANs")):
            self.check_is_direct()
            if not gateway.run("sh", "-c", "ls /sys/class/net/br0/bridge/"
                               f"{option} || true").startswith("/"):
                print(f"a bridge of this kernel has no {option}")
                continue
            gateway.run(*bridge, option, "1")
            self.addCleanup(gateway.run, *bridge, option, "0")
            self.check_is_refused(why)
            gateway.run(*bridge, option, "0")
        self.check_is_direct()

    def set_port(self, port, *flags):
        self.net.gateway.run("bridge", "link", "set", "dev", port, *flags)

    def test_a_port_that_others_are_not_sought_at_is_left_out(self):
        """Isolated from other ports, or nobody is learned there."""
        self.start()
        for flag, set_to, usual, why in (
                ("isolated", "on", "off", "wan0 is isolated"),
                ("learning", "off", "on", "does not learn who is at wan0")):
            self.check_is_direct()
            self.set_port("wan0", flag, set_to)
            self.addCleanup(self.set_port, "wan0", flag, usual)
            self.check_is_refused(why)
            self.set_port("wan0", flag, usual)
        self.check_is_direct()

    def test_a_port_that_is_locked_keeps_to_its_bridge(self):
        """Who may send by it is for the bridge to say, frame by frame."""
        known = ("fdb", "replace", lab.GUARDED_MAC, "dev", "lan0", "master",
                 "static")
        self.start()
        self.check_is_direct()
        self.net.gateway.run("bridge", *known)
        self.set_port("lan0", "locked", "on")
        self.addCleanup(self.set_port, "lan0", "locked", "off")
        self.check_is_refused("locked")
        self.set_port("lan0", "locked", "off")
        self.check_is_direct()

    def test_what_a_port_may_not_send_does_not_leave(self):
        """The port is disabled, by somebody's hand."""
        self.start()
        self.check_is_direct()
        self.set_port("lan0", "state", "0")
        self.addCleanup(self.set_port, "lan0", "state", "3")
        self.assertTrue(lab.eventually(
            lambda: not self.status()["interfaces"][0]["direct"], 10),
            self.status())
        self.assertIsNone(self.status()["direct_error"])
        self.set_port("lan0", "state", "3")
        self.check_is_direct()

    def test_it_goes_and_comes_with_the_policy(self):
        self.start()
        self.check_is_direct()
        self.reload(direct=False)
        self.assertEqual(self.converse(0.3)[1], 0)
        self.assertIsNone(self.status()["direct_error"])
        self.reload(rules="[{priority: 1, match: {dst_port: 7}, "
                    "action: log}]")
        self.check_is_refused("each packet")
        self.reload()
        self.check_is_direct()

    def test_who_answers_by_another_port_is_sent_to_there(self):
        """A neighbour that moves: the packets that still go by the bridge
        find it, and its answers tell."""
        self.start()
        self.check_is_direct()
        talk = self.talk((HOST, OUTER), seconds=4, pkts_per_s=PKTS_PER_S)
        time.sleep(1)
        self.move_outside()
        result = talk.finish()
        print(f"{result['answered']} of {result['sent']} answered")
        self.assertGreater(result["answered"], 0.4 * result["sent"])
        self.check_is_direct()

    def move_outside(self):
        """Its cable is put into another port, by somebody quick."""
        gateway, outside = self.net.gateway, self.net.outside
        gateway.run("ip", "link", "add", "wan1", "type", "veth", "peer",
                    "name", "moved", "netns", outside.name)
        self.addCleanup(self.move_back)
        mac = outside.mac("eth0")
        outside.run("ip", "link", "set", "moved", "address", mac)
        outside.address("moved", f"{OUTER}/16")
        outside.up("moved")
        self.net.add_port("wan1")
        gateway.run("ip", "link", "set", "wan0", "nomaster")
        # It always has a way to answer by.
        outside.run("ip", "addr", "del", f"{OUTER}/16", "dev", "eth0")

    def move_back(self):
        self.net.gateway.run("ip", "link", "del", "wan1")
        self.net.add_port("wan0")
        self.net.outside.address("eth0", f"{OUTER}/16")


class Ruled(Case):
    """Somebody else's rules are asked for each packet."""

    @classmethod
    def build(cls):
        super().build()
        cls.net.outside.nft(
            "table inet arrived {\ncounter forbidden { }\nchain input {\n"
            "type filter hook input priority 0;\n"
            f"udp dport {FORBIDDEN} counter name forbidden\n}}\n}}\n")

    def forbidden_arrived(self):
        """In a while."""
        counts = []
        for pause_s in (0.5, 0):
            counts.append(int(re.search(r"packets (\d+)", self.net.outside.run(
                "nft", "list", "counter", "inet", "arrived",
                "forbidden")).group(1)))
            time.sleep(pause_s)
        return counts[1] - counts[0]

    def has_br_netfilter(self):
        return "bridge-nf" in self.net.gateway.run(
            "sysctl", "-a", "--pattern", "^net.bridge")

    def check_is_ruled(self, table, body):
        """Also of what went past the bridge before they came."""
        self.check_is_direct()
        talk = self.talk((HOST, OUTER), seconds=bed.LONG, port=FORBIDDEN,
                         pkts_per_s=PKTS_PER_S)
        time.sleep(0.5)
        self.assertGreater(self.forbidden_arrived(), 0)
        self.net.gateway.nft(f"table {table} {{\n{body}\n}}\n")
        self.check_is_refused(f"nftables' table {table}")
        self.assertEqual(self.forbidden_arrived(), 0)
        self.net.gateway.nft(f"delete table {table}")
        talk.end()

    def test_what_they_forbid_does_not_leave_past_them(self):
        drop = f"udp dport {FORBIDDEN} drop"
        self.start()
        # 6.1's br_netfilter goes past other chains there of its own
        # priority, 0, whether there is a symtapd or not.
        self.check_is_ruled("bridge elsewhere", "chain forward {\n"
                            "type filter hook forward priority 1;\n"
                            f"{drop}\n}}")
        self.check_is_ruled("bridge other", f"chain some {{\n{drop}\n}}\n"
                            "chain after {\n"
                            "type filter hook postrouting priority 0;\n"
                            "jump some\n}")
        self.check_is_ruled("netdev elsewhere", "chain from {\n"
                            "type filter hook ingress device lan0 "
                            f"priority 0;\n{drop}\n}}")
        self.check_is_ruled("netdev elsewhere", "chain to {\n"
                            "type filter hook egress device wan0 "
                            f"priority 0;\n{drop}\n}}")
        if self.has_br_netfilter():
            self.check_is_ruled("inet elsewhere", "chain forward {\n"
                                "type filter hook forward priority 0;\n"
                                f"{drop}\n}}")
        self.check_is_direct()

    def test_rules_that_are_not_on_its_way_do_not_matter(self):
        """Nor those that let it pass whatever they find."""
        self.start()
        self.net.gateway.nft(
            "table inet elsewhere {\nchain input {\n"
            "type filter hook input priority 0; policy drop;\n}\n}\n"
            "table bridge elsewhere {\nchain forward {\n"
            "type filter hook forward priority 0;\n"
            "ip saddr 10.20.0.0/16 counter accept\n}\n"
            "chain input {\ntype filter hook input priority 0;\n"
            "udp dport 5354 drop\n}\n}\n"
            "table netdev elsewhere {\nchain from {\n"
            "type filter hook ingress device wan0 priority 0;\n"
            f"udp dport {FORBIDDEN} drop\n}}\n}}\n")
        self.assertTrue(lab.eventually(self.is_direct, 10), self.status())
        time.sleep(1.5)  # until they were looked at
        self.check_is_direct()
        self.assertIsNone(self.status()["direct_error"])
        for family in ("inet", "bridge", "netdev"):
            self.net.gateway.nft(f"delete table {family} elsewhere")


class Legacy(Case):
    """A network of its own: the table stays there once it was asked for."""

    def test_who_has_rules_of_iptables_legacy_has_it_not(self):
        if not shutil.which("iptables-legacy"):
            self.skipTest("there is no iptables-legacy")
        if "bridge-nf" not in self.net.gateway.run(
                "sysctl", "-a", "--pattern", "^net.bridge"):
            self.skipTest("there is no br_netfilter")
        self.start()
        self.check_is_direct()
        self.net.gateway.run("iptables-legacy", "-A", "FORWARD", "-p", "udp",
                             "--dport", str(FORBIDDEN), "-j", "DROP")
        self.check_is_refused("iptables-legacy")


class Tracked(Case):

    def test_it_is_refused_where_connections_are_tracked(self):
        self.start()
        self.check_is_direct()
        self.net.gateway.nft(
            "table inet elsewhere {\nchain forward {\n"
            "type filter hook forward priority 0;\n"
            "ct state invalid drop\n}\n}\n")
        self.check_is_refused("tracked")
        self.net.gateway.nft("delete table inet elsewhere")


if __name__ == "__main__":
    bed.main()
