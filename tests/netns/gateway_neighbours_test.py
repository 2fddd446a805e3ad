#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who does nothing wrong notices nothing, also beside somebody who does."""

import os
import socket
import threading
import time
import zlib

import frames
import gateway_bed as bed
import lab
import traffic

MEBIBYTE = 1 << 20


def upload(inside, outside, addresses, size, port=8080):
    """Over TCP; how many bytes arrived as they were, and the seconds it
    took."""
    listener = outside.socket(traffic.family_of(addresses[1]),
                              socket.SOCK_STREAM)
    listener.bind((addresses[1], port))
    listener.listen()
    listener.settimeout(20)
    part = os.urandom(MEBIBYTE)
    arrived = [0, 0]

    def take():
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(20)
            while data := peer.recv(MEBIBYTE):
                arrived[0] += len(data)
                arrived[1] = zlib.crc32(data, arrived[1])

    taker = threading.Thread(target=take)
    taker.start()
    client = inside.socket(traffic.family_of(addresses[0]),
                           socket.SOCK_STREAM)
    client.settimeout(20)
    client.bind((addresses[0], 0))
    begin = time.monotonic()
    client.connect((addresses[1], port))
    sent = 0
    for _ in range(size // MEBIBYTE):
        client.sendall(part)
        sent = zlib.crc32(part, sent)
    client.shutdown(socket.SHUT_WR)
    taker.join(30)
    return (arrived[0] if arrived[1] == sent else 0,
            time.monotonic() - begin)


class Neighbours(bed.Case):

    def blast(self, seconds, pkts_per_s, to=lab.OUTSIDE):
        return traffic.Blast(self.net.host, "eth0", self.flood_frame(to),
                             bed.BUILD, seconds=seconds, pkts_per_s=pkts_per_s)

    def check_upload(self, inside, outside, addresses, megabytes=64):
        before = self.symtapd.settled()
        arrived, seconds = upload(inside, outside, addresses,
                                  megabytes * MEBIBYTE)
        self.hang_up()
        self.assertEqual(arrived, megabytes * MEBIBYTE)
        after = self.symtapd.settled()
        print(f"{addresses[0]} to {addresses[1]}: "
              f"{arrived * 8e-6 / seconds:.0f} Mbit/s")
        # Ten segments begin a connection; four of them find no reply yet.
        waited = {name: after[name] - before[name]
                  for name in ("waited_pkts", "waited_ns")}
        self.assertLess(waited["waited_pkts"], 10)
        # 2 ms each, and what a timer is late.
        late_ms = bed.LATE_MS if self.is_busy() else 0.5
        self.assertLess(waited["waited_ns"], 10 * (2 + late_ms) * 1e6)
        for name in ("dropped_key_bound", "dropped_host_bound",
                     "dropped_bound"):
            self.assertEqual(after[name], 0)

    def test_tcp_upload_arrives_whole_and_nothing_of_it_waits(self):
        self.start()
        self.check_upload(self.net.host, self.net.outside,
                          (lab.GUARDED, lab.OUTSIDE))
        self.check_upload(self.net.host, self.net.outside,
                          (lab.GUARDED6, lab.OUTSIDE6))

    def test_tcp_download_likewise(self):
        self.start()
        self.check_upload(self.net.outside, self.net.host,
                          (lab.OUTSIDE, lab.GUARDED))

    def test_upload_beside_a_flood(self):
        self.start()
        self.blast(1.5, 20000)
        arrived, seconds = upload(self.net.neighbour, self.net.outside,
                                  (lab.NEIGHBOUR, lab.OUTSIDE), 64 * MEBIBYTE)
        self.assertEqual(arrived, 64 * MEBIBYTE)
        print(f"beside a flood {arrived * 8e-6 / seconds:.0f} Mbit/s")

    def test_two_innocent_neighbours_during_a_flood(self):
        """One on another host, one on the same."""
        self.start()
        quiet = self.talk(seconds=1).finish()
        blast = self.blast(2.5, 20000, "192.0.2.77")
        other = self.talk(seconds=2, port=7)
        same = self.talk((lab.GUARDED, lab.OUTSIDE), self.net.host, seconds=2,
                         port=8)
        for who, talk in (("alone", quiet), ("beside", other.finish()),
                          ("same host", same.finish())):
            self.check_whole(talk)
            print(f"{who}: round trip {talk['p50_us']} us, {talk['p99_us']} us "
                  f"at the 99th percentile, worst {talk['worst_us']} us")
            self.assertLess(talk["p50_us"], 5000)
        self.assertGreater(blast.finish()["sent"], 20000)
        gone = (self.symtapd.settled()["dropped_key_bound"] +
                self.counted_by_the_kernel()["refused"])
        self.assertGreater(gone, 20000)

    def test_conversation_goes_on_when_somebody_floods_from_outside(self):
        """What comes in is never delayed, however much of it."""
        self.start()
        frame = frames.ethernet(self.net.gateway.mac("wan0"),
                                self.net.outside.mac("eth0"), 0x0800,
                                frames.udp(lab.OUTSIDE, lab.GUARDED, 9, 4000))
        blast = traffic.Blast(self.net.outside, "eth0", frame, bed.BUILD,
                              seconds=1, pkts_per_s=5000)
        tap = traffic.Tap(self.net.host, "eth0",
                          lambda each: each[23] == socket.IPPROTO_UDP)
        self.check_whole(self.talk(seconds=0.8).finish())
        sent = blast.finish()["sent"]
        self.assertEqual(len(tap.receive(0.3)), sent)


class Ends(bed.Case):
    """Guarded or not, at one end or at both."""

    def test_between_two_guarded_hosts_each_is_judged(self):
        self.start()
        self.check_whole(self.talk((lab.GUARDED, lab.NEIGHBOUR), self.net.host,
                                   self.net.neighbour).finish())
        ear = traffic.Receiver(self.net.neighbour, lab.NEIGHBOUR, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        _, arrived = traffic.flood(source, (lab.NEIGHBOUR, 9), ear, 1.5)
        self.check_figures(arrived, 1.5)
        # What was heard counts for the receiver: it may answer fourfold.
        answers = traffic.Receiver(self.net.host, lab.GUARDED, 4001)
        back = traffic.sender(self.net.neighbour, lab.NEIGHBOUR)
        _, arrived = traffic.flood(back, (lab.GUARDED, 4001), answers, 1.2)
        after_s = [each.at - arrived[0].at for each in arrived]
        self.assertLess(sum(each < 0.9 for each in after_s), 20, after_s)

    def test_transit_passes_and_is_counted(self):
        self.start(inside="[10.77.0.0/16]")
        before = self.symtapd.settled()
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        sent, arrived = traffic.flood(source, (lab.OUTSIDE, 9), ear, 0.5)
        self.assertGreaterEqual(len(arrived), sent - 5)
        after = self.symtapd.settled()
        self.assertEqual(after["out_pkts"], before["out_pkts"])
        self.assertGreaterEqual(self.counted_by_the_kernel()["transit"],
                                sent)

    def test_own_traffic_of_the_gateway_is_not_touched(self):
        self.start(inside='[10.20.0.0/16, 192.0.2.1, "2001:db8:20::/48"]')
        before = self.symtapd.settled()["out_pkts"]
        for namespace, source, to in (
                (self.net.gateway, "192.0.2.1", (self.net.outside,
                                                 lab.OUTSIDE)),
                (self.net.gateway, "10.20.0.1", (self.net.host, lab.GUARDED)),
                (self.net.host, lab.GUARDED, (self.net.gateway, "10.20.0.1"))):
            with self.subTest(source=source, to=to[1]):
                ear = traffic.Receiver(to[0], to[1], 9)
                sent, arrived = traffic.flood(
                    traffic.sender(namespace, source), (to[1], 9), ear, 0.3)
                self.hang_up()
                self.assertGreaterEqual(len(arrived), sent - 5)
        self.assertEqual(self.symtapd.settled()["out_pkts"], before)

    def test_guarded_gateway_is_judged(self):
        self.start(limiter="{guard_gateway: true}",
                   inside='[10.20.0.0/16, 192.0.2.1, "2001:db8:20::/48"]')
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.gateway, "192.0.2.1")
        source.setblocking(False)
        _, arrived = traffic.flood(source, (lab.OUTSIDE, 9), ear, 1.5)
        self.check_figures(arrived, 1.4)


class Shadow(bed.Case):

    def test_shadow_mode_holds_nothing_and_tells_what_it_would(self):
        self.start(mode="shadow")
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        sent, arrived = traffic.flood(source, (lab.OUTSIDE, 9), ear, 3)
        row, = [row for row in self.symtapd.ask("top by=held scope=flow")
                ["rows"] if row["inside"] == lab.GUARDED]
        self.assertGreaterEqual(len(arrived), sent - 5)
        self.assertTrue(row["over"])
        self.assertEqual(row["state"], "counted")
        self.assertGreater(row["held_packets"], 0)
        self.assertGreater(row["S_offered"], 2)
        self.assertEqual(self.symtapd.ask("status")["mode"], "shadow")
        told = self.symtapd.ctl("explain", lab.GUARDED)
        self.assertIn("would", told)
        # The same pump: what would be let out, and what not, is as enforced.
        counters = self.symtapd.settled()
        self.assertGreater(counters["dropped_key_bound"], sent / 2)


class Multicast(bed.Case):

    GROUP = "239.1.2.3"

    def test_multicast_is_limited_plainly_and_never_held(self):
        self.start(multicast="{packets_per_s: 300}")
        frame = frames.ethernet("01:00:5e:01:02:03", lab.GUARDED_MAC, 0x0800,
                                frames.udp(lab.GUARDED, self.GROUP, 4000, 9))
        traffic.multicast_route(self.net.gateway, "lan0", "wan0", lab.GUARDED,
                                self.GROUP)
        tap = traffic.Tap(self.net.outside, "eth0",
                          lambda each: each[30:34] == bytes((239, 1, 2, 3)))
        traffic.Blast(self.net.host, "eth0", frame, bed.BUILD, seconds=2,
                      pkts_per_s=1000).finish()
        arrived = len(tap.receive(0.2))
        self.assertGreater(arrived, 500)
        self.assertLess(arrived, 1300)
        counters = self.symtapd.settled()
        self.assertGreater(counters["multicast_dropped"], 500)
        self.assertEqual(counters["waited_pkts"], 0)


if __name__ == "__main__":
    bed.main()
