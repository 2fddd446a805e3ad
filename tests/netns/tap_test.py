#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The network tap: symtap-tap carries a gateway's packets to a symtapd that has
a network of its own, where none of them ever is."""

import json
import os
import re
import signal
import subprocess
import time
import unittest
import urllib.request

import frames
import lab
import symtapd
import traffic

BUILD = os.environ["SYMTAP_BUILD"]
QUEUE = 4242
BLAST = 40000
RATE = 300
ROOM = ("{pairs: 4096, flows: 4096, hosts: 256, held_packets: 4096, "
        "held_packets_per_host: 2048, held_packets_per_key: 2048}")


class Tap(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab("tap")
        cls.addClassCleanup(cls.lab.close)
        cls.net = lab.Routed(cls.lab)
        cls.judges = cls.lab.namespace("judge")
        cls.net.gateway.run("iptables", "-A", "FORWARD", "-j", "NFQUEUE",
                            "--queue-num", str(QUEUE))

    def setUp(self):
        self.symtapd = symtapd.Symtapd(self.judges, BUILD)
        self.addCleanup(self.symtapd.close)
        self.place = f"unix:{self.symtapd.path('tap')}"
        self.ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9000)
        self.addCleanup(self.ear.socket.close)
        self.sender = traffic.sender(self.net.host, lab.GUARDED)
        self.addCleanup(self.sender.close)
        self.carrier = None

    def tearDown(self):
        if self.symtapd.is_running():
            self.symtapd.stop()
        if self.carrier:
            self.carrier.terminate()
            self.assertEqual(self.carrier.wait(5), 0, self.said())

    def said(self):
        with open(self.symtapd.path("tap.log"), encoding="utf-8") as log:
            return log.read()

    def says(self, text, seconds=20, times=1):
        self.assertTrue(lab.eventually(
            lambda: self.said().count(text) >= times, seconds), self.said())

    def start(self, log, *options):
        self.carrier = self.net.gateway.start(
            symtapd.find(BUILD, "symtap-tap"), "--judge", self.place,
            *options, stderr=log, env={
                **os.environ,
                # A sanitizer may not look at who is confined.
                "ASAN_OPTIONS": "detect_leaks=0"})

    def carry(self, *options):
        with open(self.symtapd.path("tap.log"), "w", encoding="utf-8") as log:
            self.start(log, *options)
        self.says("carries queue")

    def judge(self, again=False, **policy):
        prefix = ("sh", "-c", f'exec "$@" --tap {self.place}', "sh")
        if again:
            self.symtapd.restart(prefix=prefix)
        else:
            self.symtapd.start(prefix=prefix, limits=ROOM, **policy)

    def flood(self, seconds=1.5):
        """How many were sent, and how many of them arrived."""
        sent, arrived = traffic.flood(self.sender, (lab.OUTSIDE, 9000),
                                      self.ear, seconds, 0, RATE)
        return sent, len(arrived + self.ear.receive(0.2))

    def check_free(self, seconds):
        """All that is sent arrives."""
        sent, arrived = traffic.flood(self.sender, (lab.OUTSIDE, 9000),
                                      self.ear, seconds, 0, RATE)
        arrived += self.ear.receive(5, sent - len(arrived))
        self.assertEqual(len(arrived), sent)

    def counted(self):
        """By both ends."""
        return {(row["of"], row["name"]): row["value"]
                for row in self.symtapd.ask("stats")["counters"]}

    def test_what_conforms_goes_unasked(self):
        """And is told of all the same; a flood after it is held."""
        self.carry()
        self.judge()
        self.says("the judge may interpose")
        said = self.net.host.run("ping", "-c", "400", "-i", "0.005", "-q",
                                 lab.OUTSIDE)
        self.assertIn(" 0% packet loss", said)
        self.assertTrue(lab.eventually(
            lambda: (now := self.counted())["tap", "received_pkts"] ==
            now["carrier", "offered_pkts"] >= 800), self.counted())
        counted = self.counted()
        self.assertGreater(counted["carrier", "observed_pkts"],
                           counted["carrier", "asked_pkts"])
        _, arrived = self.flood()
        self.assertLessEqual(arrived, 24)

    def test_what_another_network_judges_is_held_here(self):
        self.carry()
        self.judge()
        self.says("the judge may interpose")
        sent, arrived = self.flood()
        self.assertGreater(sent, 300)
        self.assertLessEqual(arrived, 24)  # 13, and 9 in half a second
        self.assertTrue(self.net.host.is_answered(lab.NEIGHBOUR))
        row, = (each for each in self.symtapd.ask("top scope=pair")["rows"]
                if each["outside"] == lab.OUTSIDE)
        self.assertGreater(float(row["S_let_out"]), 2)

    def test_what_both_ends_count_is_shown(self):
        self.carry()
        self.judge(metrics="{listen: '127.0.0.1:9321'}")
        self.says("the judge may interpose")
        sent, _ = self.flood(0.5)
        # The carrier tells the judge, twice a second.
        self.symtapd.wait_for("offered_pkts", sent)

        self.assertTrue(lab.eventually(
            lambda: (now := self.counted())["tap", "received_pkts"] ==
            now["carrier", "asked_pkts"]), self.counted())
        self.assertEqual(self.counted()["carrier", "judges"], 1)
        tap = self.symtapd.ask("status")["tap"]
        self.assertEqual(tap["mode"], "interpose")
        self.assertTrue(lab.eventually(
            lambda: self.symtapd.ask("status")["tap"]["received_packets"] >=
            sent))
        said = self.symtapd.ctl("status")
        self.assertIn("tap: we may interpose", said)
        self.assertNotIn("queues 0 and 0", said)
        self.assertRegex(said, r"\n  tap: \d+ packets offered")
        with self.judges.entered():
            with urllib.request.urlopen(
                    "http://127.0.0.1:9321/metrics") as answer:
                page = answer.read().decode()
        for name in ("received_packets", "carrier_offered_packets"):
            value, = re.findall(rf"^symtap_tap_{name}_total (\d+)$", page, re.M)
            self.assertGreaterEqual(int(value), sent)
        # There is nothing to forward in its network, and no need to.
        self.assertEqual(self.judges.read("/proc/sys/net/ipv4/ip_forward"), "0")
        self.assertNotIn("forwarding", self.symtapd.ctl("doctor", check=False))

    def test_the_mode_follows_the_policy_under_traffic(self):
        self.carry()
        self.judge()
        self.says("the judge may interpose")
        self.flood(0.5)
        for times, mode, word in ((1, "shadow", "observe"),
                                  (2, "enforce", "interpose")):
            self.symtapd.write_policy(mode=mode, limits=ROOM)
            self.symtapd.reload()
            self.says(f"the judge may {word}", times=times)
            self.ear.receive(0.5)
            if mode == "shadow":
                self.check_free(1)
            else:
                sent, arrived = self.flood(1)
                self.assertLess(arrived, sent / 4)
        # Its operator has the last word.
        self.carrier.send_signal(signal.SIGUSR1)
        self.says("the judge may observe", times=2)
        self.ear.receive(0.5)
        self.check_free(1)

    def lose_judge(self, fail):
        """What did not arrive of who waited, within a second."""
        self.carry("--fail", fail)
        self.judge()
        self.says("the judge may interpose")
        sent, arrived = self.flood()
        begin = time.monotonic()
        self.symtapd.process.send_signal(signal.SIGKILL)
        self.symtapd.process.wait()
        waited = len(self.ear.receive(1))
        self.says("the judge is gone")
        self.assertLess(time.monotonic() - begin, 2)
        return sent - arrived - waited

    def test_without_a_judge_packets_pass_where_fail_is_open(self):
        self.assertEqual(self.lose_judge("open"), 0)
        self.check_free(0.5)
        self.judge(again=True)
        self.says("the judge may interpose", times=2)
        sent, arrived = self.flood(1)
        self.assertLess(arrived, sent / 4)

    def test_without_a_judge_nothing_passes_where_fail_is_closed(self):
        self.assertGreater(self.lose_judge("closed"), 300)
        self.assertEqual(self.flood(0.5)[1], 0)

    def test_a_judge_that_is_killed_and_started_holds_no_upload(self):
        """He meets it in its middle, with an empty window of it."""
        self.carry()
        self.judge(shipped=True)
        self.says("the judge may interpose")
        stream = f"{BUILD}/tests/xen/stream"
        sink = self.net.outside.start(stream, "take", lab.OUTSIDE, "8081",
                                      stdout=subprocess.DEVNULL)
        self.addCleanup(sink.wait)
        self.addCleanup(sink.kill)
        self.assertTrue(lab.eventually(lambda: self.net.outside.run(
            "ss", "-Htln", "sport = :8081")))
        upload = self.net.host.start(stream, lab.OUTSIDE, "8081", "6",
                                     stdout=subprocess.PIPE)
        self.addCleanup(upload.stdout.close)
        for kill in range(1, 4):
            before = self.symtapd.counters()["sent_pkts"]
            self.symtapd.wait_for("sent_pkts", before + 1)
            self.symtapd.process.send_signal(signal.SIGKILL)
            self.symtapd.process.wait()
            self.judge(again=True)
            begin = time.monotonic()
            while time.monotonic() - begin < 0.6:
                self.assertNotIn("is held", self.symtapd.ctl(
                    "explain", lab.OUTSIDE, check=False), f"kill {kill}")
            self.symtapd.wait_for("met_pkts", 1)
        said = json.loads(upload.communicate(timeout=20)[0])
        self.assertGreater(said["bytes"], 0)

    def test_it_outlives_who_reads_its_log(self):
        reader, log = os.pipe()
        with open(reader, "rb", buffering=0) as said:
            self.start(log)
            os.close(log)
            self.assertIn(b"carries queue", said.read(4096))
        self.said = lambda: ""
        self.judge()
        # It had something to say since.
        self.assertTrue(lab.eventually(
            lambda: self.symtapd.ask("status")["tap"]["mode"] == "interpose"))
        self.assertIsNone(self.carrier.poll())

    def test_it_ends_beside_traffic_and_nothing_is_lost(self):
        """What reaches the kernel's queue in its last moment goes on, too."""
        rule = ("FORWARD", "-j", "NFQUEUE", "--queue-num", str(QUEUE),
                "--queue-bypass")
        self.net.gateway.run("iptables", "-I", *rule)
        self.addCleanup(self.net.gateway.run, "iptables", "-D", *rule)
        counted = ("INPUT", "-p", "udp", "--dport", "9000")
        self.net.outside.run("iptables", "-A", *counted)
        self.addCleanup(self.net.outside.run, "iptables", "-D", *counted)
        frame = frames.ethernet(
            self.net.gateway.mac("lan0"), lab.GUARDED_MAC, 0x0800,
            frames.udp(lab.GUARDED, lab.OUTSIDE, 9001, 9000))

        def arrived():
            said = self.net.outside.run("iptables", "-L", "INPUT", "-vnx")
            return int(re.search(r"^ *(\d+) .*dpt:9000", said, re.M)[1])

        for ending in range(1, 6):
            self.carry()
            blast = traffic.Blast(self.net.host, "eth0", frame, BUILD,
                                  count=BLAST)
            before = arrived()
            lab.eventually(lambda: arrived() > before, 5, 0.01)
            self.carrier.send_signal(signal.SIGHUP if ending == 5 else
                                     signal.SIGTERM)
            self.assertEqual(self.carrier.wait(5), 0, self.said())
            blast.finish()
            self.assertTrue(lab.eventually(
                lambda: arrived() == ending * BLAST, 10), self.said())


if __name__ == "__main__":
    lab.need_root()
    unittest.main(verbosity=2)
