#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rules of a policy do to packets, out and back, in both families."""

import time

import frames
import gateway_bed as bed
import lab
import traffic

RULES = f"""
  - {{priority: 1, match: {{proto: udp, dst_port: 7000-7009}}, action: log}}
  - {{priority: 2, match: {{proto: udp, dst_port: 7005}}, action: log}}
  - {{priority: 10, match: {{proto: udp, dst_port: 5000}}, action: limit, threshold: 3.0}}
  - {{priority: 11, match: {{proto: udp, dst_port: 5001}}, action: exempt}}
  - {{priority: 20, match: {{proto: udp, dst_port: 5000-5009}}, action: drop}}
  - {{priority: 21, match: {{proto: udp, dst_port: 5002}}, action: accept}}
  - {{priority: 30, match: {{proto: udp, dst_port: 6000}}, action: accept}}
  - {{priority: 31, match: {{proto: udp, dst_port: 6000-6001}}, action: exempt}}
  - {{priority: 32, match: {{proto: udp, dst_port: 6000-6009}}, action: drop}}
  - {{priority: 50, match: {{src: [{lab.NEIGHBOUR}, "{lab.NEIGHBOUR6}"]}}, action: limit,
     threshold: 3.0, window: 5s}}
"""
PATHS = ((lab.GUARDED, lab.OUTSIDE), (lab.GUARDED6, lab.OUTSIDE6))
MANY = 200


