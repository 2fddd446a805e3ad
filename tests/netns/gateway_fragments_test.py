#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fragments through the gateway: as they are, and put together on their way
where conntrack looks at them."""

import struct
import time

import frames
import gateway_bed as bed
import lab
import symtapd
import traffic

PATHS = ((lab.GUARDED, lab.OUTSIDE), (lab.GUARDED6, lab.OUTSIDE6))
BYTES = 4000  # three fragments
PIECES = 3
FRAGMENT = 44


def is_fragment(frame):
    if frame[12:14] == b"\x08\x00":
        return struct.unpack_from("!H", frame, 20)[0] & 0x3fff != 0
    return frame[12:14] == b"\x86\xdd" and frame[20] == FRAGMENT


def piece(source, to, payload, *, offset=0, more=True, identification=0):
    """One fragment of a UDP datagram."""
    if not frames.is_ipv6(source):
        return frames.ipv4(source, to, 17, payload, offset=offset, more=more,
                           identification=identification)
    header = struct.pack("!BBHI", 17, 0, offset | more, identification)
    return frames.ipv6(source, to, FRAGMENT, header + payload)


class Fragments(bed.Case):

    def is_put_together(self):
        return False

    def send(self, source, to, count, first=0):
        for number in range(first, first + count):
            source.sendto(traffic.numbered(number, BYTES), (to, 9))

    def flood(self, guarded, outside):
        """Again where symtapd had no turn for as long as a delay may be late:
        beside two that are always busy it is kept waiting for 1.5 s."""
        for _ in range(4):
            self.hang_up()
            self.start(limits=bed.ROOM)
            tap = traffic.Tap(self.net.outside, "eth0", is_fragment)
            ear = traffic.Receiver(self.net.outside, outside, 9)
            waited_s = self.symtapd.waited_to_run_s()
            self.send(traffic.sender(self.net.host, guarded), outside, 40)
            pieces = tap.receive(1.7)
            arrived = ear.take()
            waited_s = self.symtapd.waited_to_run_s() - waited_s
            if waited_s * 1e3 < bed.LATE_MS:
                break
        return pieces, arrived

    def check_flood_waits_in_order(self, guarded, outside):
        pieces, arrived = self.flood(guarded, outside)
        self.assertEqual(traffic.numbers(arrived), list(range(len(arrived))))
        self.assertEqual({len(each.data) for each in arrived}, {BYTES})
        self.assertLessEqual(len(pieces) - PIECES * len(arrived), PIECES - 1)
        row, = [row for row in self.symtapd.ask("top by=held scope=flow")
                ["rows"] if row["inside"] == guarded]
        self.check_flood(pieces, 40 - len(arrived), row["held_packets"])

    def check_flood(self, pieces, waiting, held):
        self.check_times(pieces)
        self.assertGreaterEqual(held, PIECES * (waiting - 1))
        self.assertLessEqual(held, PIECES * (waiting + 1))

    def check_times(self, pieces):
        """Fragment by fragment."""
        self.check_figures(pieces, 1.6)

    def test_flood_waits_in_order(self):
        for guarded, outside in PATHS:
            with self.subTest(guarded):
                self.check_flood_waits_in_order(guarded, outside)
                self.hang_up()

    def check_later_ones_follow(self, guarded, outside):
        """Two flows of one pair: one is answered, and only it goes on."""
        self.start(limits=bed.ROOM, limiter="{enforce: flow}")
        ear = traffic.Receiver(self.net.outside, outside, 9)
        silent = traffic.sender(self.net.host, guarded, 4001)
        heard = traffic.sender(self.net.host, guarded, 4002)
        self.send(silent, outside, 20)
        flooded = []
        for number in range(1000, 1050):
            self.send(heard, outside, 1, number)
            answered = []
            while not answered:
                taken = ear.receive(3, 1)
                self.assertTrue(taken, f"{number} is lost")
                flooded += [each for each in taken if each.peer[1] == 4001]
                answered = [each for each in taken if each.peer[1] == 4002]
            self.assertEqual(traffic.numbers(answered), [number])
            ear.answer(answered[0], bytes(BYTES))
        self.assertLess(len(flooded), 12)
        rows = {row["inside_port"]: row for row in
                self.symtapd.ask("top by=held scope=flow")["rows"]
                if row["inside"] == guarded}
        self.assertEqual(set(rows), {4001, 4002})
        self.assertGreater(rows[4001]["S_offered"], 2)
        self.assertLess(abs(rows[4002]["S_offered"]), 0.5)
        self.assertEqual(rows[4002]["held_packets"], 0)

    def test_later_ones_follow_the_first(self):
        for guarded, outside in PATHS:
            with self.subTest(guarded):
                self.check_later_ones_follow(guarded, outside)
                self.hang_up()

    def test_answered_fragments_pass_and_are_counted(self):
        self.start()
        before = self.symtapd.carried()
        for number, addresses in enumerate((
                (lab.NEIGHBOUR, lab.OUTSIDE), (lab.NEIGHBOUR6, lab.OUTSIDE6))):
            talked = self.talk(addresses, size=BYTES, port=100 + number,
                               seconds=0.5)
            talked = talked.finish()
            self.check_whole(talked)
            after = self.symtapd.carried()
            count = {name: after[name] - before[name] for name in after}
            before = after
            with self.subTest(addresses=addresses):
                self.assertEqual(count["out_pkts"], count["in_pkts"])
                self.assertEqual(count["waited_pkts"], 0)
                self.assertEqual(count["fragments_orphaned"], 0)
                self.check_counted(count, talked["sent"])

    def check_counted(self, count, datagrams):
        self.assertEqual(count["out_pkts"], PIECES * datagrams)
        self.assertEqual(count["fragments"], 2 * PIECES * datagrams)

    def blast(self, packet, change, count, pkts_per_s):
        frame = frames.ethernet(self.net.gateway.mac("lan0"), lab.GUARDED_MAC,
                                0x86dd if packet[0] >> 4 == 6 else 0x0800,
                                packet)
        changes = [f"random:{change}:2"]
        if packet[0] >> 4 == 4:
            changes.append("ipv4:14")
        return traffic.Blast(self.net.host, "eth0", frame, bed.BUILD, *changes,
                             count=count, pkts_per_s=pkts_per_s)

    def test_tiny_ones_are_bounded_before_they_are_put_together(self):
        for (guarded, outside), change in zip(PATHS, (18, 60)):
            with self.subTest(guarded):
                self.start(fragments="{packets_per_s: 100}")
                before = self.symtapd.settled()["out_pkts"]
                begin = time.monotonic()
                sent = self.blast(piece(guarded, outside, bytes(24)), change,
                                  5000, 10000).finish()["sent"]
                most = 100 + 100 * (time.monotonic() - begin + 0.2)
                judged = self.symtapd.settled()["out_pkts"] - before
                counters = self.counted_by_the_kernel()
                dropped, refused = (counters["tiny fragments"],
                                    counters["refused"])
                self.assertGreaterEqual(sent - dropped, 100)
                self.assertLess(sent - dropped, most)
                self.assertEqual(judged + refused, 0 if self.is_put_together()
                                 else sent - dropped)

    def test_those_without_a_first_are_held_by_their_pair(self):
        for (guarded, outside), change in zip(PATHS, (18, 60)):
            with self.subTest(guarded):
                self.start()
                tap = traffic.Tap(self.net.outside, "eth0", is_fragment)
                sent = self.blast(piece(guarded, outside, bytes(1000),
                                        offset=1480, more=False),
                                  change, 0, 1000)
                pieces = tap.receive(1.5)
                sent.end()  # none of it is left for the next one
                if self.is_put_together():
                    self.assertEqual(pieces, [])
                else:
                    self.check_figures(pieces, 1.5)
                    self.symtapd.wait_for("fragments_orphaned", 12)


class Reassembled(Fragments):
    """A rule of somebody else's makes conntrack look at every packet."""

    @classmethod
    def build(cls):
        super().build()
        cls.net.gateway.nft(
            "add table inet firewall\n"
            "add chain inet firewall in { type filter hook forward "
            "priority 0; }\n"
            "add rule inet firewall in ct state invalid drop\n")

    def is_put_together(self):
        return True

    def check_times(self, pieces):
        """A datagram leaves whole, when the last of its fragments may: all of
        them at the times of the 3rd, the 6th, the 9th and the 12th."""
        self.assertEqual(len(pieces) % PIECES, 0)
        times = [each.at for each in pieces]
        figures_ms = (0,) * bed.BURST + bed.RELEASES_MS
        last = times[PIECES - 1::PIECES]
        told = " ".join(f"{(at - times[0]) * 1e3:.1f}" for at in times)
        early_ms, late_ms = self.margins_ms()
        early_ms += traffic.underway_s(pieces[0]) * 1e3
        for at, want in zip(last, figures_ms[PIECES - 1::PIECES]):
            after_ms = (at - times[0]) * 1e3
            self.assertGreater(after_ms, want - early_ms, told)
            self.assertLess(after_ms, want + late_ms, told)
        in_first_s = sum(at - times[0] < 1 for at in last)
        self.assertEqual(in_first_s, bed.FIRST_SECOND // PIECES, told)

    def check_counted(self, count, datagrams):
        self.assertEqual(count["out_pkts"], PIECES * datagrams)
        # As they leave by a guarded interface they are fragments again.
        fast = bool(symtapd.FAST)
        self.assertEqual(count["fragments"], PIECES * datagrams * fast)
        self.assertEqual(count["put_together"], (2 - fast) * datagrams)

    def set_mtu(self, mtu):
        for namespace, device in ((self.net.gateway, "lan1"),
                                  (self.net.neighbour, "eth0"),
                                  (self.net.gateway, "wan0"),
                                  (self.net.outside, "eth0")):
            namespace.run("ip", "link", "set", device, "mtu", str(mtu))

    def test_the_mtu_is_that_of_the_moment(self):
        self.start()
        self.addCleanup(self.set_mtu, 1500)
        before = self.symtapd.carried()
        for number, (mtu, pieces) in enumerate(((2500, 2), (1300, 4),
                                                (9000, 1), (1500, 3))):
            self.set_mtu(mtu)
            talked = self.talk(size=BYTES, port=200 + number,
                               seconds=0.5).finish()
            self.check_whole(talked)
            after = self.symtapd.carried()
            with self.subTest(mtu=mtu):
                for name in "out_pkts", "in_pkts":
                    self.assertEqual(after[name] - before[name],
                                     pieces * talked["sent"])
            before = after


if __name__ == "__main__":
    bed.main()
