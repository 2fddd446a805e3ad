#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Translation beside us: a queue sees the inside addresses, and what is held
leaves with one translation: rules_nat_test.py DRIVER"""

import struct

import frames
import rules_bed
from lab import GUARDED, GUARDED6, NEIGHBOUR, OUTSIDE, OUTSIDE6

MAIN, ROOM = 1000, 1002
WAN = "192.0.2.1"


def translation(statement, more=""):
    return f"""
table inet nat {{
    chain post {{
        type nat hook postrouting priority 100; policy accept;
        oifname "wan0" {statement}
        {more}
    }}
    chain pre {{
        type nat hook prerouting priority -100; policy accept;
        ip daddr {WAN} tcp dport 8080 dnat ip to {NEIGHBOUR}:80
        ip daddr {WAN} udp dport 8080 dnat ip to {NEIGHBOUR}:80
    }}
}}
"""


class Nat(rules_bed.Case):
    def tearDown(self):
        super().tearDown()
        self.net.gateway.run("conntrack", "-F")

    def sources(self, count, protocol=17, seconds=1.0):
        """Ports (or identifiers) that came out, of `count` packets."""
        at = 34 if protocol == 17 else 38
        found = self.outside.receive(
            seconds, lambda frame: frame[12:14] == b"\x08\0" and
            frame[23] == protocol, count)
        return [struct.unpack_from("!H", frame, at)[0] for frame in found]

    def hold_then_release(self, packets):
        """The first is held, the others wait in the room; then all go."""
        main, room = self.queue(MAIN), self.queue(ROOM)
        for packet in packets:
            self.send_out(packet)
        held = main.packets(0.3)
        waiting = room.packets(0.3)
        self.assertEqual((1, len(packets) - 1), (len(held), len(waiting)))
        self.outside.drain()
        main.verdict(held[0])
        for packet in waiting:
            room.verdict(packet)
        for packet in main.packets(1, count=len(waiting)):
            main.verdict(packet)

    def test_keys_are_inside_addresses_behind_masquerade(self):
        for statement in ("masquerade", "masquerade fully-random"):
            self.net.gateway.nft(translation(statement))
            self.install()
            queue = self.queue(MAIN)
            self.send_out(frames.udp(GUARDED, OUTSIDE, 5000, 53))
            self.assertEqual(
                [f"{GUARDED}:5000 > {OUTSIDE}:53"],
                [str(packet) for packet in queue.pass_all(1, count=1)])
            port, = self.sources(1)
            self.send_in(frames.udp(OUTSIDE, WAN, 53, port))
            self.assertEqual(
                [f"{OUTSIDE}:53 > {GUARDED}:5000"],
                [str(packet) for packet in queue.pass_all(1, count=1)])
            self.tearDown()
            self.setUp()

    def test_port_forwarding_shows_the_host_behind_it(self):
        self.net.gateway.nft(translation("masquerade"))
        self.install()
        queue = self.queue(MAIN)
        self.send_in(frames.udp(OUTSIDE, WAN, 5000, 8080))
        self.assertEqual(
            [f"{OUTSIDE}:5000 > {NEIGHBOUR}:80"],
            [str(packet) for packet in queue.pass_all(1, count=1)])
        self.neighbour.send(self.lan1_mac,
                            frames.udp(NEIGHBOUR, OUTSIDE, 80, 5000))
        self.assertEqual(
            [f"{NEIGHBOUR}:80 > {OUTSIDE}:5000"],
            [str(packet) for packet in queue.pass_all(1, count=1)])
        self.assertEqual([8080], self.sources(1))

    def test_hairpin_shows_both_hosts(self):
        self.net.gateway.nft(translation(
            "masquerade", f'oifname "lan1" ip saddr {GUARDED} masquerade'))
        self.install()
        queue = self.queue(MAIN)
        self.neighbour.drain()
        self.send_out(frames.udp(GUARDED, WAN, 5000, 8080))
        self.assertEqual(
            [f"{GUARDED}:5000 > {NEIGHBOUR}:80"],
            [str(packet) for packet in queue.pass_all(1, count=1)])
        frame, = self.neighbour.receive(
            1, lambda frame: frame[12:14] == b"\x08\0" and frame[23] == 17, 1)
        port, = struct.unpack_from("!H", frame, 34)
        self.neighbour.send(self.lan1_mac,
                            frames.udp(NEIGHBOUR, "10.20.0.1", 80, port))
        self.assertEqual(
            [f"{NEIGHBOUR}:80 > {GUARDED}:5000"],
            [str(packet) for packet in queue.pass_all(1, count=1)])

    def test_datagrams_held_leave_with_one_translation(self):
        self.net.gateway.nft(translation("masquerade fully-random"))
        driver = self.install()
        self.assertIn(driver.ask("method"), (["target room"], ["queue room"]))
        self.hold_then_release([frames.udp(GUARDED, OUTSIDE, 5000, 53,
                                           bytes([n])) for n in range(8)])
        ports = self.sources(8)
        self.assertEqual((8, 1), (len(ports), len(set(ports))))

    def test_without_the_room_they_would_not(self):
        """That the room is needed here (Linux 6.18; 6.1 keeps to the first
        translation by itself); if not, the kernel has learnt."""
        self.net.gateway.nft(translation("masquerade fully-random"))
        self.install(conntrack="none")
        queue = self.queue(MAIN)
        for n in range(8):
            self.send_out(frames.udp(GUARDED, OUTSIDE, 5000, 53, bytes([n])))
        queue.pass_all(1, count=8)
        self.assertGreater(len(set(self.sources(8))), 1)

    def test_echoes_held_are_not_lost(self):
        self.net.gateway.nft("""
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy accept;
        ct state invalid drop
    }
}
""")
        self.install()
        self.hold_then_release([frames.echo(GUARDED, OUTSIDE, 77, n)
                                for n in range(8)])
        self.assertEqual([77] * 8, self.sources(8, protocol=1))

    def test_and_of_ipv6(self):
        self.net.gateway.nft(translation("masquerade fully-random"))
        self.install()
        self.hold_then_release([frames.echo(GUARDED6, OUTSIDE6, 77, n)
                                for n in range(8)])
        found = self.outside.receive(
            1, lambda frame: frame[20] == 58 and frame[54] == 128, 8)
        self.assertEqual(8, len(found))

    def test_with_an_answer_the_room_is_left(self):
        self.net.gateway.nft(translation("masquerade fully-random"))
        self.install()
        main, room = self.queue(MAIN), self.queue(ROOM)
        question = frames.udp(GUARDED, OUTSIDE, 5000, 53)
        self.send_out(question)
        main.pass_all(1, count=1)
        port, = self.sources(1)
        self.send_in(frames.udp(OUTSIDE, WAN, 53, port))
        main.pass_all(1, count=1)
        # The next one still comes by the room, and tells that it is over.
        self.send_out(question)
        self.assertEqual(1, len(room.pass_all(1, count=1)))
        self.assertEqual(1, len(main.pass_all(1, count=1)))
        for _ in range(5):
            self.send_out(question)
        self.assertEqual(5, len(main.pass_all(1, count=5)))
        self.assertEqual([], room.packets(0.1))
        self.assertEqual([port] * 6, self.sources(6))

    def test_the_room_is_open_when_nobody_listens(self):
        self.net.gateway.nft(translation("masquerade"))
        self.install()
        main = self.queue(MAIN)
        for _ in range(3):
            self.send_out(frames.udp(GUARDED, OUTSIDE, 5000, 53))
        self.assertEqual(3, len(main.packets(0.5, count=3)))

    def test_the_gateways_own_traffic_does_not_wait(self):
        self.net.gateway.nft(translation("masquerade"))
        self.install()
        room = self.queue(ROOM)
        for _ in range(3):
            self.send_out(frames.udp(GUARDED, "10.20.0.1", 5000, 53))
        self.assertEqual([], room.packets(0.2))

    def test_translation_that_comes_later_is_noticed(self):
        driver = self.install()
        before = driver.ask("method")
        self.assertIn(before, (["target no-room"], ["queue no-room"]))
        self.net.gateway.nft(translation("masquerade"))
        self.assertEqual(["conntrack"], driver.ask("watch", 1000))
        driver.ask("install")
        self.assertEqual([before[0].replace("no-room", "room")],
                         driver.ask("method"))
        self.assertEqual(["quiet"], driver.ask("watch", 50))

    def test_marks_are_left_to_the_operator(self):
        self.net.gateway.nft("""
table inet mangle {
    chain pre {
        type filter hook prerouting priority -150; policy accept;
        meta mark set 0x5a5a5a5a
    }
    chain post {
        type filter hook postrouting priority 90; policy accept;
        meta mark 0x5a5a5a5a counter
    }
}
""")
        self.install()
        queue = self.queue(MAIN)
        for n in range(5):
            self.send_out(frames.udp(GUARDED, OUTSIDE, 5000 + n, 53))
        queue.pass_all(1, count=5)
        listed = self.net.gateway.run("nft", "list", "table", "inet", "mangle")
        self.assertIn("packets 5 ", listed)


if __name__ == "__main__":
    rules_bed.main()
