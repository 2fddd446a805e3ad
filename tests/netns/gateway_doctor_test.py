#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What doctor finds at a gateway with a fast path: who else has its packets,
or uses its bits of the mark."""

import json
import os
import subprocess
import threading

import gateway_bed as bed
import lab
import symtapd
import traffic

FAST = "lan0, lan1"
BPF = os.path.join(bed.BUILD, "tests/others.bpf.o")
EMPTY = os.path.join(bed.BUILD, "tests/bench/fast.parts/bench-fast-attach")
WITHOUT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "without.py")


class Doctor(bed.Case):

    FAST = FAST

    def doctor(self):
        """What it says, by the name of each finding."""
        answer = json.loads(self.symtapd.ctl("--json", "doctor", check=False))
        found = {}
        for finding in answer["ok"]["findings"]:
            found.setdefault(finding["id"], []).append(finding["what"])
        return found

    def check_finds(self, before, name, *words):
        """It alone is new, and says so."""
        found = self.doctor()
        self.assertEqual(set(found) - set(before), {name}, found)
        for word in words:
            self.assertTrue(any(word in what for what in found[name]),
                            f"{word} in {found[name]}")

    def test_programs_of_others_are_found(self):
        gateway = self.net.gateway
        self.start()
        self.symtapd.a_second_later()  # it knows the interfaces by then
        before = self.doctor()
        for name in ("xdp", "tc-program", "mark-taken", "lro", "fast-off"):
            self.assertNotIn(name, before)
        gateway.run("ip", "link", "set", "dev", "wan0", "xdp", "obj", BPF,
                    "sec", "xdp")
        self.check_finds(before, "xdp", "others_xdp at wan0")
        gateway.run("ip", "link", "set", "dev", "wan0", "xdp", "off")
        gateway.run("tc", "qdisc", "add", "dev", "lan1", "clsact")
        try:
            gateway.run("tc", "filter", "add", "dev", "lan1", "egress", "bpf",
                        "da", "obj", BPF, "sec", "tc")
            self.check_finds(before, "tc-program",
                             "others_tc at lan1, egress, runs behind")
        finally:
            gateway.run("tc", "qdisc", "del", "dev", "lan1", "clsact")
        self.assertEqual(self.doctor(), before)

    def test_one_that_came_first_is_found(self):
        empty = self.net.gateway.start(EMPTY, "lan0", stdout=subprocess.PIPE)
        self.addCleanup(empty.terminate)
        self.assertEqual(empty.stdout.readline(), b"ready\n")
        self.start()
        found = self.doctor().get("tc-program", [])
        self.assertEqual(len(found), 2, found)
        for what, where in zip(found, ("ingress", "egress")):
            self.assertIn(f"bench_empty at lan0, {where}, runs before", what)

    def test_others_that_use_its_bits_of_the_mark_are_found(self):
        gateway = self.net.gateway
        self.start()
        before = self.doctor()
        for mark, is_ours in (("0x100000/0x100000", True), ("7", True),
                              ("0x7/0xff", False)):
            rule = ("fwmark", mark, "lookup", "main", "pref", "77")
            gateway.run("ip", "rule", "add", *rule)
            try:
                self.check_marks(before, is_ours, "ip rule 77, fwmark 0x")
            finally:
                gateway.run("ip", "rule", "del", *rule)
        for rule, is_ours in (
                ("meta mark 7 accept", True),
                ("meta mark and 0xff == 7 accept", False),
                ("meta mark and 0x200000 == 0x200000 accept", True),
                ("meta mark { 1, 2 } accept", True),
                ("meta mark set 7", True),
                ("meta mark set ct mark", True),
                ("meta mark set mark or 7", False),
                ("meta mark set mark and 0xff0fffff", True),
                ("ct mark set mark", False)):
            gateway.nft("add table ip marks\n"
                        "add chain ip marks early { type filter hook "
                        "prerouting priority -400; }\n"
                        f"add rule ip marks early iifname none0 {rule}\n")
            try:
                self.check_marks(before, is_ours, "table marks, chain early")
            finally:
                gateway.nft("delete table ip marks")

    def check_marks(self, before, is_ours, words):
        if is_ours:
            self.check_finds(before, "mark-taken", words)
        else:
            self.assertEqual(self.doctor(), before)

    def test_answers_that_take_another_way_in_are_found(self):
        gateway = self.net.gateway
        for name in ("all", "lan0"):
            gateway.write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", 0)
        self.net.neighbour.address("eth0", f"{lab.GUARDED}/32")
        gateway.run("ip", "route", "replace", lab.GUARDED, "dev", "lan1")
        try:
            self.start()
            self.symtapd.a_second_later()
            self.assertNotIn("two-zones", self.doctor())
            ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
            sender = traffic.sender(self.net.host, lab.GUARDED)
            sender.sendto(traffic.numbered(0), (lab.OUTSIDE, 9))
            first, = ear.receive(3, 1)
            found = threading.Event()

            def go_on():
                while not found.wait(0.02):
                    sender.sendto(traffic.numbered(0), (lab.OUTSIDE, 9))
                    ear.answer(first)
            thread = threading.Thread(target=go_on)
            thread.start()
            try:
                what, = lab.eventually(
                    lambda: self.doctor().get("two-zones"), 20) or [""]
            finally:
                found.set()
                thread.join()
            self.assertRegex(what, f"{lab.GUARDED} sends to {lab.OUTSIDE} in "
                             "the zone lan0 and hears from it in lan1")
        finally:
            gateway.run("ip", "route", "replace", lab.GUARDED, "dev", "lan0")
            self.net.neighbour.run("ip", "addr", "del", f"{lab.GUARDED}/32",
                                   "dev", "eth0")

    def test_an_inside_that_nobody_is_of_is_found(self):
        self.start(inside="[10.99.0.0/16]")
        sender = traffic.sender(self.net.host, lab.GUARDED)
        for _ in range(1000):
            sender.sendto(b"", (lab.OUTSIDE, 9))
        self.assertTrue(lab.eventually(
            lambda: "nobody-inside" in self.doctor()))

    def test_an_interface_that_is_not_there_is_missed(self):
        self.addCleanup(setattr, symtapd, "FAST", FAST)
        symtapd.FAST = FAST + ", lan7"
        self.start()
        self.assertEqual(self.doctor().get("fast-missing"),
                         ["The fast path is not at lan7: its packets come "
                          "to the queues."])

    def test_it_says_why_there_is_no_fast_path(self):
        self.symtapd.start(prefix=(WITHOUT, "BPF_PROG_LOAD=EPERM"))
        found = self.doctor()
        self.assertIn("fast-off", found)
        status = self.symtapd.ask("status")["fast"]
        self.assertFalse(status["runs"])
        self.assertIn(status["error"][:60], found["fast-off"][0])
        self.assertIn("fast path: off; " + status["error"][:40],
                      self.symtapd.ctl("status"))


if __name__ == "__main__":
    bed.main()
