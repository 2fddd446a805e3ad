#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same transfer gives the same S whether or not the kernel makes
super-packets of it, and whoever makes them."""

import collections
import math
import select
import socket
import struct
import time

import gateway_bed as bed
import lab
import symtapd
import traffic

UDP_SEGMENT = 103
FEATURES = ("gso", "tso", "gro", "tx-udp-segmentation")
PKTS_PER_S = 2000
TCP_SECONDS = 0.6
UDP_SECONDS = 1.1  # a window, and a little
ALIKE = 0.1  # of S
LARGE = 32 << 20
SEGMENTS_AT = 136  # in struct tcp_info: out, then in
Measured = collections.namedtuple(
    "Measured", "out heard s s_of_the_wire shown split")
# Who makes super-packets of it: nobody, the gateway on receiving, or everybody.
NOBODY, GATEWAY, EVERYBODY = range(3)


class Offloads(bed.Case):

    @classmethod
    def build(cls):
        super().build()
        # What is paced is not gathered, however near its receiver is.
        for namespace in (cls.net.host, cls.net.outside):
            namespace.write("/proc/sys/net/ipv4/tcp_tso_rtt_log", 0)

    def set_up_links(self, mtu, who):
        gateway = self.net.gateway
        for namespace, interfaces in ((gateway, ("lan0", "wan0")),
                                      (self.net.host, ("eth0",)),
                                      (self.net.outside, ("eth0",))):
            on = who == EVERYBODY or (who == GATEWAY and namespace is gateway)
            words = " ".join(f"{feature} {'on' if on else 'off'}"
                             for feature in FEATURES)
            namespace.run("sh", "-ec", "\n".join(
                f"ip link set {name} mtu {mtu}; ethtool -K {name} {words}"
                for name in interfaces))

    def tearDown(self):
        super().tearDown()
        self.set_up_links(1500, EVERYBODY)

    def ends(self, upload):
        inside = (self.net.host, lab.GUARDED)
        outside = (self.net.outside, lab.OUTSIDE)
        return (inside, outside) if upload else (outside, inside)

    def stream(self, upload, size, bytes_per_s=None):
        """Segments out and in, as the guarded host's own TCP counts them."""
        source, target = self.ends(upload)
        client, server = traffic.stream(source[0], *target, size, bytes_per_s)
        with client, server:
            return struct.unpack_from("=II", (
                client if upload else server).getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_INFO, 144), SEGMENTS_AT)

    def over_tcp(self, mtu, upload):
        """At so many packets a second that one is not made of more than two:
        each is acknowledged at once, as without."""
        return self.stream(upload, int(PKTS_PER_S * TCP_SECONDS) * mtu,
                           PKTS_PER_S * mtu)

    def over_udp(self, mtu, upload):
        """Every second datagram is answered."""
        source, target = self.ends(upload)
        size = mtu - 100
        at_once = min(40, 60000 // size)
        client = traffic.sender(*source)
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        server = traffic.sender(*target, 9)
        server.setsockopt(socket.SOL_SOCKET, traffic.SO_RCVBUFFORCE,
                          traffic.LARGE)
        server.setblocking(False)
        count = int(PKTS_PER_S * UDP_SECONDS) // at_once * at_once
        sent = arrived = 0
        begin = time.monotonic()
        while arrived < count:
            self.assertLess(time.monotonic() - begin, 30, "packets are lost")
            due = (time.monotonic() - begin) * PKTS_PER_S
            # Who comes late does not flood.
            while sent < min(due, count) and sent - arrived <= at_once // 2:
                client.sendto(bytes(at_once * size), (target[1], 9))
                sent += at_once
            select.select([server], [], [], 0.001)
            while True:
                try:
                    _, peer = server.recvfrom(65536)
                except BlockingIOError:
                    break
                arrived += 1
                if arrived % 2 == 0:
                    server.sendto(b"yes", peer)
        return (count, count // 2) if upload else (count // 2, count)

    def measure(self, transfer, mtu, upload):
        """Packets out and in, S of these, S of what was on the wire, S of the
        last window as shown when it ended, and how many super-packets were
        looked into."""
        before = self.symtapd.carried()
        sent, received = transfer(mtu, upload)
        row, = [row for row in self.symtapd.ask("top by=rate scope=pair")
                ["rows"] if row["inside"] == lab.GUARDED]
        self.hang_up()
        after = self.symtapd.carried()
        out, heard = (after[name] - before[name]
                      for name in ("out_pkts", "in_pkts"))
        return Measured(out, heard, math.log2((out + 1) / (heard + 1)),
                        math.log2((sent + 1) / (received + 1)),
                        row["S_offered"],
                        after["split_pkts"] - before["split_pkts"])

    def measure_all(self, transfer, mtu, upload):
        told = {}
        for who in (NOBODY, GATEWAY, EVERYBODY):
            self.set_up_links(mtu, who)
            told[who] = self.measure(transfer, mtu, upload)
        print(f"\nMTU {mtu}, {'out' if upload else 'in'}: " + "; ".join(
            "%d out, %d in, S %.2f of %.2f, shown %.2f" % each[:5]
            for each in told.values()), end=" ")
        return told

    def check_alike(self, transfer, mtu):
        self.start(limiter="{evidence: packets}")
        for upload in (True, False):
            told = self.measure_all(transfer, mtu, upload)
            for each in told.values():
                # Who is busy acknowledges less; that is no fault of ours.
                self.assertLess(abs(each.s - each.s_of_the_wire), ALIKE, told)
            # Data packets, which do not depend on who answers when.
            counts = [each.out if upload else each.heard
                      for each in told.values()]
            self.assertLess(max(counts), min(counts) * 1.02, told)
            self.assertEqual(told[NOBODY].split, 0)
            # The program is told how many they are.
            if not symtapd.FAST:
                self.assertGreater(told[EVERYBODY].split, 0)
        return told

    def test_tcp(self):
        self.check_alike(self.over_tcp, 1500)

    def test_tcp_in_large_packets(self):
        self.check_alike(self.over_tcp, 9000)

    def test_udp(self):
        for mtu in (1500, 9000):
            with self.subTest(mtu=mtu):
                for each in self.check_alike(self.over_udp, mtu).values():
                    self.assertLess(abs(each.shown - each.s), ALIKE, each)

    def test_tcp_as_fast_as_it_goes(self):
        """Forty segments to a packet: as many as the wire would carry."""
        for mtu in (1500, 9000):
            self.set_up_links(mtu, EVERYBODY)
            for upload in (True, False):
                with self.subTest(mtu=mtu, upload=upload):
                    self.start()
                    self.check_count(mtu, upload)

    def check_count(self, mtu, upload):
        before = self.symtapd.carried()
        self.stream(upload, LARGE)
        self.hang_up()
        after = self.symtapd.carried()
        name = "out_pkts" if upload else "in_pkts"
        count = after[name] - before[name]
        want = LARGE / (mtu - 52)
        print(f"\nMTU {mtu}: {count} packets for {want:.0f}", end=" ")
        self.assertLess(abs(count / want - 1), 0.05)


if __name__ == "__main__":
    bed.main()
