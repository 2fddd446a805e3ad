#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `ring`: packets wait as they leave a vif, and their sender with
them; a veth's socket stands for a guest."""

import contextlib
import math
import os
import select
import signal
import socket
import time

import gateway_bed as bed
import lab
import traffic
import vif_bed
from gateway_hold_test import Flood
from vif_bed import GUEST, OUTER

ANOTHER = "10.20.128.2"
GUEST6, OUTER6 = "fd00:20::2", "fd00:20::8000:0:0:1"
INSIDE = '["10.20.0.0/17", "fd00:20::/65"]'
# Behind br_netfilter nothing of what is in the queue is charged to who sent it,
# so until its key is caught a flood goes on: 1,500 packets, or as many as come
# while nobody else gets the processor.
DATAPATH = ("{nfqueue: {queues: 1, fail: open, bridge: true, "
            "queue_length: 131072}}")
LIMITS = bed.ROOM.replace("held_packets: 20000", "held_packets: 100000")
DEVICE = "symtap-ring"
KEYS_OF_VIF = 32
FIRST_NUMBER = 101
UDP_SEGMENT, SEGMENTS = 103, 40
LATER_SECOND = 10
END_S = 10  # for what comes at once, on a machine that is not busy


def wake(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


class VifRing(vif_bed.Case):

    @classmethod
    def build(cls):
        super().build()
        cls.net.outside.address("eth0", f"{ANOTHER}/16", f"{OUTER6}/64")
        cls.net.host.address("eth0", f"{GUEST6}/64")
        # A veth gives a packet to the processor that sends it: each of two has
        # a queue, and one may be behind.
        for where, name in ((cls.net.gateway, "vif7.0"),
                            (cls.net.outside, "eth0")):
            where.run("sh", "-c",
                      f"echo 1 > /sys/class/net/{name}/queues/rx-0/rps_cpus")

    def setUp(self):
        super().setUp()
        self.dropped = lab.dropped_before_a_socket()

    def start(self, way="ring"):
        super().start(inside=INSIDE, datapath=DATAPATH, limits=LIMITS,
                      xen=f"{{vifs: follow, way: {way}}}")
        self.store.vif(7, lab.GUARDED_MAC, GUEST, GUEST6)

    def guarded(self, domain=7):
        self.until("its packets wait by way of ring")
        super().guarded(domain)

    def ends(self, guest=GUEST, outer=OUTER, port=9):
        source = self.net.host.socket(traffic.family_of(guest),
                                      socket.SOCK_DGRAM)
        self.addCleanup(source.close)
        source.bind((guest, 0))
        source.connect((outer, port))
        ear = traffic.Receiver(self.net.outside, outer, port)
        self.addCleanup(ear.socket.close)
        return source, ear

    def flood(self, *ends, size=1200, **more):
        source, ear = self.ends(*ends, **more)
        flood = Flood(lambda number: source.send(
            traffic.numbered(number).ljust(size, b".")))
        self.addCleanup(flood.stop)
        return flood, ear

    def check_trickle(self, arrived, more=0):
        """What left of a pair since the first was sent, however long that is:
        twelve in the first second, ten in each later one."""
        arrived = sorted(arrived)
        begin = arrived[0].at - traffic.underway_s(arrived[0])
        for count, each in enumerate(arrived, 1):
            past = each.at - begin
            self.assertLessEqual(
                count, bed.FIRST_SECOND + LATER_SECOND * int(past) + more,
                f"{past:.3f} s after the first")

    def lost(self, ear):
        """What is let go at once may be more than a processor has a queue
        for, if it is busy with something else, or than is taken from a
        socket."""
        return (lab.dropped_before_a_socket() - self.dropped +
                ear.overflowed())

    def check_all(self, ear, arrived, sent):
        """All that was sent arrives once nobody holds it, in order."""
        lab.eventually(lambda: arrived.extend(ear.take()) or
                       len(arrived) >= sent - self.lost(ear), END_S)
        numbers = traffic.numbers(arrived)
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertGreaterEqual(len(numbers), sent - self.lost(ear))

    def end(self, flood, ear, arrived):
        flood.finish()
        self.check_all(ear, arrived, flood.sent)

    def test_a_flood_waits_and_an_innocent_flow_does_not(self):
        self.start()
        self.guarded()
        flood, ear = self.flood()
        arrived = ear.receive(0.5)
        talk = self.talk((GUEST, ANOTHER), seconds=3)
        arrived += ear.receive(4)
        self.check_whole(talk.finish())
        seconds = [0] * 8
        for each in arrived:
            seconds[min(int(each.at - arrived[0].at), 7)] += 1
        longest = flood.longest()
        self.check_trickle(arrived)
        flood.stop()
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)
        print(f"{flood.sent} sent, by seconds {seconds}, {longest:.3f} s the "
              f"longest one blocked")
        self.assertGreater(longest, 0.4)
        self.assertNotIn(DEVICE, self.net.gateway.run("ip", "link"))

    def test_a_flood_that_goes_on_when_it_stops_keeps_its_order(self):
        self.start()
        self.guarded()
        flood, ear = self.flood()
        arrived = ear.receive(1.5)
        flood.most = flood.sent + 3000
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)

    def test_so_does_one_that_waits_in_the_queue(self):
        self.start("queue")
        self.until("its packets wait by way of queue")
        super().guarded()
        source, ear = self.ends()

        def send(number):
            source.send(traffic.numbered(number))
            time.sleep(0.0005)

        flood = Flood(send)
        self.addCleanup(flood.stop)
        arrived = ear.receive(1.5)
        self.check_trickle(arrived)
        flood.most = flood.sent + 1000
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)

    def go_over(self, way):
        """While it floods; what arrived until then, and what arrives."""
        self.start()
        self.guarded()
        flood, ear = self.flood()
        arrived = ear.receive(1)
        flood.most = flood.sent + 3000
        self.symtapd.write_policy(
            inside=INSIDE, datapath=DATAPATH, limits=LIMITS,
            xen=f"{{vifs: follow, way: {way}}}")
        self.symtapd.reload()
        self.until(f"its packets wait by way of {way}")
        return flood, ear, arrived

    def test_so_does_one_that_waits_in_another_way(self):
        flood, ear, arrived = self.go_over("queue")
        arrived += ear.receive(1)
        self.check_trickle(arrived)
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)

    def test_so_does_one_whose_vif_is_paused_from_now_on(self):
        self.end(*self.go_over("rate"))

    def set_mtu(self, mtu):
        for where, name in ((self.net.host, "eth0"),
                            (self.net.gateway, "vif7.0"),
                            (self.net.gateway, "wan0"),
                            (self.net.outside, "eth0")):
            where.run("ip", "link", "set", name, "mtu", str(mtu))

    def test_so_do_large_frames(self):
        self.set_mtu(9000)
        self.addCleanup(self.set_mtu, 1500)
        self.start()
        self.guarded()
        flood, ear = self.flood(size=8900)
        arrived = ear.receive(1.5)
        flood.stop()
        self.assertGreater(flood.longest(), 0.4)
        self.check_trickle(arrived)
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)

    def test_super_packets_wait_as_what_they_carry(self):
        self.start()
        self.guarded()
        source, ear = self.ends()
        source.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1200)
        flood = Flood(lambda number: source.send(b"".join(
            traffic.numbered(SEGMENTS * number + each).ljust(1200, b".")
            for each in range(SEGMENTS))))
        self.addCleanup(flood.stop)
        arrived = ear.receive(1.5)
        flood.stop()
        self.assertGreater(flood.longest(), 0.4)
        self.check_trickle(arrived)
        self.assertEqual(self.symtapd.stop(), 0)
        flood.finish()
        flood.sent *= SEGMENTS
        self.end(flood, ear, arrived)

    def spray(self, sources, seconds):
        """To each what its socket takes; how many each got."""
        sent = [0] * len(sources)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for number, source in enumerate(sources):
                try:
                    source.send(traffic.numbered(sent[number]).ljust(
                        1200, b"."), socket.MSG_DONTWAIT)
                    sent[number] += 1
                except BlockingIOError:
                    pass
            time.sleep(0.05)
        return sent

    def test_who_has_more_keys_than_places_is_held_all_the_same(self):
        targets = [f"10.20.129.{number}" for number in range(1, 41)]
        self.net.outside.address("eth0", *(f"{each}/16" for each in targets))
        for each in targets:
            self.assertTrue(lab.eventually(
                lambda: self.is_reached(GUEST, each), 5))
        self.start()
        self.guarded()
        ends = [self.ends(outer=each) for each in targets]
        sent = self.spray([source for source, _ in ends], 1.5)
        filters = self.net.gateway.run("tc", "filter", "show", "dev", "vif7.0",
                                       "ingress").count("mirred")
        arrived = [ear.take() for _, ear in ends]
        self.assertEqual(self.symtapd.stop(), 0)
        print(f"{filters} keys at the vif, of {len(targets)}; "
              f"{sum(map(len, arrived))} of {sum(sent)} left")
        self.assertEqual(filters, KEYS_OF_VIF)
        for (_, ear), of_it, count in zip(ends, arrived, sent):
            self.check_trickle(of_it, more=14)
            self.check_all(ear, of_it, count)

    def is_reached(self, guest, outer):
        """Its neighbour has answered, so nothing is lost on the way there."""
        with traffic.Receiver(self.net.outside, outer, 8).socket as heard, \
                self.net.host.socket(traffic.family_of(guest),
                                     socket.SOCK_DGRAM) as source:
            source.bind((guest, 0))
            source.sendto(b"are you there", (outer, 8))
            return bool(select.select([heard], [], [], 0.2)[0])

    def test_so_does_one_over_ipv6(self):
        self.assertTrue(lab.eventually(
            lambda: self.is_reached(GUEST6, OUTER6), 10))
        self.start()
        self.guarded()
        flood, ear = self.flood(GUEST6, OUTER6)
        arrived = ear.receive(1.5)
        flood.stop()
        self.check_trickle(arrived)
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)

    def test_flows_of_a_pair_wait_as_one(self):
        self.start()
        self.guarded()
        floods = [self.flood(port=port) for port in range(9, 15)]
        time.sleep(1.5)
        arrived = [ear.receive(0.01) for _, ear in floods]
        for flood, _ in floods:
            flood.stop()
        self.check_trickle(sum(arrived, []))
        self.assertEqual(self.symtapd.stop(), 0)
        for (flood, ear), of_it in zip(floods, arrived):
            self.end(flood, ear, of_it)

    def test_an_answer_lets_all_go(self):
        self.start()
        self.guarded()
        flood, ear = self.flood()
        arrived = ear.receive(1.5)
        flood.stop()
        begin, last = time.monotonic(), arrived
        while flood.is_alive() or len(arrived) < flood.sent - self.lost(ear):
            self.assertLess(time.monotonic(), begin + 5)
            for each in last:
                for _ in range(8):
                    ear.answer(each)
            last = ear.receive(0.02)
            arrived += last
        print(f"all {flood.sent} left {time.monotonic() - begin:.3f} s after "
              "answers")
        self.end(flood, ear, arrived)

    def filters(self):
        """At the vif: how many send packets to the device, and how many the
        operator has."""
        listed = self.net.gateway.run("tc", "filter", "show", "dev", "vif7.0",
                                      "ingress")
        return (listed.count(f"to device {DEVICE}"),
                listed.count("to device wan0"))

    def test_filters_of_the_operator_stay_also_of_its_numbers(self):
        tc = self.net.gateway.run
        tc("tc", "qdisc", "replace", "dev", "vif7.0", "clsact")
        self.addCleanup(tc, "tc", "filter", "del", "dev", "vif7.0", "ingress")
        for number in FIRST_NUMBER, FIRST_NUMBER + 9:
            tc("tc", "filter", "add", "dev", "vif7.0", "ingress", "protocol",
               "ip", "pref", str(number), "u32", "match", "ip", "dst",
               "192.0.2.1/32", "action", "mirred", "egress", "redirect", "dev",
               "wan0")
        for how in signal.SIGTERM, signal.SIGKILL:
            self.start()
            self.guarded()
            flood, ear = self.flood(port=int(how))
            self.assertTrue(lab.eventually(
                lambda: self.filters() == (1, 2), 5), self.filters())
            flood.stop()
            self.symtapd.stop(how)
            self.assertTrue(lab.eventually(
                lambda: self.filters() == (0, 2), 5), self.filters())
            flood.finish()

    def test_who_listens_is_in_its_way(self):
        with self.net.gateway.socket(
                socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap:
            tap.bind(("vif7.0", 3))
            self.start()
            self.until("its packets cannot wait: ring: somebody listens")
        self.guarded()
        with self.net.gateway.socket(
                socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap:
            tap.bind(("vif7.0", 3))
            self.until("its packets cannot wait: ring: somebody listens",
                       times=2)
        self.until("its packets wait by way of ring", times=2)

    def test_killed_it_holds_nobody(self):
        self.start()
        self.guarded()
        flood, ear = self.flood()
        ear.receive(1.5)
        self.symtapd.stop(signal.SIGKILL)
        begin, sent = time.monotonic(), flood.sent
        self.assertTrue(lab.eventually(lambda: flood.sent > sent + 1000, 5))
        print(f"free {time.monotonic() - begin:.3f} s after kill -9")
        flood.stop()
        flood.finish()
        for word, command in ((DEVICE, "ip link"), (
                "u32", "tc filter show dev vif7.0 ingress")):
            self.assertTrue(lab.eventually(
                lambda w=word, c=command: w not in self.net.gateway.run(
                    *c.split()), 5), word)

    def heir(self):
        """The process that outlives it."""
        children = self.net.gateway.run(
            "ps", "-o", "pid=,comm=", "--ppid", str(self.symtapd.process.pid))
        pid, = (int(line.split()[0]) for line in children.splitlines()
                if "symtap-heir" in line)
        return pid

    def test_the_next_one_keeps_what_is_its_own(self):
        """Although who cleans up behind a killed one is late."""
        self.start()
        self.guarded()
        heir = self.heir()
        os.kill(heir, signal.SIGSTOP)
        self.addCleanup(wake, heir)
        self.symtapd.stop(signal.SIGKILL)
        self.symtapd.restart()
        self.until("its packets wait by way of ring", times=2)
        super().guarded()
        flood, ear = self.flood()
        arrived = ear.receive(1.5)
        wake(heir)
        self.assertTrue(lab.eventually(
            lambda: not os.path.exists(f"/proc/{heir}"), 5))
        arrived += ear.receive(1.5)
        seconds = math.ceil(arrived[-1].at - arrived[0].at)
        self.assertLessEqual(len(arrived), bed.FIRST_SECOND + 12 * seconds)
        self.assertIn(DEVICE, self.net.gateway.run("ip", "link"))
        flood.stop()
        self.assertEqual(self.symtapd.stop(), 0)
        self.end(flood, ear, arrived)
        self.assertNotIn(DEVICE, self.net.gateway.run("ip", "link"))


if __name__ == "__main__":
    bed.main()
