#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd comes and goes: what it leaves in the kernel, what becomes of the
packets that wait, and what it says when it cannot start."""

import os
import re
import shutil
import signal
import subprocess
import threading

import gateway_bed as bed
import lab
import symtapd
import traffic

FIRST_QUEUE = 1000
# What an operator may have there already.
OPERATORS = """
table inet firewall {
	set trusted {
		type ipv4_addr
		flags timeout
		elements = { 192.0.2.9 }
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr @trusted accept comment "a friend"
		meta mark set meta mark | 0x80
	}
}
table ip nat {
	chain post {
		type nat hook postrouting priority srcnat;
		oifname "nowhere" masquerade
	}
}
table bridge filter {
	chain forward {
		type filter hook forward priority 0;
		ether type arp accept
	}
}
"""


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
        self.check_figures(ear.receive(0.9), 0.8)
        self.hang_up()

    def test_stop_leaves_nothing(self):
        self.start()
        self.assertIn("symtap", self.tables())
        self.assertEqual(len(self.queues()), 3)
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertEqual(self.tables(), "")
        self.assertEqual(self.queues(), [])

    def test_stop_after_a_reload_removes_its_socket(self):
        """The policy that it began with is gone, and its memory is others'."""
        self.start()
        self.symtapd.reload()
        for question in ("stats", "doctor", "top", "status"):
            self.symtapd.ask(question)
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertFalse(os.path.exists(self.symtapd.path("control.sock")),
                         self.symtapd.log())

    def test_stop_while_reloads_wait(self):
        """One is under way and another was asked for, when the end comes: it
        is stopped for so long that it finds all three at once."""
        self.start()
        control = self.symtapd.begin_to_ask("status")
        self.assertIn(b"ok", control.recv(65536))
        self.symtapd.process.send_signal(signal.SIGSTOP)
        control.sendall(b"reload\n")
        self.symtapd.process.send_signal(signal.SIGHUP)
        self.symtapd.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.symtapd.stop(signal.SIGCONT), 0)
        control.close()
        self.assertNotIn("ERROR: AddressSanitizer", self.symtapd.log())
        self.assertNotIn("rules: ", self.symtapd.log().partition("ends, by")[2])
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

    def test_closed_stays_so_whatever_a_start_lacks(self):
        self.start(fail="closed")
        self.assertEqual(self.symtapd.stop(), 0)
        for files in range(4, 64):
            try:
                self.symtapd.restart(prefix=("prlimit", f"--nofile={files}"))
                break
            except symtapd.SymtapdError:
                self.assertIn("symtap", self.tables(), self.symtapd.log())
        self.assertNotIn("memory", self.symtapd.log())
        self.assertIn("the rules cannot be installed", self.symtapd.log())
        self.assertTrue(self.symtapd.is_running(), self.symtapd.log())

    def test_flushed_ruleset_is_back_within_a_second(self):
        self.start()
        self.net.gateway.nft("flush ruleset")
        self.assertTrue(lab.eventually(lambda: "symtap" in self.tables(), 1))
        self.assertTrue(lab.eventually(
            lambda: "put back" in self.symtapd.log(), 1))
        self.check_held()

    def test_what_the_kernel_drops_from_the_queue_is_told(self):
        """Whoever removes a base chain empties all queues."""
        chain = ("table ip other { chain c { type filter hook output "
                 "priority 0; }; }")
        self.start(limits=bed.ROOM)
        self.net.gateway.nft(chain)
        self.fill(200)
        self.symtapd.wait_for("waited_pkts", 8)
        self.assertEqual(self.symtapd.counters()["verdicts_late"], 0)
        self.net.gateway.nft("delete table ip other")
        self.symtapd.wait_for("verdicts_late", 1)
        self.assertEqual(self.symtapd.counters()["verdict_errors"], 0)
        self.assertIn("waiting-dropped",
                      self.symtapd.ctl("doctor", check=False))

    def test_nobody_waits_behind_what_the_kernel_dropped(self):
        """300 packets waited, half a minute; one more, of before a second
        flush and after it, does not."""
        self.start(limits=bed.ROOM)
        ear = self.fill(300)
        self.symtapd.wait_for("waited_pkts", 8)
        for number in (1000, 1001):
            self.net.gateway.nft("flush ruleset")
            self.assertTrue(lab.eventually(lambda: "symtap" in self.tables(),
                                           2))
            traffic.sender(self.net.host, lab.GUARDED).sendto(
                traffic.numbered(number), (lab.OUTSIDE, 9))
            arrived = traffic.numbers(ear.receive(5, 1))
            while arrived and arrived[-1] < number:
                arrived = traffic.numbers(ear.receive(5, 1))
            self.assertEqual(arrived[-1:], [number])
            self.assertEqual(self.symtapd.settled()["verdict_errors"], 0)
        lost = self.symtapd.counters()["dropped_lost"]
        self.assertGreater(lost, 200)
        self.assertLess(lost, 300)
        held, = [row["held_packets"] for row in
                 self.symtapd.ask("top by=held scope=host")["rows"]
                 if row["inside"] == lab.GUARDED] or [0]
        self.assertEqual(held, 0)

    def test_reloads_while_others_change_their_rules(self):
        """Each time it looks at all rules that there are, and these change
        meanwhile."""
        self.start()
        gateway = self.net.gateway
        rules = "".join(f'tcp dport {number + 1} counter comment "{number}"\n'
                        for number in range(4000))
        gateway.nft("table inet other {\nchain of {\n" + rules + "}\n}")
        ended = threading.Event()

        def change():
            while not ended.is_set():
                gateway.nft("add table ip another; delete table ip another")
        other = threading.Thread(target=change)
        other.start()
        try:
            for _ in range(20):
                self.symtapd.reload()
        finally:
            ended.set()
            other.join()
            gateway.nft("delete table inet other")
        self.check_held()

    def test_tracking_that_comes_with_many_rules_is_followed(self):
        """More than what is told of them at once has room for."""
        self.start()
        self.assertNotIn("as connection tracking did", self.symtapd.log())
        rules = "".join(f'tcp dport {number + 1} counter comment "{number}"\n'
                        for number in range(20000))
        self.net.gateway.nft("table inet other {\nchain of {\n" + rules +
                             "}\n}\n" + OPERATORS)
        self.assertTrue(lab.eventually(
            lambda: "as connection tracking did" in self.symtapd.log(), 10))
        self.check_held()
        for table in ("inet other", "inet firewall", "ip nat", "bridge filter"):
            self.net.gateway.nft(f"delete table {table}")

    def test_tracking_that_nobody_tells_of_is_followed(self):
        """As that of rules that nf_tables knows nothing of."""
        if shutil.which("iptables-legacy") is None:
            self.skipTest("there is no iptables-legacy here")
        self.net.gateway.run("conntrack", "-F")
        self.start()
        rule = ("FORWARD", "-m", "conntrack", "--ctstate", "INVALID",
                "-j", "DROP")
        self.net.gateway.run("iptables-legacy", "-A", *rule)
        self.check_whole(self.talk().finish())
        self.assertTrue(lab.eventually(
            lambda: "as connection tracking did" in self.symtapd.log(), 3))
        self.check_held()
        self.net.gateway.run("iptables-legacy", "-D", *rule)

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

    def test_there_is_one_in_a_network(self):
        """The second has queues and a socket of its own."""
        self.start()
        second = symtapd.Symtapd(self.net.gateway, bed.BUILD)
        self.addCleanup(second.close)
        for _ in range(2):
            with self.assertRaisesRegex(symtapd.SymtapdError,
                                        "another symtapd guards this network"):
                second.start(datapath="{nfqueue: {first_queue: 2000}}")
        self.check_whole(self.talk(seconds=0.2).finish())
        self.assertNotIn("put back", self.symtapd.log())

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

    def sysctls(self):
        """Of this namespace, but for those that count or are random."""
        return [line for line in self.net.gateway.run(
            "sysctl", "-a", "--pattern", "^net[.]").splitlines()
                if "conntrack_count" not in line and "nr_open" not in line]

    def test_nothing_but_its_own_table_is_touched(self):
        self.net.gateway.nft(OPERATORS)
        self.addCleanup(self.net.gateway.nft, "flush ruleset")
        tables = [line.removeprefix("table ").split()
                  for line in self.tables().splitlines()]
        self.assertEqual(len(tables), 3)

        def of_others():
            return [self.net.gateway.run("nft", "-a", "list", "table", *table)
                    for table in tables]

        before, sysctls = of_others(), self.sysctls()
        self.before = self.of_the_kernel()
        self.start(rules=[])
        self.assertEqual(of_others(), before)
        self.check_held()
        self.symtapd.write_policy(rules="[{priority: 7, match: {proto: udp, "
                                        "dst_port: 9}, action: drop}]")
        self.symtapd.reload()
        self.assertEqual(of_others(), before)
        self.assertEqual(self.sysctls(), sysctls)
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertEqual(of_others(), before)
        self.assertEqual(self.sysctls(), sysctls)

    def ignores_sigpipe(self):
        """Of which it thinks first."""
        with open(f"/proc/{self.symtapd.process.pid}/status",
                  encoding="ascii") as status:
            ignored = re.search(r"^SigIgn:\s*(\w+)$", status.read(), re.M)
        return int(ignored[1], 16) >> signal.SIGPIPE - 1 & 1

    def test_a_reload_that_comes_too_soon_is_done(self):
        self.symtapd.write_policy()
        self.symtapd.begin()
        self.assertTrue(lab.eventually(self.ignores_sigpipe, 20, 0.001))
        self.symtapd.process.send_signal(signal.SIGHUP)
        self.assertTrue(lab.eventually(
            lambda: "reload: " in self.symtapd.log() or
            not self.symtapd.is_running()), self.symtapd.log())
        self.assertTrue(self.symtapd.is_running(), self.symtapd.log())

    def test_reloads_at_once_are_all_done(self):
        """None is refused because of another."""
        self.start()
        self.symtapd.write_policy(limiter="{threshold: 1.5}")
        asked = []
        for _ in range(8):
            asked.append(self.symtapd.begin_to_ask("reload"))
            self.symtapd.process.send_signal(signal.SIGHUP)
        for each in asked:
            self.assertIn("is in force",
                          self.symtapd.answer(each, "reload")["reloaded"])
        self.check_whole(self.talk().finish())
        row, = self.symtapd.ask("top scope=pair")["rows"]
        self.assertEqual(row["threshold"], 1.5)

    def test_the_kernel_is_asked_only_when_something_came(self):
        """How much its queues dropped: once a second, and an idle engine is
        not woken for it."""
        traced = self.symtapd.path("traced")
        self.symtapd.start(prefix=(
            shutil.which("strace"), "-f", "-D", "-qq", "-e", "trace=openat",
            "-o", traced))

        def times():
            with open(traced, encoding="utf-8") as file:
                return file.read().count("/proc/net/netfilter/nfnetlink_queue")

        for _ in range(2):
            before = times()
            self.talk(seconds=0.02).finish()
            self.assertTrue(lab.eventually(lambda: times() > before, 5))
            # One that it is about to, and what came late.
            self.symtapd.a_second_later()
            idle = times()
            self.symtapd.a_second_later()
            self.assertEqual(times(), idle)

    def test_executes_no_program_and_leaves_no_file(self):
        """With an empty PATH, and every call traced that runs a program or
        makes a file."""
        traced = self.symtapd.path("traced")
        self.symtapd.start(environment={"PATH": ""}, prefix=(
            shutil.which("strace"), "-f", "-D", "-qq", "-s", "500", "-e",
            "trace=%file,execve,execveat,fork,vfork,bind,memfd_create",
            "-o", traced))
        # Held, however late a daemon is that is traced.
        ear = self.fill(100)
        self.assertIn(len(ear.receive(0.9)), range(bed.BURST, 16))
        self.hang_up()
        self.symtapd.ctl("reload")
        self.assertEqual(self.symtapd.stop(), 0)
        with open(traced, encoding="utf-8") as file:
            calls = file.read()
        self.assertEqual(re.findall(r" execve\(\"([^\"]*)", calls),
                         [symtapd.find(bed.BUILD, "symtapd")])
        self.assertNotRegex(calls, r" (execveat|v?fork|memfd_create)\(")
        made = {re.findall(r'"([^"]*)"', line)[-1]
                for line in calls.splitlines()
                if re.search(r"O_CREAT| (bind|rename\w*|link\w*|mkdir\w*)\(.*"
                             r'"', line) and " = -1 " not in line}
        self.assertIn(self.symtapd.path("control.sock"), made)
        self.assertEqual({path for path in made if os.path.lexists(path)},
                         {self.symtapd.path("state")})


if __name__ == "__main__":
    bed.main()
