#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Nobody is held: whatever the way, a vif's packets stay in the kernel, and
meet nothing of the way's there."""

import time

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
