#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which packets reach which queue, and what the kernel decides by itself:
rules_forward_test.py DRIVER"""

import errno
import ipaddress
import os
import re
import time

import frames
import lab
import rules_bed
from lab import GUARDED, GUARDED6, NEIGHBOUR, NEIGHBOUR6, OUTSIDE, OUTSIDE6

RULES = rules_bed.POLICY + """
rules:
  - {priority: 5, match: {proto: tcp, flags: syn}, action: log}
  - {priority: 10, match: {proto: udp, dst_port: 2055}, action: exempt}
  - {priority: 20, match: {proto: udp, dst_port: [2000-3000, 53], src: 10.20.0.0/24}, action: drop}
  - {priority: 30, match: {proto: udp, dst_port: 123}, action: accept}
  - {priority: 40, match: {proto: tcp, dst_port: 25}, action: drop}
  - {priority: 50, match: {proto: icmp, interface: lan1}, action: drop}
"""


class Forward(rules_bed.Case):
    def test_out_and_in_reach_the_queue_with_inside_addresses(self):
        self.install()
        queue = self.queue()
        self.send_out(frames.udp(GUARDED, OUTSIDE, 5000, 53))
        self.send_in(frames.udp(OUTSIDE, GUARDED, 53, 5000))
        self.send_out(frames.udp(GUARDED6, OUTSIDE6, 5000, 53))
        self.send_in(frames.udp(OUTSIDE6, GUARDED6, 53, 5000))
        self.assertEqual(
            [f"{GUARDED}:5000 > {OUTSIDE}:53",
             f"{OUTSIDE}:53 > {GUARDED}:5000",
             f"{GUARDED6}:5000 > {OUTSIDE6}:53",
             f"{OUTSIDE6}:53 > {GUARDED6}:5000"],
            [str(packet) for packet in queue.packets(count=4, seconds=2)])

    def test_transit_is_counted_and_passed(self):
        driver = self.install(
            'mode: enforce\ninside: [10.99.0.0/16, "2001:db8:99::/48"]\n')
        queue = self.queue()
        packet = frames.udp(GUARDED, OUTSIDE, 5001, 53)
        self.send_out(packet)
        self.assertTrue(self.arrives(packet))
        self.assertEqual([], queue.packets(0.1))
        self.assertEqual(1, driver.counters()["transit"])

    def test_the_gateway_itself_is_left_alone_unless_asked_for(self):
        self.install()
        queue = self.queue()
        self.send_out(frames.udp(GUARDED, "10.20.0.1", 5002, 7))
        self.assertEqual([], queue.packets(0.2))

    def test_guard_gateway_judges_its_own_traffic_too(self):
        self.install(rules_bed.POLICY + "limiter: {guard_gateway: true}\n")
        queue = self.queue()
        self.send_out(frames.udp(GUARDED, "10.20.0.1", 5003, 7))
        asked = queue.pass_all(1, count=1)[0]
        self.assertEqual(f"{GUARDED}:5003 > 10.20.0.1:7", str(asked))
        # The answer: port unreachable, from the gateway's own address.
        answer = queue.packets(1, count=1)[0]
        self.assertEqual(("10.20.0.1", GUARDED),
                         (answer.source, answer.destination))

    def test_drop_and_accept_never_reach_the_queue(self):
        driver = self.install(RULES)
        queue = self.queue()
        dropped = frames.udp(GUARDED, OUTSIDE, 5004, 2500)
        accepted = frames.udp(GUARDED, OUTSIDE, 5004, 123)
        self.send_out(dropped)
        self.send_out(accepted)
        self.assertTrue(self.arrives(accepted))
        self.assertFalse(self.arrives(dropped, seconds=0.1))
        self.assertEqual([], queue.packets(0.1))
        counters = driver.counters()
        self.assertEqual(1, counters["rule 20"])
        self.assertEqual(1, counters["rule 30"])

    def test_replies_match_reversed(self):
        driver = self.install(RULES)
        queue = self.queue()
        answer = frames.udp(OUTSIDE, GUARDED, 123, 5005)
        self.send_in(answer)
        self.assertTrue(self.arrives(answer, self.host))
        self.send_in(frames.udp(OUTSIDE, GUARDED, 2500, 5005))
        # Not a reply: the port is the guarded end's.
        self.send_in(frames.udp(OUTSIDE, GUARDED, 5005, 2500))
        self.assertEqual([f"{OUTSIDE}:5005 > {GUARDED}:2500"],
                         [str(packet) for packet in queue.packets(0.3)])
        self.assertEqual(1, driver.counters()["rule 20"])

    def test_an_exempt_ahead_of_a_drop_wins(self):
        self.install(RULES)
        queue = self.queue()
        self.send_out(frames.udp(GUARDED, OUTSIDE, 5006, 2055))
        self.send_in(frames.udp(OUTSIDE, GUARDED, 2055, 5006))
        self.assertEqual(2, len(queue.packets(1, count=2)))

    def test_a_rule_for_one_family_leaves_the_other(self):
        self.install(RULES)
        queue = self.queue()
        self.send_out(frames.udp(GUARDED6, OUTSIDE6, 5007, 2500))
        self.assertEqual(1, len(queue.packets(1, count=1)))

    def test_interfaces_are_the_guarded_ends(self):
        driver = self.install(RULES)
        queue = self.queue()
        self.neighbour.send(self.lan1_mac, frames.echo(NEIGHBOUR, OUTSIDE, 9))
        self.send_in(frames.echo(OUTSIDE, NEIGHBOUR, 9))
        self.neighbour.send(self.lan1_mac,
                            frames.echo(NEIGHBOUR6, OUTSIDE6, 9))
        self.send_out(frames.echo(GUARDED, OUTSIDE, 9))
        self.assertEqual([GUARDED],
                         [packet.source for packet in queue.packets(0.3)])
        self.assertEqual(3, driver.counters()["rule 50"])

    def test_both_ends_guarded_match_either_way_and_go_to_the_sender(self):
        driver = self.install(RULES)
        queue = self.queue()
        # The reply to a datagram that a guarded host may not send.
        self.send_out(frames.udp(GUARDED, NEIGHBOUR, 2500, 5008))
        self.send_out(frames.udp(GUARDED, NEIGHBOUR, 5008, 5008))
        self.assertEqual([f"{GUARDED}:5008 > {NEIGHBOUR}:5008"],
                         [str(packet) for packet in queue.packets(0.3)])
        self.assertEqual(1, driver.counters()["rule 20"])

    def test_log_brings_header_fields_and_goes_on(self):
        driver = self.install(RULES)
        self.send_out(frames.tcp(GUARDED, OUTSIDE, 5009, 25))
        self.send_out(frames.tcp(GUARDED6, OUTSIDE6, 5009, 80))
        self.send_out(frames.tcp(GUARDED, OUTSIDE, 5009, 80, flags=16))
        # A pattern with flags matches outgoing packets only.
        self.send_in(frames.tcp(OUTSIDE, GUARDED, 25, 5009))
        lines = driver.ask("logs", 1000)
        self.assertEqual(
            [f"5 out {GUARDED} 5009 {OUTSIDE} 25 proto 6 flags 2 bytes 40 "
             "lan0 wan0",
             f"5 out {GUARDED6} 5009 {OUTSIDE6} 80 proto 6 flags 2 bytes 60 "
             "lan0 wan0", "lost 0"], lines)
        self.assertEqual(2, driver.counters()["rule 40"])

    def test_log_is_limited_but_counted(self):
        driver = self.install(RULES)
        for port in range(200):
            self.send_out(frames.tcp(GUARDED, OUTSIDE, 6000 + port, 80))
        lines = driver.ask("logs", 1000)
        self.assertIn(len(lines) - 1, range(20, 31))
        self.assertEqual(200, driver.counters()["rule 5"])


class Shards(rules_bed.Case):
    SHARDS = 4

    def reach(self, addresses, send, policy=rules_bed.POLICY):
        """Both sides' idea of each address's shard."""
        driver = self.install(policy, shards=self.SHARDS, seed=12345)
        queues = [self.queue(1000 + 2 * shard)
                  for shard in range(self.SHARDS)]
        for address in addresses:
            send(str(address))
        kernel = {}
        for shard, queue in enumerate(queues):
            for packet in queue.packets(0.3):
                for end in (packet.source, packet.destination):
                    if end in addresses:
                        kernel[end] = shard
        ours = {address: int(driver.ask("shard", address)[0])
                for address in addresses}
        return kernel, ours

    def check(self, addresses, send, policy=rules_bed.POLICY):
        kernel, ours = self.reach(addresses, send, policy)
        self.assertEqual(ours, kernel)
        return kernel

    def test_user_space_computes_the_kernels_shard_of_ipv4(self):
        addresses = [f"10.20.{n}.{n * 3 % 256}" for n in range(100)]
        shards = self.check(addresses, lambda address: self.send_out(
            frames.udp(address, OUTSIDE, 5000, 53)))
        self.assertEqual(set(range(self.SHARDS)), set(shards.values()))

    def test_and_of_ipv6_by_prefix(self):
        addresses = [str(ipaddress.ip_address(f"2001:db8:20:{n:x}::{n:x}:1"))
                     for n in range(1, 100)]
        addresses += [str(ipaddress.ip_address(f"2001:db8:20:5::{n:x}:2"))
                      for n in range(1, 20)]
        shards = self.check(addresses, lambda address: self.send_out(
            frames.udp(address, OUTSIDE6, 5000, 53)))
        self.assertEqual(set(range(self.SHARDS)), set(shards.values()))
        self.assertEqual(1, len({shards[each] for each in addresses
                                 if each.startswith("2001:db8:20:5:")}))

    def test_the_way_in_leads_to_the_same_shard(self):
        for n in range(50):
            self.net.gateway.run("ip", "route", "replace", f"10.20.77.{n}",
                                 "via", GUARDED, "dev", "lan0")
        self.check([f"10.20.77.{n}" for n in range(50)],
                   lambda address: self.send_in(
                       frames.udp(OUTSIDE, address, 53, 5000)))

    def test_all_addresses_of_a_bound_mac_share_a_shard(self):
        bound = [f"10.20.9.{n}" for n in range(1, 20)] + [
            str(ipaddress.ip_address(f"2001:db8:20:9::{n:x}"))
            for n in range(1, 20)]
        policy = rules_bed.POLICY + f"""
