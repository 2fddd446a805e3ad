#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon refuses is dropped before anything looks at it:
rules_refusals_test.py DRIVER"""

import time

import frames
import rules_bed
from lab import (GUARDED, GUARDED6, GUARDED_MAC, NEIGHBOUR, OUTSIDE,
                 OUTSIDE6)

OTHER = "203.0.113.9"
RULES = rules_bed.POLICY + """
rules:
  - {priority: 5, match: {proto: udp, dst_port: 7, src: 10.20.0.7}, action: limit, threshold: 3.0}
  - {priority: 10, match: {proto: udp, dst_port: [7, 514]}, action: exempt}
  - {priority: 20, match: {proto: udp, dst_port: 123}, action: accept}
fragments: {packets_per_s: 50}
"""


class Refusals(rules_bed.Case):
    @classmethod
    def build(cls):
        super().build()
        cls.net.gateway.route("203.0.113.0/24", "via", OUTSIDE)

    def setUp(self):
        super().setUp()
        self.driver = self.install(RULES)
        self.line = self.queue()

    def queued(self, packet, send=None):
        """Does it get as far as the queue?"""
        (send or self.send_out)(packet)
        return len(self.line.packets(0.1)) == 1

    def rows(self):
        return self.driver.ask("refusals")

    def test_a_refused_flow_is_dropped_and_no_other(self):
        flow = frames.udp(GUARDED, OUTSIDE, 5000, 53)
        self.assertTrue(self.queued(flow))
        self.driver.ask("refuse", "flow", "lan0", 5000, GUARDED, OUTSIDE, 17,
                        5000, 53)
        self.assertFalse(self.queued(flow))
        self.assertFalse(self.queued(flow))
        self.assertTrue(self.queued(frames.udp(GUARDED, OUTSIDE, 5001, 53)))
        self.assertTrue(self.queued(frames.udp(GUARDED, OUTSIDE, 5000, 54)))
        self.assertTrue(self.queued(frames.tcp(GUARDED, OUTSIDE, 5000, 53)))
        self.assertTrue(self.queued(frames.udp(OUTSIDE, GUARDED, 53, 5000),
                                    self.send_in))
        row, = self.rows()
        self.assertEqual(f"refused lan0 17 {GUARDED} 5000 {OUTSIDE} 53 2",
                         row.rsplit(" ", 1)[0])
        self.assertEqual(2, self.driver.counters()["refused"])

    def test_echoes_and_protocols_without_ports_are_flows_too(self):
        echo = frames.echo(GUARDED, OUTSIDE, 77)
        esp = frames.ipv4(GUARDED, OUTSIDE, 50, b"\0\0\0\1" * 4)
        echo6 = frames.echo(GUARDED6, OUTSIDE6, 77)
        for protocol, identity in ((1, 77), (50, 0)):
            self.driver.ask("refuse", "flow", "lan0", 5000, GUARDED, OUTSIDE,
                            protocol, identity, 0)
        self.driver.ask("refuse", "flow", "lan0", 5000, GUARDED6, OUTSIDE6, 58,
                        77, 0)
        for packet in (echo, esp, echo6):
            self.assertFalse(self.queued(packet))
        self.assertTrue(self.queued(frames.echo(GUARDED, OUTSIDE, 78)))
        self.assertTrue(self.queued(frames.ipv4(GUARDED, OUTSIDE, 51,
                                                b"\0" * 16)))

    def test_a_refused_pair_in_both_families(self):
        self.driver.ask("refuse", "pair", "lan0", 5000, GUARDED, OUTSIDE)
        self.driver.ask("refuse", "pair", "lan0", 5000, GUARDED6, OUTSIDE6)
        self.assertFalse(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 2)))
        self.assertFalse(self.queued(frames.udp(GUARDED6, OUTSIDE6, 1, 2)))
        self.assertTrue(self.queued(frames.udp(GUARDED, OTHER, 1, 2)))

    def test_a_refused_host_but_for_its_spared_pairs(self):
        self.driver.ask("refuse", "host", "lan0", 5000, GUARDED)
        self.driver.ask("spare", "pair", "lan0", 5000, GUARDED, OTHER)
        self.assertFalse(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 2)))
        self.assertTrue(self.queued(frames.udp(GUARDED, OTHER, 1, 2)))
        self.assertEqual(
            {"refused", "spared"}, {row.split()[0] for row in self.rows()})

    def test_a_pair_that_is_spared_again_is_spared_for_longer(self):
        self.driver.ask("refuse", "host", "lan0", 60000, GUARDED)
        self.driver.ask("spare", "pair", "lan0", 2000, GUARDED, OTHER)
        begin = time.monotonic()
        while time.monotonic() - begin < 3:
            self.driver.ask("spare", "pair", "lan0", 2000, GUARDED, OTHER)
            self.assertTrue(self.queued(frames.udp(GUARDED, OTHER, 1, 2)))

    def test_an_ipv6_host_is_its_prefix(self):
        self.driver.ask("refuse", "host", "lan0", 5000, "2001:db8:20::")
        self.assertFalse(self.queued(
            frames.udp("2001:db8:20::abcd", OUTSIDE6, 1, 2)))
        self.assertTrue(self.queued(
            frames.udp("2001:db8:20:1::abcd", OUTSIDE6, 1, 2)))

    def test_a_bound_host_is_all_of_its_addresses_and_no_other(self):
        self.driver.update(RULES + f"""
