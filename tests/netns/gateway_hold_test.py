#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Before a pure bridge packets wait with their sender's memory, so that the
sender itself waits, and nothing is lost."""

import fcntl
import os
import re
import signal
import socket
import struct
import threading
import time

import frames
import gateway_bed as bed
import lab
import symtapd
import traffic

INSIDE = ("10.20.0.7", "10.20.0.8")
BEHIND_TAP = "10.20.0.9"
TAP_MAC = "52:54:00:12:34:59"
OUTER = "10.20.255.1"
POLICY = {
    "inside": '["10.20.0.0/24"]',
    "datapath": "{nfqueue: {queues: 1}, fast: {interfaces: [lan0, tap0], "
                "keys: 16384, hold: qdisc}}",
}
AHEAD = 4  # may have left before the daemon says a word
TUNSETIFF, TUNSETSNDBUF = 0x400454CA, 0x400454D4
IFF_TAP, IFF_NO_PI = 2, 0x1000
TAP_BYTES = 64 << 10
IS_OLD = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 6)

# Under emulation the kernel takes long to look at the whole program.
symtapd.START_SECONDS = 60


class TappedNet(lab.Bridged):
    """And a writer at (tap0)."""

    def __init__(self, world):
        super().__init__(world, INSIDE, OUTER)
        self.tap = self.open_tap()
        self.add_port("tap0")
        for family in ("iptables", "ip6tables"):
            self.gateway.write(
                f"/proc/sys/net/bridge/bridge-nf-call-{family}", 0)
        self.outside.run("ip", "neigh", "replace", BEHIND_TAP, "lladdr",
                         TAP_MAC, "dev", "eth0")

    def open_tap(self):
        with self.gateway.entered():
            opened = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(opened, TUNSETIFF, struct.pack(
                "16sH22x", b"tap0", IFF_TAP | IFF_NO_PI))
        fcntl.ioctl(opened, TUNSETSNDBUF, struct.pack("i", TAP_BYTES))
        return opened


class Flood(threading.Thread):
    """Sends as fast as it may, until it is told to stop; `send(number)`
    blocks."""

    def __init__(self, send, most=1 << 30):
        super().__init__(daemon=True)
        self.send, self.most = send, most
        self.sent, self.blocked, self.began = 0, [], None
        self.ending = False
        self.start()

    def run(self):
        while not self.ending and self.sent < self.most:
            self.began = time.monotonic()
            self.send(self.sent)
            self.sent += 1
            self.blocked.append(time.monotonic() - self.began)
            self.began = None

    def longest(self):
        began = self.began
        now = [time.monotonic() - began] if began else []
        return max(self.blocked + now)

    def stop(self):
        """When whatever blocks it is let go."""
        self.ending = True

    def finish(self):
        self.join(10)
        if self.is_alive():
            raise RuntimeError("the sender is still blocked")


class Hold(bed.Case):

    @classmethod
    def build(cls):
        cls.net = TappedNet(cls.lab)
        cls.check_path(cls.net.host, cls.net.outside, (INSIDE[0], OUTER))

    def start(self, **policy):
        if IS_OLD:
            self.skipTest("it needs Linux 6.6")
        self.symtapd.start(**{**POLICY, **policy})
        self.check_whole(self.talk(seconds=0.02).finish())

    def talk(self, **options):
        return super().talk((INSIDE[0], OUTER), **options)

    def from_veth(self):
        """A blocking socket, with as much memory as any."""
        source = self.net.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        source.bind((INSIDE[1], 0))
        return lambda number: source.sendto(traffic.numbered(number),
                                            (OUTER, 9))

    def from_tap(self):
        mac = self.net.outside.mac("eth0")
        return lambda number: os.write(self.net.tap, frames.ethernet(
            mac, TAP_MAC, 0x0800, frames.udp(BEHIND_TAP, OUTER, 4000, 9,
                                             traffic.numbered(number))))

    def check_held(self, flood, ear, address, seconds=4):
        """A flood of one sender: when its packets arrive, and that all do,
        once they are let out."""
        arrived = ear.receive(seconds)
        times = [each.at - arrived[0].at for each in arrived]
        longest = flood.longest()
        flood.stop()
        told = " ".join(f"{each * 1e3:.1f}" for each in times[:16])
        while flood.is_alive():
            self.symtapd.ctl("release", address)
            arrived += ear.receive(0.05)
        self.symtapd.ctl("release", address)
        arrived += ear.receive(1, flood.sent - len(arrived))
        print(f"{flood.sent} sent, {longest * 1e3:.0f} ms the longest one "
              f"blocked; arrived after ms: {told}")
        self.assertEqual(traffic.numbers(arrived), list(range(flood.sent)))
        self.assertGreater(longest, 0.4)
        # What left ahead counts: the next wait for it.
        at_once = sum(each < 0.0015 for each in times)
        self.assertLessEqual(at_once, bed.BURST + AHEAD)
        first = sum(each < 1 for each in times)
        self.assertLessEqual(first, bed.FIRST_SECOND + AHEAD +
                             (2 if self.is_busy() else 0), told)
        later = sum(2 <= each < seconds for each in times)
        self.assertGreater(later, 7.5 * (seconds - 2) - 1, told)
        self.assertLess(later, 10 * (seconds - 2) + 1, told)

    def test_a_veth_sender_waits_and_its_neighbour_does_not(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        talk = self.talk(seconds=4)
        self.check_held(Flood(self.from_veth()), ear, INSIDE[1])
        self.check_whole(talk.finish())
        told = self.symtapd.settled()
        self.assertEqual((told["qdisc_full_pkts"], told["qdisc_untold_pkts"],
                          told["qdisc_failed"]), (0, 0, 0))
        self.assertGreater(told["fast_out_pkts"], 600)

    def test_a_tap_writer_waits(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        self.check_held(Flood(self.from_tap()), ear, BEHIND_TAP)
        told = self.symtapd.settled()
        self.assertEqual((told["qdisc_full_pkts"], told["qdisc_failed"]),
                         (0, 0))

    def test_an_answer_lets_all_go_at_once(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        flood = Flood(self.from_veth(), 40)
        arrived = ear.receive(0.6)
        self.assertLess(len(arrived), 20)
        for each in arrived * 3:
            ear.answer(each)
        arrived += ear.receive(0.2)
        flood.finish()
        self.assertEqual(traffic.numbers(arrived), list(range(40)))

    def test_a_tag_is_no_way_around(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        wire = self.net.host.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("eth0", 0))
        frame = frames.ethernet(
            self.net.outside.mac("eth0"), lab.GUARDED_MAC, 0x0800,
            frames.udp(INSIDE[1], OUTER, 4000, 9, traffic.numbered(0)))
        for _ in range(60):
            wire.send(frame[:12] + b"\x81\0\0\0" + frame[12:])
        arrived = ear.receive(0.8)
        self.assertGreaterEqual(len(arrived), bed.BURST)
        self.assertLessEqual(len(arrived), bed.FIRST_SECOND + AHEAD)

    def test_killed_it_holds_nobody(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        flood = Flood(self.from_veth())
        ear.receive(1.5)
        self.symtapd.stop(signal.SIGKILL)
        sent = flood.sent
        self.assertTrue(lab.eventually(lambda: flood.sent > sent + 1000, 5))
        flood.stop()
        flood.finish()
        self.check_whole(self.talk(seconds=0.5).finish())
        # The next one takes away what was left behind.
        self.symtapd.restart()
        self.check_whole(self.talk(seconds=0.5).finish())
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertNotIn("symtap-hold", self.net.gateway.run("ip", "link"))

    def test_what_cannot_be_had_is_refused(self):
        self.net.gateway.run("ip", "link", "set", "tap0", "nomaster")
        try:
            with self.assertRaises(symtapd.SymtapdError):
                self.symtapd.start(**POLICY)
        finally:
            self.net.gateway.run("ip", "link", "set", "tap0", "master", "br0")
        self.assertIn("qdisc needs Linux 6.6" if IS_OLD else
                      "tap0: is no port of a bridge", self.symtapd.log())


if __name__ == "__main__":
    bed.main()