antispoof:
  interfaces: {{lan0: {{sources: [10.20.0.0/16, "2001:db8:20::/48"]}}}}
  bindings:
    - mac: "{lab.GUARDED_MAC}"
      addresses: [{", ".join(f'"{each}"' for each in bound)}]
"""
        kernel = self.check(
            bound, lambda address: self.send_out(frames.udp(
                address, OUTSIDE6 if ":" in address else OUTSIDE, 5000, 53)),
            policy)
        self.assertEqual(1, len(set(kernel.values())))


class Life(rules_bed.Case):
    def test_fail_open_passes_when_nobody_listens(self):
        self.install()
        packet = frames.udp(GUARDED, OUTSIDE, 5010, 53)
        self.send_out(packet)
        self.assertTrue(self.arrives(packet))

    CLOSED = rules_bed.POLICY + "datapath: {nfqueue: {fail: closed}}\n"

    def test_fail_closed_does_not(self):
        self.install(self.CLOSED)
        packet = frames.udp(GUARDED, OUTSIDE, 5011, 53)
        self.send_out(packet)
        self.assertFalse(self.arrives(packet, seconds=0.2))

    def test_a_rule_that_blocks_stays_until_uninstalled(self):
        driver = self.install(self.CLOSED)
        driver.ask("block")
        driver.stop()
        self.drivers.clear()
        packet = frames.udp(GUARDED, OUTSIDE, 5012, 53)
        self.send_out(packet)
        self.assertFalse(self.arrives(packet, seconds=0.2))
        self.assertIn("blocked", self.net.gateway.run("nft", "list", "ruleset"))
        other = rules_bed.Driver(self.net.gateway, self.CLOSED)
        other.ask("uninstall")
        other.stop()
        self.assertEqual("", self.net.gateway.run("nft", "list", "ruleset"))
        self.send_out(packet)
        self.assertTrue(self.arrives(packet))

    def test_a_later_run_takes_over_what_was_left(self):
        self.install(self.CLOSED).stop()
        self.drivers.clear()
        driver = self.install(RULES)
        driver.ask("verify")
        queue = self.queue()
        self.send_out(frames.udp(GUARDED, OUTSIDE, 5013, 53000))
        self.assertEqual(1, len(queue.packets(1, count=1)))

    def test_an_update_drops_nothing_that_waits(self):
        driver = self.install(rules_bed.POLICY)
        queue = self.queue()
        sent = [frames.udp(GUARDED, OUTSIDE, 7000 + n, 53) for n in range(50)]
        for packet in sent:
            self.send_out(packet)
        held = queue.packets(1, count=50)
        before = driver.counters()
        for policy in (RULES, rules_bed.POLICY, RULES):
            driver.update(policy)
            driver.ask("verify")
        self.outside.drain()
        for packet in held:
            queue.verdict(packet)
        self.assertEqual(50, len(self.outside.receive(
            1, lambda frame: b"\x00\x35" in frame and len(frame) == 43, 50)))
        self.assertGreaterEqual(driver.counters()["transit"],
                                before["transit"])

    def test_an_update_loses_no_packet_under_load(self):
        driver = self.install(RULES)
        queue = self.queue()
        deadline = time.monotonic() + 2
        sent = got = updates = 0
        while time.monotonic() < deadline or updates < 4:
            for _ in range(50):
                self.send_out(frames.udp(GUARDED, OUTSIDE, 5014, 53001))
                sent += 1
            if sent % 1000 == 0:
                driver.update(RULES if updates % 2 else rules_bed.POLICY)
                updates += 1
            got += len(queue.pass_all(0.2, count=50))
        got += len(queue.pass_all(0.2))
        self.assertEqual(sent, got)
        status = self.net.gateway.read("/proc/net/netfilter/nfnetlink_queue")
        self.assertEqual(["0", "0"], status.split()[5:7])

    def test_the_base_chains_are_the_same_after_an_update(self):
        driver = self.install(rules_bed.POLICY)

        def handles():
            listed = self.net.gateway.run("nft", "-a", "list", "ruleset")
            return re.findall(
                r"chain (\w+) { # handle (\d+)\n\s+type filter", listed)
        before = handles()
        driver.update(RULES)
        self.assertEqual(before, handles())

    def listed(self):
        return self.net.gateway.run("nft", "list", "ruleset")

    def refuse_each(self, policy, sign):
        """Whatever memory it lacks.  How often it was refused, and how often it
        was in force all the same."""
        driver = self.install(rules_bed.POLICY)
        asked, lacks, refused, changed = 1, 0, 0, 0
        while asked >= lacks:
            lacks += 1
            driver.ask("lack", lacks)
            try:
                asked = int(driver.update(policy)[0].split()[1])
            except RuntimeError as why:
                self.assertIn(f"no {errno.ENOMEM} ", str(why))
                refused, asked = refused + 1, lacks
                changed += re.search(sign, self.listed()) is not None
            driver.update(rules_bed.POLICY)
            driver.ask("verify")
            self.assertNotRegex(self.listed(), sign)
        return refused, changed

    def test_an_update_that_finds_no_memory_has_changed_nothing(self):
        refused, changed = self.refuse_each(RULES, "2055")
        self.assertGreater(refused, 2)
        self.assertEqual(0, changed)

    def test_what_could_not_be_read_back_is_taken_back(self):
        refused, changed = self.refuse_each(
            rules_bed.POLICY + "limiter: {guard_gateway: true}\n",
            r"hook input .*\n\t\t\w")
        self.assertGreater(refused, changed)
        self.assertGreater(changed, 0)

    def test_nothing_is_left_after_remove(self):
        driver = self.install(RULES)
        driver.ask("remove")
        self.assertEqual("", self.net.gateway.run("nft", "list", "ruleset"))

    def test_other_tables_are_left_alone(self):
        self.net.gateway.nft("""
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy accept;
        counter
    }
}
table ip symtapx {
    set inside4 { type ipv4_addr; }
}
""")
        before = self.net.gateway.run("nft", "list", "ruleset")
        driver = self.install(RULES)
        driver.update(rules_bed.POLICY)
        driver.ask("remove")
        self.assertEqual(before,
                         self.net.gateway.run("nft", "list", "ruleset"))

    def test_what_the_operator_drops_is_not_queued(self):
        self.net.gateway.nft("""
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy accept;
        udp dport 53 drop
    }
}
""")
        self.install()
        queue = self.queue()
        self.send_out(frames.udp(GUARDED, OUTSIDE, 5015, 53))
        self.send_out(frames.udp(GUARDED, OUTSIDE, 5015, 54))
        self.assertEqual([(5015, 54)],
                         [packet.ports for packet in queue.packets(0.3)])

    def test_a_flush_by_somebody_else_is_noticed(self):
        driver = self.install(RULES)
        self.assertEqual(["quiet"], driver.ask("watch", 50))
        self.net.gateway.run("nft", "flush", "ruleset")
        self.assertEqual(["altered"], driver.ask("watch", 1000))
        with self.assertRaisesRegex(RuntimeError, "table is missing"):
            driver.ask("verify")
        driver.ask("install")
        driver.ask("verify")
        self.assertEqual(["quiet"], driver.ask("watch", 50))

    def test_one_rule_taken_out_is_noticed_and_named(self):
        driver = self.install(RULES)
        listed = self.net.gateway.run("nft", "-a", "list", "chain", "inet",
                                      "symtap", "forward")
        handle = re.search(r"goto judge4 # handle (\d+)", listed)[1]
        self.net.gateway.run("nft", "delete", "rule", "inet", "symtap",
                             "forward", "handle", handle)
        self.assertEqual(["altered"], driver.ask("watch", 1000))
        with self.assertRaisesRegex(RuntimeError, "rules in forward"):
            driver.ask("verify")
        driver.ask("install")
        driver.ask("verify")

    def test_an_element_taken_out_is_noticed_and_named(self):
        driver = self.install(RULES)
        self.net.gateway.run("nft", "flush", "set", "inet", "symtap",
                             "inside4")
        self.assertEqual(["altered"], driver.ask("watch", 1000))
        with self.assertRaisesRegex(RuntimeError, "elements of inside4"):
            driver.ask("verify")

    def test_what_others_do_to_their_tables_is_not_our_business(self):
        driver = self.install(RULES)
        self.net.gateway.nft(
            "table inet other {\nchain forward {\ncounter\n}\n}\n")
        self.net.gateway.run("nft", "delete", "table", "inet", "other")
        self.assertEqual(["quiet"], driver.ask("watch", 100))

    def test_our_own_changes_are_not_somebody_elses(self):
        driver = self.install(rules_bed.POLICY)
        driver.update(RULES)
        driver.ask("refuse", "host", "lan0", 1000, GUARDED)
        self.assertEqual(["quiet"], driver.ask("watch", 100))


class Listing(rules_bed.Case):
    """What an operator sees with `nft list ruleset`."""

    GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "rules_golden.nft")
    POLICY = RULES + f"""
antispoof:
  interfaces: {{lan0: {{sources: [10.20.0.0/16, "2001:db8:20::/48"]}}}}
  bindings: [{{mac: "{lab.GUARDED_MAC}", addresses: [{GUARDED}, "{GUARDED6}"]}}]
"""

    def test_the_listing_is_the_one_that_was_reviewed(self):
        version = self.net.gateway.run("nft", "--version")
        if "v1.0.6" not in version:
            self.skipTest(f"another {version.strip()} lists otherwise")
        driver = self.install(self.POLICY, shards=2, seed=7,
                              conntrack="translates")
        if driver.ask("method") != ["target room"]:
            self.skipTest("a kernel with another way to queue packets")
        # The command complains of what it knows from iptables.
        listed = self.net.gateway.run("sh", "-c",
                                      "nft list ruleset 2>/dev/null")
        if os.environ.get("UPDATE"):
            with open(self.GOLDEN, "w", encoding="utf-8") as file:
                file.write(listed)
        with open(self.GOLDEN, encoding="utf-8") as file:
            self.maxDiff = None
            self.assertEqual(file.read(), listed)


if __name__ == "__main__":
    rules_bed.main()