antispoof:
  interfaces: {{lan0: {{sources: [10.20.0.0/16, "2001:db8:20::/48"]}}}}
  bindings:
    - {{mac: "{GUARDED_MAC}", addresses: [{GUARDED}, 10.20.0.77, "{GUARDED6}"]}}
""")
        self.driver.ask("refuse", "host", "lan0", 5000, GUARDED)
        for source in (GUARDED, "10.20.0.77"):
            self.assertFalse(self.queued(frames.udp(source, OUTSIDE, 1, 2)))
        self.assertFalse(self.queued(frames.udp(GUARDED6, OUTSIDE6, 1, 2)))
        self.driver.ask("lift", "host", "lan0", 0, GUARDED)
        self.assertTrue(self.queued(frames.udp(GUARDED6, OUTSIDE6, 1, 2)))
        # The rest of the prefix is another host.
        self.driver.ask("refuse", "host", "lan0", 5000, "2001:db8:20::")
        self.assertTrue(self.queued(frames.udp(GUARDED6, OUTSIDE6, 1, 2)))
        other = frames.udp("2001:db8:20::99", OUTSIDE6, 1, 2)
        self.assertFalse(self.queued(other, lambda packet: self.host.send(
            self.lan_mac, packet, from_mac="52:54:00:99:99:99")))

    def test_the_same_address_behind_another_interface_is_another(self):
        self.driver.ask("refuse", "host", "lan1", 5000, GUARDED)
        self.assertTrue(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 2)))

    def test_an_interface_that_is_not_there_is_counted(self):
        self.assertEqual(["full 1"], self.driver.ask(
            "refuse", "host", "gone0", 5000, GUARDED))

    def test_what_is_never_held_is_never_refused(self):
        self.driver.ask("refuse", "host", "lan0", 5000, GUARDED)
        for packet in (frames.udp(GUARDED, OUTSIDE, 1, 514),
                       frames.ipv4(GUARDED, OUTSIDE, 1,
                                   b"\3\1\xfc\xfe" + b"\0" * 28)):
            self.assertTrue(self.queued(packet))
        accepted = frames.udp(GUARDED, OUTSIDE, 1, 123)
        self.send_out(accepted)
        self.assertTrue(self.arrives(accepted))
        self.assertFalse(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 7)),
                         "a limit ahead of an exempt wins")
        # To the gateway itself: it answers.
        self.host.drain()
        self.send_out(frames.echo(GUARDED, "10.20.0.1", 1))
        self.assertTrue(self.host.receive(
            0.5, lambda frame: frame[23] == 1 and frame[34] == 0, 1))

    def test_a_lifted_refusal_is_gone_and_lifting_twice_is_no_error(self):
        self.driver.ask("refuse", "pair", "lan0", 5000, GUARDED, OUTSIDE)
        self.assertFalse(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 2)))
        self.driver.ask("lift", "pair", "lan0", 0, GUARDED, OUTSIDE)
        self.assertTrue(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 2)))
        self.driver.ask("lift", "pair", "lan0", 0, GUARDED, OUTSIDE)

    def test_a_refusal_ends_by_itself(self):
        self.driver.ask("refuse", "host", "lan0", 300, GUARDED)
        self.assertFalse(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 2)))
        time.sleep(0.4)
        self.assertTrue(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 2)))

    def test_refusals_survive_an_update(self):
        self.driver.ask("refuse", "host", "lan0", 5000, GUARDED)
        self.driver.update(rules_bed.POLICY)
        self.driver.ask("verify")
        self.assertFalse(self.queued(frames.udp(GUARDED, OUTSIDE, 1, 2)))

    def test_a_full_set_refuses_no_more_and_counts(self):
        took = self.driver.ask("refuse_many", 65000, "lan0", 60000)
        self.assertTrue(took[0].endswith("full 0"), took)
        took = self.driver.ask("refuse_many", 70000, "lan0", 60000)
        self.assertGreater(int(took[0].split()[-1]), 4000)
        self.assertTrue(self.queued(frames.udp(NEIGHBOUR, OUTSIDE, 1, 2)))

    def test_one_transaction_is_short(self):
        """Prints what a transaction takes, which an engine waits for."""
        for count in (1, 16, 256):
            times = sorted(int(self.driver.ask(
                "refuse_many", count, "lan0", 60000)[0].split()[1])
                for _ in range(20))
            print(f"{count} refusals: median {times[10]} us, "
                  f"longest {times[-1]} us", flush=True)
            self.assertLess(times[10], 100000)

    def test_a_long_refusal_of_one_host_leaves_others_alone(self):
        self.driver.ask("refuse", "host", "lan0", 5000, GUARDED)
        self.assertTrue(self.queued(
            frames.udp(NEIGHBOUR, OUTSIDE, 1, 2),
            lambda packet: self.neighbour.send(self.lan1_mac, packet)))


class Fragments(rules_bed.Case):
    def test_tiny_fragments_are_limited_per_host_before_reassembly(self):
        driver = self.install(RULES)
        queue = self.queue()
        for n in range(200):
            self.send_out(frames.ipv4(GUARDED, OUTSIDE, 17, b"\0" * 64,
                                      more=True, identification=n))
        passed = len(queue.packets(0.5))
        self.assertIn(passed, range(50, 80))
        self.assertEqual(200 - passed, driver.counters()["tiny fragments"])
        # Others, and larger ones, go on.
        for packet, send in (
                (frames.ipv4(GUARDED, OUTSIDE, 17, b"\0" * 1400, more=True),
                 self.send_out),
                (frames.ipv4(GUARDED, OUTSIDE, 17, b"\0" * 64, offset=1400),
                 self.send_out),
                (frames.ipv4(NEIGHBOUR, OUTSIDE, 17, b"\0" * 64, more=True),
                 lambda packet: self.neighbour.send(self.lan1_mac, packet))):
            send(packet)
            self.assertEqual(1, len(queue.packets(0.5, count=1)))

    def test_those_that_come_from_outside_too_and_ipv6(self):
        driver = self.install(RULES)
        queue = self.queue()
        fragment6 = b"\x11\0\0\1\0\0\0\1" + b"\0" * 64
        for n in range(200):
            self.send_in(frames.ipv4(OUTSIDE, GUARDED, 17, b"\0" * 64,
                                     more=True, identification=n))
            self.send_in(frames.ipv6(OUTSIDE6, GUARDED6, 44, fragment6))
        passed = len(queue.packets(0.5))
        self.assertIn(passed, range(100, 160))
        self.assertEqual(400 - passed, driver.counters()["tiny fragments"])


if __name__ == "__main__":
    rules_bed.main()
