#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What conforms stays in the kernel; what does not is held as ever."""

import os
import signal
import socket
import time

import frames
import gateway_bed as bed
import lab
import traffic

FAST = "lan0, lan1"
TCP_SECONDS = 1.5
FEW = 20  # packets that reach the daemon until it trusts a conversation


class Case(bed.Case):

    FAST = FAST

    @classmethod
    def build(cls):
        super().build()
        cls.build_crowd()

    def told(self, before):
        after = self.symtapd.settled()
        return {name: after[name] - before[name] for name in after}


class Fast(Case):

    def test_a_conversation_that_conforms_never_reaches_the_queue(self):
        self.start()
        talk, told = self.check_fast(seconds=1.5, few=FEW)
        self.assertGreaterEqual(told["fast_out_pkts"] + told["received_pkts"],
                                talk["sent"])
        self.assertEqual((told["waited_pkts"], told["fast_untold_pkts"]),
                         (0, 0))
        print(f"{talk['sent']} sent, {told['received_pkts']} came to the "
              "queue")

    def test_so_does_one_over_ipv6_and_a_ping(self):
        self.start()
        self.check_fast(seconds=1, few=FEW,
                        addresses=(lab.NEIGHBOUR6, lab.OUTSIDE6))
        before = self.symtapd.settled()
        self.net.host.run("ping", "-q", "-i", "0.01", "-c", "100",
                          lab.OUTSIDE)
        told = self.told(before)
        self.assertLess(told["received_pkts"], FEW)
        self.assertGreater(told["fast_in_pkts"], 100 - FEW)

    def test_a_flood_is_held_to_the_check_figures(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        talk = self.talk(seconds=bed.LONG)
        source = traffic.sender(self.net.host, lab.GUARDED)
        _, arrived = traffic.flood(source, (lab.OUTSIDE, 9), ear, 4)
        self.check_whole(talk.end())
        self.check_figures(arrived, 4)

    def test_when_answers_end_the_next_are_held_in_order(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        begin, sent, arrived = time.monotonic(), 0, []
        before = self.symtapd.counters()["fast_out_pkts"]
        while (past := time.monotonic() - begin) < 4.5:
            source.sendto(traffic.numbered(sent), (lab.OUTSIDE, 9))
            sent += 1
            came = ear.receive(0.01)
            arrived += came
            if past < 2:
                for each in came:
                    ear.answer(each)
        passed = self.symtapd.settled()["fast_out_pkts"] - before
        self.assertGreater(passed, 100)
        numbers = traffic.numbers(arrived)
        self.assertEqual(numbers, list(range(len(numbers))))
        late = [each.at for each in arrived if each.at > arrived[0].at + 3.2]
        self.assertLess(len(late), 20)

    def test_other_bits_of_the_mark_stay(self):
        gateway = self.net.gateway
        gateway.nft(
            "add table ip marks\n"
            "add chain ip marks early { type filter hook prerouting "
            "priority -500; }\n"
            "add rule ip marks early iifname lan1 meta mark set mark or 5\n"
            "add chain ip marks out { type filter hook postrouting "
            "priority 0; }\n"
            "add counter ip marks kept\n"
            "add rule ip marks out oifname wan0 meta mark and 0xf == 5 "
            "counter name kept\n")
        try:
            self.start()
            talk = self.talk(seconds=1).finish()
            kept = gateway.run("nft", "list", "counters", "table", "ip",
                               "marks")
        finally:
            gateway.nft("delete table ip marks")
        self.check_whole(talk)
        self.assertGreaterEqual(int(kept.split("packets ")[1].split()[0]),
                                talk["sent"])

    def test_what_stays_there_is_seen(self):
        self.start()
        talk = self.talk(pkts_per_s=1000, seconds=bed.LONG)
        lab.eventually(self.explained, 5, 0.1)
        for scope in ("pair", "flow", "host"):
            # Each for itself: its rate is of a second that may begin before
            # the kernel had it.
            row = lab.eventually(lambda of=scope: self.first_of(of), 5, 0.1)
            self.assertTrue(row, f"{scope}: {self.rows(scope)}")
            self.assertEqual(row["inside"], lab.NEIGHBOUR, row)
            self.assertEqual(row["in_kernel"], scope != "host", row)
            self.assertLess(abs(row["S_decides"]), 0.1, row)
        words = " ".join(self.symtapd.ctl("explain", lab.NEIGHBOUR).split())
        self.assertIn("(pair, lan1) is not held, and stays in the kernel",
                      words)
        first = self.explained()["let_out_per_s"]
        seen = lab.eventually(
            lambda: self.explained().get("let_out_per_s", first) != first, 5)
        self.assertTrue(seen, f"it stays at {first}")
        self.check_whole(talk.end())
        self.symtapd.settled()
        fast = self.symtapd.ask("status")["fast"]
        self.assertTrue(fast["runs"])
        self.assertEqual([each["name"] for each in fast["interfaces"]],
                         FAST.split(", "))
        self.assertGreater(fast["share_pct"], 90)
        self.assertGreaterEqual(fast["leases"]["now"], 1)

    def rows(self, scope):
        return self.symtapd.ask(f"top by=rate scope={scope}")["rows"]

    def first_of(self, scope):
        """Once it is as fast as its traffic; None: not yet."""
        return next((row for row in self.rows(scope)[:1]
                     if row["let_out_per_s"] > 500), None)

    def explained(self):
        """The neighbour's pair while the kernel has it; {}: not yet."""
        rows = self.symtapd.ask(f"explain {lab.NEIGHBOUR}")["rows"]
        return next((row for row in rows if row["scope"] == "pair" and
                     row["in_kernel"] and row["let_out_per_s"] > 500), {})

    def test_tcp_upload_stays_there_too(self):
        self.start()
        before = self.symtapd.settled()
        listener = self.net.outside.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((lab.OUTSIDE, 7))
        listener.listen()
        source = self.net.host.socket(socket.AF_INET, socket.SOCK_STREAM)
        source.connect((lab.OUTSIDE, 7))
        peer, _ = listener.accept()
        self.lab.sockets.append(peer)
        source.setblocking(False)
        peer.setblocking(False)
        came, end = 0, time.monotonic() + TCP_SECONDS
        while time.monotonic() < end:
            try:
                source.send(bytes(65536))
            except BlockingIOError:
                pass
            try:
                came += len(peer.recv(1 << 20))
            except BlockingIOError:
                pass
        told = self.told(before)
        self.assertLess(told["out_pkts"] * 20, told["fast_out_pkts"])
        print(f"{came * 8 / TCP_SECONDS / 1e9:.1f} Gbit/s; {told['fast_out_pkts']} wire "
              f"packets in the kernel, {told['out_pkts']} by the daemon, "
              f"{told['fast_leases']} leases, {told['fast_given_back']} given back, {told['waited_pkts']} waited")


class Beside(Case):
    """What the program leaves to the daemon, and does not get in the way of."""

    def test_host_is_counted_by_the_daemon_alone(self):
        """Four to each of many: no pair, nor flow, is over, but the host."""
        self.start(limiter="{enforce: [host, pair]}", limits=bed.ROOM)
        before = self.symtapd.settled()
        talk = self.talk(seconds=1).finish()
        self.check_whole(talk)
        told = self.told(before)
        self.assertEqual(told["fast_leases"], 0)
        self.assertGreaterEqual(told["out_pkts"], talk["sent"])
        tap = traffic.Tap(self.net.outside, "eth0",
                          lambda each: each[34:38] == b"\x0f\xa0\0\x09")
        source = traffic.sender(self.net.host, lab.GUARDED, 4000)
        for number in range(100):
            source.sendto(traffic.numbered(number), (f"10.96.0.{number}", 9))
        self.check_figures(tap.receive(1.3), 1.2)

    def test_who_talks_to_a_guarded_gateway_is_answered(self):
        """The program does not see what the gateway says: the rules do."""
        self.start(limiter="{guard_gateway: true}")
        talk = self.talk((lab.GUARDED, "192.0.2.1"), self.net.host,
                         self.net.gateway, seconds=1).finish()
        self.check_whole(talk)
        self.check_whole(self.talk(seconds=1).finish())
        told = self.symtapd.settled()
        self.assertEqual(told["waited_pkts"], 0)
        self.assertGreater(told["fast_out_pkts"], 150)
        self.assertGreaterEqual(told["in_pkts"], talk["sent"])


class Share(Case):
    """A quarter of the slots for each host."""

    KEYS = 1024

    def ask_many(self, network):
        """A ping to each of 256, some ten times a second."""
        frame = frames.ethernet(self.net.gateway.mac("lan0"), lab.GUARDED_MAC,
                                0x0800, frames.echo(lab.GUARDED, network, 77))
        return traffic.Blast(self.net.host, "eth0", frame, bed.BUILD,
                             "random:33:1", "ipv4:14", seconds=bed.LONG,
                             pkts_per_s=3000)

    def test_one_host_does_not_take_all(self):
        """512 pairs of one host, all of them answered."""
        self.start(keys=self.KEYS)
        blasts = [self.ask_many(f"10.96.{net}.0") for net in (0, 1)]
        self.symtapd.wait_for("fast_beyond_share", 1)
        before = self.symtapd.settled()
        talk = self.talk(seconds=0.5).finish()
        rows = self.symtapd.ask("top by=rate scope=pair limit=1000")["rows"]
        for blast in blasts:
            blast.end()
        self.check_whole(talk)
        leased = [row["inside"] for row in rows if row["in_kernel"]]
        # Its neighbour has its place, and it loses nothing itself.
        self.assertIn(lab.NEIGHBOUR, leased)
        self.assertLessEqual(leased.count(lab.GUARDED), self.KEYS // 4)
        self.assertGreater(leased.count(lab.GUARDED), self.KEYS // 16)
        told = self.told(before)
        self.assertEqual(told["dropped_pkts"], 0)
        # Who is slow judges many before the first of their answers.
        if not self.is_busy():
            self.assertEqual(told["waited_pkts"], 0)


class Together(Case):
    """Program and daemon at one pair, on two processors."""

    SECONDS = 2

    def interrupt(self, hosts):
        """An unknown flow of one pair after the other, 50 a second, each of
        which gives its pair back; how many."""
        end, count = time.monotonic() + self.SECONDS - 0.5, 0
        while time.monotonic() < end:
            source = traffic.sender(self.net.host, hosts[count % len(hosts)],
                                    20000 + count)
            source.sendto(b"new", (lab.OUTSIDE, 9))
            source.close()
            count += 1
            time.sleep(0.02)
        return count

    def check_counts(self, hosts, pkts_per_s):
        """All is counted once, by the program or by an engine."""
        traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        before = self.symtapd.carried()
        talks = [self.talk((host, lab.OUTSIDE), self.net.host,
                           seconds=self.SECONDS, pkts_per_s=pkts_per_s,
                           port=port) for port, host in enumerate(hosts, 11)]
        cpus = sorted(os.sched_getaffinity(0))
        for number, talk in enumerate(talks):
            os.sched_setaffinity(talk.process.pid, {cpus[number % len(cpus)]})
        interrupted = self.interrupt(hosts)
        talked = [talk.finish() for talk in talks]
        after = self.symtapd.carried()
        told = {name: after[name] - before[name] for name in after}
        sent = sum(each["sent"] for each in talked)
        print(f"{sent} packets, {told['fast_out_pkts']} in the kernel, "
              f"{told['fast_leases']} leases")
        self.assertEqual(told["out_pkts"], sent + interrupted)
        self.assertEqual(told["in_pkts"] + told["fast_untold_pkts"],
                         sum(each["arrived"] for each in talked))
        self.assertTrue(all(each["in_order"] for each in talked), talked)
        # Who is slow judges many before the first of their answers.
        if not self.is_busy():
            self.assertEqual(told["waited_pkts"], 0)
            for each in talked:
                self.check_whole(each)
        self.assertGreater(told["fast_leases"], interrupted / 4)
        self.assertGreater(told["fast_out_pkts"], sent / 4)

    def test_each_packet_is_counted_once_and_in_order(self):
        self.start()
        self.check_counts([lab.GUARDED] * 2, 10000)

    def test_so_it_is_with_two_engines(self):
        """Each has its pairs in the one table, the first tells the second of
        its answers."""
        self.start(queues=2)
        hosts = [f"10.20.1.{number}" for number in range(1, 7)]
        self.check_counts(hosts, 3000)
        shares = [each["offered_packets"] for each in
                  self.symtapd.ask("status")["engines"]]
        self.assertEqual(len(shares), 2)
        print(f"{shares} by each engine")


class Life(Case):
    """Reloaded or killed."""

    def test_reload_loses_nothing(self):
        self.start()
        talk = self.talk(pkts_per_s=5000, seconds=2.5)
        for count in range(6):
            time.sleep(0.3)
            self.symtapd.write_policy(
                multicast=f"{{packets_per_s: {1000 + count}}}")
            self.symtapd.reload()
        self.check_whole(talk.finish())

    def test_killed_it_lets_everything_go_the_long_way(self):
        self.start()
        talk = self.talk(seconds=3)
        time.sleep(0.7)
        self.symtapd.stop(signal.SIGKILL)
        time.sleep(0.7)
        self.symtapd.restart()
        talked = talk.finish()
        self.assertGreater(talked["answered"], talked["sent"] * 0.99)


if __name__ == "__main__":
    bed.main()