class Rules(bed.Case):

    def setUp(self):
        super().setUp()
        self.start(rules=RULES)

    def send(self, guarded, outside, port, count=MANY, wait_s=0.5):
        """Datagrams out of a guarded host; what arrived of them."""
        ear = traffic.Receiver(self.net.outside, outside, port)
        host = (self.net.host if guarded in (lab.GUARDED, lab.GUARDED6)
                else self.net.neighbour)
        source = traffic.sender(host, guarded, 4000)
        for number in range(count):
            source.sendto(traffic.numbered(number), (outside, port))
        arrived = ear.receive(wait_s, count)
        self.hang_up()
        self.assertEqual(traffic.numbers(arrived), list(range(len(arrived))))
        return arrived

    def answer(self, guarded, outside, port, count=MANY):
        """As if in answer to these; what arrived."""
        ear = traffic.Receiver(self.net.host, guarded, 4000)
        source = traffic.sender(self.net.outside, outside, port)
        for number in range(count):
            source.sendto(traffic.numbered(number), (guarded, 4000))
        arrived = ear.receive(0.5, count)
        self.hang_up()
        return arrived

    def counted(self, before):
        after = self.symtapd.settled()
        return {name: after[name] - before[name] for name in after}

    def rows(self, guarded, scope="flow"):
        return [row for row in
                self.symtapd.ask(f"top by=rate scope={scope}")["rows"]
                if row["inside"] == guarded]

    def test_drop_lets_nothing_pass_and_counts_nothing(self):
        before = self.symtapd.settled()
        for guarded, outside in PATHS:
            with self.subTest(guarded):
                self.assertEqual(self.send(guarded, outside, 5009), [])
                self.assertEqual(self.answer(guarded, outside, 5009), [])
        count = self.counted(before)
        self.assertEqual((count["out_pkts"], count["in_pkts"]), (0, 0))
        self.assertEqual(self.counted_by_the_kernel()["rule 20"],
                         len(PATHS) * 2 * MANY)

    def test_accept_is_never_held_and_never_counted(self):
        for guarded, outside in PATHS:
            with self.subTest(guarded):
                before = self.symtapd.settled()
                self.assertEqual(len(self.send(guarded, outside, 6000)), MANY)
                self.assertEqual(len(self.answer(guarded, outside, 6000)),
                                 MANY)
                self.assertEqual(self.rows(guarded), [])
                count = self.counted(before)
                self.assertEqual((count["out_pkts"], count["in_pkts"],
                                  count["exempt_pkts"]), (0, 0, 0))

    def test_exempt_is_shown_and_decides_nothing(self):
        for guarded, outside in PATHS:
            with self.subTest(guarded):
                before = self.symtapd.settled()
                self.assertEqual(len(self.send(guarded, outside, 6001)), MANY)
                row, = self.rows(guarded)
                self.assertTrue(row["exempt"])
                self.assertGreater(row["S_offered"], 2)
                # Two hundred that are not answered, and its pair has still
                # its burst of four.
                arrived = self.send(guarded, outside, 9, 50, 1.2)
                self.check_figures(arrived, 1)
                # And two hundred answers free nothing.
                self.assertEqual(len(self.answer(guarded, outside, 6001)),
                                 MANY)
                row, = (row for row in self.rows(guarded)
                        if row["outside_port"] == 9)
                self.assertGreater(row["held_packets"], 0)
                self.assertEqual(self.counted(before)["exempt_pkts"], 2 * MANY)

    def test_limit_has_a_threshold_and_a_window_of_its_own(self):
        """Eight leave at once, and a second later they are not forgotten."""
        for guarded, outside in ((lab.NEIGHBOUR, lab.OUTSIDE),
                                 (lab.NEIGHBOUR6, lab.OUTSIDE6)):
            with self.subTest(guarded):
                arrived = self.send(guarded, outside, 9, 10, 5)
                self.assertEqual(len(arrived), 10)
                at = [each.at - arrived[0].at for each in arrived]
                self.assertGreater(at[8], bed.RELEASES_MS[0] * 1e-3 - 0.001)
                self.assertGreater(at[9] - at[7], 0.005)
                row, = (row for row in self.rows(guarded)
                        if row["outside_port"] == 9)
                self.assertEqual((row["threshold"], row["window_s"]), (3, 5))
                self.assertTrue(row["over"])
                time.sleep(1.2)
                # The next delays: 8, 16, 32 and 64 ms.
                arrived = self.send(guarded, outside, 9, 4, 5)
                self.assertEqual(len(arrived), 4)
                self.assertGreater(arrived[3].at - arrived[0].at, 0.1)

    def test_first_match_by_priority_decides_in_the_kernel_too(self):
        for guarded, outside in PATHS:
            with self.subTest(guarded):
                before = self.symtapd.settled()
                limited = traffic.within(self.send(guarded, outside, 5000),
                                         0.5)
                self.assertGreaterEqual(len(limited), bed.BURST)
                self.assertLess(len(limited), bed.FIRST_SECOND)
                self.assertEqual(len(self.send(guarded, outside, 5001)), MANY)
                self.assertEqual(self.send(guarded, outside, 5002), [])
                self.assertEqual(self.send(guarded, outside, 5003), [])
                self.assertEqual(len(self.answer(guarded, outside, 5000)),
                                 MANY)
                self.assertEqual(len(self.answer(guarded, outside, 5001)),
                                 MANY)
                self.assertEqual(self.answer(guarded, outside, 5002), [])
                count = self.counted(before)
                self.assertEqual(count["in_pkts"], 2 * MANY)
                self.assertEqual(count["exempt_pkts"], 2 * MANY)

    def logged(self, rule):
        return [line for line in self.symtapd.log().splitlines()
                if f"packet: rule {rule}: " in line]

    def test_log_tells_the_header_and_goes_on(self):
        for (guarded, outside), length in zip(PATHS, (128, 148)):
            with self.subTest(guarded):
                self.send(guarded, outside, 7005, 1)
                for rule in (1, 2):
                    self.assertTrue(lab.eventually(
                        lambda number=rule: any(
                            f"out: {guarded} port 4000 to {outside} port "
                            "7005, protocol 17" in line and
                            f"{length} bytes, lan0 to wan0" in line
                            for line in self.logged(number))),
                        self.symtapd.log())
        self.assertEqual(self.counted_by_the_kernel()["rule 2"], 2)

    def test_log_is_rate_limited_and_its_packets_are_judged(self):
        # Nobody listens there: what comes is not answered, not even so.
        self.net.outside.nft(
            "add table inet quiet\n"
            "add chain inet quiet answers { type filter hook output "
            "priority 0; policy drop; }\n")
        self.addCleanup(self.net.outside.nft, "delete table inet quiet\n")
        before = self.symtapd.settled()["out_pkts"]
        wire = frames.Wire(self.net.host, "eth0")
        gateway_mac = self.net.gateway.mac("lan0")
        for _ in range(2000):
            wire.send(gateway_mac, frames.udp(lab.GUARDED, lab.OUTSIDE, 4000,
                                              7001))
        refused = self.counted_of_rule(1, 2000)
        self.assertTrue(lab.eventually(lambda: self.logged(1)),
                        self.symtapd.log())
        judged = self.symtapd.settled()["out_pkts"] - before
        self.assertGreaterEqual(judged + refused, 2000)
        self.assertGreater(self.symtapd.settled()["waited_pkts"], 0)
        self.assertLess(len(self.logged(1)), 200)

    def counted_of_rule(self, number, want):
        """All of them matched, but for what was refused before; how many
        these are."""
        def count():
            counted = self.kernel_counters()
            return [counted.get(name, 0) for name in (f"rule {number}",
                                                      "refused")]
        self.assertTrue(lab.eventually(lambda: sum(count()) >= want))
        return count()[1]


if __name__ == "__main__":
    bed.main()
