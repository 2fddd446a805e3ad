#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd comes and goes: what it leaves in the kernel, what becomes of the
packets that wait, and what it says when it cannot start."""

import subprocess

import gateway_bed as bed
import lab
import symtapd
import traffic

FIRST_QUEUE = 1000


class Life(bed.Case):

    def queues(self):
        """Queue numbers that have an owner."""
        return [int(line.split()[0]) for line in self.net.gateway.read(
            "/proc/net/netfilter/nfnetlink_queue").splitlines()]

    def tables(self):
        return self.net.gateway.run("nft", "list", "tables")

    def fill(self, count=1000):
        """Packets that wait; who hears of them."""
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        for number in range(count):
            source.sendto(traffic.numbered(number), (lab.OUTSIDE, 9))
        return ear

    def check_held(self):
        ear = self.fill(100)
        self.check_figures([each.at for each in ear.receive(0.9)], 0.8)
        self.hang_up()

    def test_stop_leaves_nothing(self):
        self.start()
        self.assertIn("symtap", self.tables())
        self.assertEqual(len(self.queues()), 3)
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertEqual(self.tables(), "")
        self.assertEqual(self.queues(), [])

    def test_stop_releases_what_waits(self):
        self.start(limits=bed.ROOM)
        ear = self.fill()
        self.assertEqual(self.symtapd.stop(), 0)
        arrived = ear.receive(5, 1000)
        self.assertEqual(traffic.numbers(arrived), list(range(1000)))

    def test_closed_stop_drops_what_waits(self):
        self.start(limits=bed.ROOM, fail="closed")
        ear = self.fill()
        self.symtapd.wait_for("waited_pkts", 1)
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertLess(len(ear.receive(0.3)), bed.FIRST_SECOND + 18)
        self.assertIn("symtap", self.tables())
        self.symtapd.restart()
        self.check_whole(self.talk().finish())

    def test_flushed_ruleset_is_back_within_a_second(self):
        self.start()
        self.net.gateway.nft("flush ruleset")
        self.assertTrue(lab.eventually(lambda: "symtap" in self.tables(), 1))
        self.assertTrue(lab.eventually(
            lambda: "put back" in self.symtapd.log(), 1))
        self.check_held()

    def test_another_owner_of_the_queue_is_named(self):
        with self.net.gateway.entered():
            owner = subprocess.Popen(
                [symtapd.find(bed.BUILD, "bench-gateway-bare"),
                 str(FIRST_QUEUE)], stdout=subprocess.DEVNULL)
        self.lab.processes.append(owner)
        self.assertTrue(lab.eventually(lambda: FIRST_QUEUE in self.queues()))
        with self.assertRaises(symtapd.SymtapdError):
            self.symtapd.start()
        self.assertEqual(self.symtapd.process.wait(10), 1)
        self.assertIn(f"queue {FIRST_QUEUE} belongs to another program",
                      self.symtapd.log())
        self.assertIn("first_queue", self.symtapd.log())
        self.assertEqual(self.tables(), "")
        owner.terminate()
        owner.wait(5)

    def test_mistakes_end_with_status_2(self):
        good, bad = self.symtapd.path("symtap.yaml"), self.symtapd.path("bad")
        self.symtapd.write_policy()
        with open(bad, "w", encoding="utf-8") as file:
            file.write("nonsense: 1\n")
        for words, status in ((["-n", "-c", bad], 2), (["-c", bad], 2),
                              (["-c", "/nowhere"], 2), (["--frobnicate"], 2),
                              (["-n", "-c", good], 0), (["--version"], 0)):
            with self.subTest(words=words):
                ended = subprocess.run(
                    [symtapd.find(bed.BUILD, "symtapd"), *words], check=False,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    timeout=20)
                self.assertEqual(ended.returncode, status)

    def test_starts_with_an_empty_path(self):
        self.symtapd.start(environment={"PATH": ""})
        self.check_held()


if __name__ == "__main__":
    bed.main()
