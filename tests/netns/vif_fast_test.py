#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Nobody is held: whatever the way, a vif's packets stay in the kernel, and
meet nothing of the way's there."""

import socket
import struct
import threading
import time

import frames
import gateway_bed as bed
import lab
import traffic
import vif_bed
import xenstore
from vif_bed import GUEST, INSIDE_NET, OUTER

UNTIL_LEASED = 100
FLOOD, MORE = 12, 4
# A class is opened after a second without a packet that is seen.
STALL_S, TRIES = 0.5, 3
CAUGHT_S = 15
PORTS = range(9, 9 + TRIES)
# An upload whose super-packets are of a hundred segments and more.
SMALL_MTU, UPLOAD_BYTES = 300, 64 << 20
STAYS = 0.5  # of it in the kernel
AGAIN_AT, SEGMENTS_AT = 100, 136  # in struct tcp_info


class VifFast(vif_bed.Case):

    def policy(self, way):
        """With what ships: the gates alone would hold a new pair."""
        return {"fast": "auto", "xen": f"{{vifs: follow, way: {way}}}",
                "shipped": True}

    def guard(self, way, **policy):
        self.start(**self.policy(way) | policy)
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.guarded()
        self.until("fast path: attached to vif7.0")

    def filters(self):
        return self.net.gateway.run("tc", "filter", "show", "dev", "vif7.0",
                                    "ingress")

    def is_caught(self):
        return "u32" in self.filters()

    def check_talk(self):
        """Of a conversation nearly all packets stay in the kernel."""
        before = self.symtapd.settled()
        talk = self.talk((GUEST, OUTER), inside=self.net.host,
                         pkts_per_s=1000, seconds=0.5).finish()
        self.check_whole(talk)
        after = self.symtapd.settled()
        told = {name: after[name] - before[name] for name in after}
        print(f"{talk['sent']} sent, {told['out_pkts']} out and "
              f"{told['in_pkts']} in seen")
        self.assertEqual(told["out_pkts"] + told["fast_out_pkts"],
                         talk["sent"])
        self.assertLessEqual(max(told["out_pkts"], told["in_pkts"]),
                             UNTIL_LEASED)
        self.assertEqual((told["waited_pkts"], told["paced_owed_pkts"]),
                         (0, 0))
        self.assertFalse(self.is_caught())
        self.assertIsNone(self.store.read(f"{xenstore.BACKEND}/7/0/rate"))

    def test_a_conversation_stays_in_the_kernel_whichever_way(self):
        self.guard("queue")
        for way in "queue", "ring", "rate":
            self.symtapd.write_policy(bridge=True, inside=INSIDE_NET,
                                      limits=bed.ROOM, **self.policy(way))
            self.symtapd.reload()
            self.until(f"its packets wait by way of {way}")
            self.check_talk()

    def upload(self, port):
        """Over TCP: segments that were sent, and those sent again."""
        listener = self.net.outside.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((OUTER, port))
        listener.listen()
        source = self.net.host.socket(socket.AF_INET, socket.SOCK_STREAM)
        source.settimeout(30)
        source.connect((OUTER, port))
        giver = threading.Thread(target=source.sendall,
                                 args=(bytes(UPLOAD_BYTES),))
        with listener, source, listener.accept()[0] as taker:
            taker.settimeout(30)
            giver.start()
            left = UPLOAD_BYTES
            while left > 0:
                left -= len(taker.recv(1 << 20))
            giver.join()
            told = source.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)
        return (struct.unpack_from("=I", told, SEGMENTS_AT)[0],
                struct.unpack_from("=I", told, AGAIN_AT)[0])

    def check_upload(self, port):
        """Each wire packet counts as one, whoever counts it."""
        before, told = self.symtapd.settled(), {}
        sent, again = self.upload(port)

        def counted():
            """What the program counts is read now and then."""
            now = self.symtapd.settled()
            told.update((name, now[name] - before[name]) for name in now)
            return told["out_pkts"] + told["fast_out_pkts"]

        # What is sent again was lost before or after it was counted.
        self.assertTrue(lab.eventually(lambda: counted() >= sent - again, 5),
                        (sent, again, told))
        print(f"{sent} segments, {again} again: {told['out_pkts']} seen, "
              f"{told['fast_out_pkts']} in the kernel, "
              f"{told['fast_given_back']} leases given back")
        self.assertLessEqual(counted(), sent + 2)
        self.assertGreater(told["fast_out_pkts"], STAYS * counted())
        self.assertEqual(told["paced_owed_pkts"], 0)

    def test_an_upload_in_small_segments_stays_in_the_kernel(self):
        self.guard("queue")
        mtu = "/sys/class/net/eth0/mtu"
        self.addCleanup(self.net.host.write, mtu, 1500)
        self.net.host.write(mtu, SMALL_MTU)
        for port, way in enumerate(("queue", "ring", "rate"), 8080):
            self.symtapd.write_policy(bridge=True, inside=INSIDE_NET,
                                      limits=bed.ROOM, **self.policy(way))
            self.symtapd.reload()
            self.until(f"its packets wait by way of {way}")
            self.check_upload(port)

    def held(self, port):
        """A flood waits, some of it as it leaves the vif.  Ends of it."""
        ear = traffic.Receiver(self.net.outside, OUTER, port)
        self.addCleanup(ear.socket.close)
        source = traffic.sender(self.net.host, GUEST)
        arrived = []
        for numbers in range(FLOOD), range(FLOOD, FLOOD + MORE):
            for number in numbers:
                source.sendto(traffic.numbered(number), (OUTER, port))
            arrived += ear.receive(0.2)
            self.assertTrue(lab.eventually(self.is_caught, 2))
        self.assertLess(len(arrived), FLOOD + MORE)
        return source, ear, len(arrived)

    def answered(self, source, ear, arrived):
        """It is answered, and talks on while it is caught: the longest wait, in
        seconds."""
        for _ in range(100):
            ear.socket.sendto(b"go on", source.getsockname())
        self.assertEqual(len(ear.receive(2, FLOOD + MORE - arrived)),
                         FLOOD + MORE - arrived)
        longest, begin = 0, time.monotonic()
        while self.is_caught():
            self.assertLess(time.monotonic(), begin + CAUGHT_S)
            for _ in range(10):
                at = time.monotonic()
                source.sendto(b"and on", ear.socket.getsockname())
                self.assertEqual(len(ear.receive(3, 1)), 1)
                ear.socket.sendto(b"go on", source.getsockname())
                longest = max(longest, time.monotonic() - at)
                time.sleep(0.02)
        return longest

    def check_leased(self, source, ear):
        """One packet more stays in the kernel."""
        def stays():
            before = self.symtapd.settled()["fast_out_pkts"]
            for _ in range(5):
                source.sendto(b"a", ear.socket.getsockname())
                self.assertEqual(len(ear.receive(3, 1)), 1)
                ear.socket.sendto(b"yes", source.getsockname())
            return self.symtapd.settled()["fast_out_pkts"] >= before + 4
        self.assertTrue(lab.eventually(stays, 10))

    def test_a_leased_guest_without_addresses_keeps_to_its_mac(self):
        self.start(**self.policy("queue"))
        self.store.vif(7, lab.GUARDED_MAC)
        self.guarded()
        self.until("fast path: attached to vif7.0")
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        self.addCleanup(ear.socket.close)
        source = traffic.sender(self.net.host, GUEST)
        self.check_leased(source, ear)
        port = source.getsockname()[1]
        forged = frames.ethernet(
            self.net.outside.mac("eth0"), "02:00:00:00:be:ef", 0x800,
            frames.udp(GUEST, OUTER, port, 9, b"forged"))
        with self.net.host.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            for _ in range(10):
                raw.send(forged)
        self.assertEqual(ear.receive(0.3), [])
        self.assertNotIn("02:00:00:00:be:ef", self.net.gateway.run(
            "bridge", "fdb", "show", "br", "br0"))
        self.check_leased(source, ear)

    def test_who_was_held_in_the_ring_is_as_free_as_before(self):
        """What the program passes does not wait in a class unseen, and the
        filter goes while packets do."""
        self.guard("ring", shipped=False)
        self.until("its packets wait by way of ring")
        longest = []
        for port in PORTS:
            longest.append(self.answered(*self.held(port)))
            if longest[-1] < STALL_S:
                break
        print(f"longest waits: {longest}")
        self.assertLess(longest[-1], STALL_S)
        self.check_talk()


if __name__ == "__main__":
    bed.main()
