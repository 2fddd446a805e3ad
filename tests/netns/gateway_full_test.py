#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables that are full: a million conversations from one guarded host."""

import re

import frames
import gateway_bed as bed
import lab
import traffic

MANY = 1000000
# What comes in is never refused in the kernel: no faster than it is read, also
# where there is little time.
FEWER, READABLE = 30000, 10000
# Before anything is counted: all that can be filled is full.
FIRST, FIRST_FEWER = 200000, 10000
FLOODED = "10.98.0.1"
SPRAYED = "10.96.0.0"
LIMITS = ("{pairs: 4096, flows: 8192, hosts: 64, pairs_per_host: 1024, "
          "flows_per_host: 2048}")
# In the frame: the last two bytes of the destination, both ports, checksum.
DESTINATION, PORTS, CHECKSUM = 32, 34, 40
GROWTH_KIB = 1024


class Full(bed.Case):

    @classmethod
    def build(cls):
        super().build()
        cls.build_crowd()

    def spray(self, count, inward):
        """Every packet has ports of its own, and one of 65,536 addresses."""
        packet = frames.udp(SPRAYED if inward else lab.GUARDED,
                            lab.GUARDED if inward else SPRAYED, 0, 4000,
                            bytes(22))
        namespace, there = ((self.net.outside, "wan0") if inward else
                            (self.net.host, "lan0"))
        frame = bytearray(frames.ethernet(
            self.net.gateway.mac(there), namespace.mac("eth0"), 0x0800,
            packet))
        frame[CHECKSUM:CHECKSUM + 2] = bytes(2)
        # To one port, which nobody listens to.
        changes = ((f"random:{DESTINATION - 4}:2", f"random:{PORTS}:2")
                   if inward else
                   (f"random:{DESTINATION}:2", f"number:{PORTS}"))
        return traffic.Blast(namespace, "eth0", bytes(frame), bed.BUILD,
                             *changes, "ipv4:14", count=count,
                             pkts_per_s=READABLE if inward else 0)

    def rss_kib(self):
        with open(f"/proc/{self.symtapd.process.pid}/status",
                  encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def flooded(self):
        """A flood that is known, and who hears of it."""
        ear = traffic.Receiver(self.net.outside, FLOODED, 9)
        blast = traffic.Blast(self.net.host, "eth0", self.flood_frame(FLOODED),
                              bed.BUILD, seconds=bed.LONG, pkts_per_s=500)
        return ear, blast

    def counted(self, before):
        after = self.symtapd.carried()
        return {name: after[name] - before[name] for name in after}

    def check_spray(self, inward):
        self.start(limits=LIMITS)
        missed = -self.symtapd.counters()["missed_pkts"]
        ear, blast = self.flooded()
        talks = [self.talk(seconds=bed.LONG, port=7),
                 self.talk((lab.GUARDED, lab.OUTSIDE), self.net.host,
                           seconds=bed.LONG, port=8)]
        # 4 and 9 in the first second, and a second at the trickle.
        times = [each.at for each in ear.receive(20, 20)]
        first, count = (FIRST_FEWER, FEWER) if inward else (FIRST, MANY)
        self.spray(first, inward).finish()
        before, before_kib = self.symtapd.carried(), self.rss_kib()
        refused = self.counted_by_the_kernel()["refused"]
        sprayed = self.spray(count, inward).finish()
        blast.end()
        times += [each.at for each in ear.take()]
        refused = self.counted_by_the_kernel()["refused"] - refused
        # A second later all of it was read.
        told = self.counted(before)
        missed += self.symtapd.counters()["missed_pkts"]
        talked = [talk.end() for talk in talks]
        print(f"\n{sprayed['sent'] / sprayed['seconds']:.0f} packets/s, "
              f"{refused} refused in the kernel, {told['judged_by_host']} "
              f"judged by their host; {len(times)} of the flood, {missed} "
              "missed; memory "
              f"{before_kib} and {self.rss_kib()} KiB", end=" ")
        # No penalty was forgotten: never four at once again.
        self.assertLess(len(times), 12 + 10 * (times[-1] - times[0]) +
                        missed)
        if missed == 0:
            self.check_no_burst(times[4:])
        self.assertLess(self.rss_kib() - before_kib,
                        GROWTH_KIB * (16 if self.is_slow else 1))
        for talk in talked:
            if missed > 0:
                # fail: open lets what is not read overtake what is.
                talk["in_order"] = True
            self.check_whole(talk)
        return told, refused

    def test_from_inside(self):
        count, refused = self.check_spray(False)
        self.assertGreaterEqual(
            count["out_pkts"] + count["missed_pkts"] + refused, MANY)
        # Few, since their host is refused in the kernel at once.
        self.assertGreater(count["judged_by_host"], 16)
        self.assertGreater(count["keys_refused_quota"], 16)

    def test_from_outside(self):
        """What nobody asked for takes no place of anybody inside."""
        count, _ = self.check_spray(True)
        self.assertGreaterEqual(count["in_pkts"] + count["missed_pkts"], FEWER)
        self.assertGreater(count["keys_ignored_in"], FEWER / 4)
        self.assertEqual(count["keys_refused_quota"], 0)


if __name__ == "__main__":
    bed.main()
