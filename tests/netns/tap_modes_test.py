#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What each mode of the network tap does to real packets: the carrier is
symtap-tap, the judge is the test."""

import os
import shutil
import signal
import struct
import tempfile
import time
import unittest

import frames
import lab
import symtapd
import tap_judge
import traffic
from tap_judge import (DROP, INTERCEPT, INTERPOSE, OBSERVE, PASS, REPLACE,
                       Judge)

BUILD = os.environ["SYMTAP_BUILD"]
QUEUE = 4242
PORT = 9000
TCP, UDP, ICMP = 6, 17, 1
TCP_HEADERS = 52  # with a time stamp
STREAM_BYTES = 20 << 20


def datagram(packet):
    """(source, destination, source port, destination port, data) of IPv4."""
    data = packet.data
    if packet.ethertype != 0x0800 or data[9] != UDP:
        return None
    source, destination = (".".join(map(str, data[at:at + 4]))
                           for at in (12, 16))
    return (source, destination, *struct.unpack_from("!HH", data, 20),
            data[28:])


class Modes(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab("tap-modes")
        cls.addClassCleanup(cls.lab.close)
        cls.net = lab.Routed(cls.lab)
        cls.net.gateway.run("iptables", "-A", "FORWARD", "-j", "NFQUEUE",
                            "--queue-num", str(QUEUE))

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="symtap-tap-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, PORT)
        self.addCleanup(self.ear.socket.close)
        self.sender = traffic.sender(self.net.host, lab.GUARDED)
        self.addCleanup(self.sender.close)

    def said(self):
        with open(f"{self.folder}/log", encoding="utf-8") as log:
            return log.read()

    def says(self, text, times=1):
        self.assertTrue(lab.eventually(
            lambda: self.said().count(text) >= times, 20), self.said())

    def carry(self, *options):
        with open(f"{self.folder}/log", "w", encoding="utf-8") as log:
            self.carrier = self.net.gateway.start(
                symtapd.find(BUILD, "symtap-tap"), "--judge",
                f"unix:{self.folder}/tap", *options, stderr=log, env={
                    **os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        self.addCleanup(self.end_carrier)
        self.says("carries queue")

    def end_carrier(self):
        self.carrier.terminate()
        self.assertEqual(self.carrier.wait(5), 0, self.said())

    def judge(self, mode, **more):
        judge = Judge(f"{self.folder}/tap", mode, **more)
        self.addCleanup(judge.close)
        self.says("the judge may " + ("observe", "interpose",
                                      "intercept")[mode])
        return judge

    def send(self, data):
        self.sender.sendto(data, (lab.OUTSIDE, PORT))

    def arrives(self, seconds=5.0, count=1):
        return [each.data for each in self.ear.receive(seconds, count)]

    def test_observing_sees_headers_and_delays_nobody(self):
        self.carry("--most", "intercept")
        judge = self.judge(OBSERVE, answer=lambda judge, packet: None)
        self.send(bytes(1000))
        self.assertEqual(self.arrives(), [bytes(1000)])
        self.assertTrue(lab.eventually(lambda: judge.packets))
        packet, = judge.packets
        self.assertEqual((packet.id, packet.wire_bytes, len(packet.data)),
                         (0, 1028, 192))
        self.assertEqual((packet.came_by, packet.goes_by, packet.mac),
                         ("lan0", "wan0", frames.mac_bytes(lab.GUARDED_MAC)))

    def test_another_packet_takes_the_place_of_one(self):
        """Also a longer one.  Its checksums are its maker's: one that is wrong
        goes out as it is, and nobody takes it for good."""
        wanted = {b"longer": b"it is " * 100, b"wrong sum": b"never heard"}

        def answer(_, packet):
            found = datagram(packet)
            if not found:
                return PASS, b""
            *ends, data = found
            other = frames.udp(*ends, wanted.get(data, data.upper()))
            if data == b"wrong sum":
                other = other[:26] + b"\x12\x34" + other[28:]
            return REPLACE, other

        self.carry()
        judge = self.judge(INTERPOSE, answer=answer)
        for data, arrives in ((b"a quiet word", [b"A QUIET WORD"]),
                              (b"longer", [wanted[b"longer"]]),
                              (b"wrong sum", [])):
            self.send(data)
            self.assertEqual(self.arrives(5 if arrives else 0.5), arrives)
        self.assertEqual(len(judge.packets), 3)
        # What it answers comes back replaced, too.
        self.send(b"who is it")
        heard, = self.ear.receive(5, 1)
        self.ear.answer(heard, b"it is me")
        self.sender.settimeout(5)
        self.assertEqual(self.sender.recv(100), b"IT IS ME")

    def echo_reply(self, packet):
        """In the place of the host that was asked."""
        data = packet.data
        body = b"\0" + data[21:22] + b"\0\0" + data[24:]
        body = body[:2] + struct.pack("!H", frames.checksum(body)) + body[4:]
        source, destination = (".".join(map(str, data[at:at + 4]))
                               for at in (12, 16))
        return frames.ethernet(
            lab.GUARDED_MAC, self.net.gateway.mac("lan0"), 0x0800,
            frames.ipv4(destination, source, ICMP, body))

    def test_who_intercepts_ends_the_device(self):
        """Packets go no further; the judge answers by the interfaces that it
        was given, and by no other."""
        def answer(judge, packet):
            if packet.data[9] == ICMP:
                judge.send_frame("lan0", self.echo_reply(packet))
                judge.send_frame("wan0", frames.ethernet(
                    frames.BROADCAST, lab.GUARDED_MAC, 0x88b5, bytes(60)))

        self.carry("--most", "intercept", "--device", "lan0")
        judge = self.judge(INTERCEPT, answer=answer)
        self.says("the judge may intercept")
        seen = traffic.Tap(self.net.outside, "eth0", lambda frame:
                           frame[12:14] in (b"\x08\x00", b"\x88\xb5"))
        self.assertTrue(self.net.host.is_answered(lab.OUTSIDE, "-s", "1000"))
        self.assertEqual(seen.receive(0.2), [])
        self.assertEqual({len(packet.data) for packet in judge.packets},
                         {1028})
        # With the judge, its answers end: nobody else is there.
        judge.close()
        self.says("the judge is gone")
        self.assertTrue(self.net.host.is_answered(lab.OUTSIDE))
        self.assertTrue(seen.receive(5, 1))

    def upload(self, mtu, version):
        """Data packets of one, as the judge had them."""
        self.net.host.run("ip", "link", "set", "eth0", "mtu", str(mtu))
        self.addCleanup(self.net.host.run, "ip", "link", "set", "eth0", "mtu",
                        "1500")
        self.carry()
        judge = self.judge(INTERPOSE, version=version)
        client, server = traffic.stream(self.net.host, self.net.outside,
                                        lab.OUTSIDE, STREAM_BYTES)
        client.close()
        server.close()
        judge.close()
        self.end_carrier()
        return [each for each in judge.packets if each.data[9] == TCP and
                each.came_by == "lan0" and each.wire_bytes > TCP_HEADERS + 100]

    def test_super_packets_are_shown_whole_and_counted(self):
        """Whatever the size of their segments, which nobody tells; a few are
        taken apart for it."""
        for mtu in (1500, 600):
            shown = self.upload(mtu, tap_judge.VERSION)
            supers = [each for each in shown if each.super_pkts]
            self.assertGreater(len(supers), len(shown) / 4)
            self.assertLessEqual(max(each.wire_bytes for each in shown
                                     if not each.super_pkts), mtu)
            for each in supers:
                payload = each.wire_bytes - TCP_HEADERS
                self.assertEqual(each.super_pkts,
                                 -(-payload // (mtu - TCP_HEADERS)))
            self.assertGreaterEqual(
                sum(each.wire_bytes - TCP_HEADERS for each in shown),
                STREAM_BYTES)

    def test_who_does_not_count_them_has_every_packet(self):
        shown = self.upload(1500, tap_judge.FIRST_VERSION)
        self.assertGreater(len(shown), STREAM_BYTES / 1500)
        for each in shown:
            self.assertEqual((each.super_pkts, each.wire_bytes <= 1500),
                             (0, True))

    def test_the_mode_changes_while_packets_come(self):
        """Each packet goes on once, in order, or ends at the judge."""
        taken = []

        def answer(_, packet):
            found = datagram(packet)
            if found and packet.mode == INTERCEPT:
                taken.append(struct.unpack_from("!I", found[4])[0])
            return PASS, b""

        self.carry("--most", "intercept")
        judge = self.judge(OBSERVE, answer=answer)
        arrived, sent = [], 0
        for mode in (OBSERVE, INTERPOSE, INTERCEPT, INTERPOSE, INTERCEPT,
                     OBSERVE):
            judge.ask_mode(mode)
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                # Also longer than its headers.
                self.send(traffic.numbered(sent, (100, 1000)[sent % 2]))
                sent += 1
                arrived += self.ear.receive(0.002)
        deadline = time.monotonic() + 5
        while (len(arrived) + len(taken) < sent and
               time.monotonic() < deadline):
            arrived += self.ear.receive(0.05)
        arrived += self.ear.receive(0.2)
        passed = traffic.numbers(arrived)
        self.assertEqual(passed, sorted(set(passed)))
        self.assertEqual(taken, sorted(set(taken)))
        self.assertEqual(set(passed) & set(taken), set())
        self.assertEqual(sorted(passed + taken), list(range(sent)))
        self.assertGreater(len(taken), 20)
        self.assertEqual(judge.modes, [OBSERVE, INTERPOSE, INTERCEPT,
                                       INTERPOSE, INTERCEPT, OBSERVE])

    def test_a_judge_that_dies_intercepting_leaves_no_hole(self):
        """Within a second, as `fail` says; and its operator has the last
        word."""
        self.carry("--most", "intercept")
        judge = self.judge(INTERCEPT)
        self.send(b"ends there")
        self.assertEqual(self.arrives(0.3), [])
        self.carrier.send_signal(signal.SIGUSR1)
        self.says("the judge may observe", times=2)
        self.send(b"goes on")
        self.assertEqual(self.arrives(), [b"goes on"])
        self.carrier.send_signal(signal.SIGUSR2)
        self.says("the judge may intercept", times=2)
        begin = time.monotonic()
        judge.close()
        while not self.arrives(0.05):
            self.send(b"goes on")
            self.assertLess(time.monotonic(), begin + 1)
        print(f"open {time.monotonic() - begin:.3f} s after it was gone")

    def test_who_drops_drops_and_who_is_silent_is_no_judge(self):
        self.carry("--longest", "1")
        judge = self.judge(INTERPOSE, answer=lambda judge, packet: (
            (DROP, b"") if packet.data.endswith(b"drop") else None))
        self.send(b"drop")
        self.send(b"wait")
        begin = time.monotonic()
        # It beats, so it is one; but nobody waits for longer.
        self.assertEqual(self.arrives(3), [b"wait"])
        self.assertGreater(time.monotonic() - begin, 0.8)
        self.assertEqual(len(judge.packets), 2)


if __name__ == "__main__":
    lab.need_root()
    unittest.main(verbosity=2)
