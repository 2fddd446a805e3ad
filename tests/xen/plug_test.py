#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Twenty vifs come and go, and another guest notices nothing."""

import statistics
import unittest

import bed
import dom0
import frames
import guests
import plug
import traffic

KIND = 0x88b5
# Of one that comes alone, or as long as it took to plug all of them.
GUARDED_SECONDS = 10


class Plug(bed.Case):

    def setUp(self):
        super().setUp()
        self.other = self.pool.take(1)
        self.start(self.other)
        self.plugged = plug.Plugged(self.pool, self.symtapd)
        self.addCleanup(self.plugged.close)

    def send(self, handle, source):
        """A frame of that vif's, from there; what arrives of it outside."""
        guest = self.plugged.guest
        mac = guests.mac_of(guest.number, handle)
        frame = frames.ethernet(dom0.OUTSIDE_MAC, source, KIND, b"plug" * 20)
        tap = traffic.Tap(self.host.outside, "eth0",
                          lambda each: each == frame)
        with tap.socket:
            self.assertEqual(guest.ask(
                "for at in /sys/class/net/*; do "
                f"grep -q {mac} $at/address || continue; "
                f"name=${{at##*/}}; ip link set $name up; "
                f"frame $name 1 {frame.hex()}; done"), '{"sent": 1}\n')
            return len(tap.receive(1, count=1))

    def begin_pings(self):
        """One after the other, so none is on its way when they end."""
        self.other.ask("rm -f /stop /ended; (while [ ! -e /stop ]; do "
                       f"ping -q -c 1 -W 20 {dom0.OUTSIDE} >/dev/null && "
                       "echo heard || echo lost; usleep 300000; done; "
                       "touch /ended) >/pings 2>&1 &")

    def end_pings(self):
        """How many were heard, and how many lost."""
        said = self.other.ask("touch /stop; until [ -e /ended ]; do "
                              "usleep 100000; done; cat /pings")
        return said.count("heard"), said.count("lost")

    def test_twenty_come_and_go(self):
        self.begin_pings()
        up_s, plugged_s = self.plugged.come()
        took = self.plugged.await_guarded()
        alone = max(took[handle] for handle in plug.PLUGGED)
        print(f"{plug.VIFS} vifs: the guest is up after {up_s:.1f} s, the "
              f"last {len(plug.PLUGGED)} are plugged in {plugged_s:.1f} s; "
              f"guarded {statistics.median(took.values()):.2f} s after they "
              f"were connected, at most {max(took.values()):.2f} s, and those "
              f"that were plugged {alone:.2f} s", flush=True)
        own, forged = (guests.mac_of(plug.NUMBER, handle) for handle in (7, 8))
        arrived = self.send(7, own), self.send(7, forged)
        self.plugged.detach(plug.VIFS - 1)
        destroyed_s, let_go_s = self.plugged.go()
        heard, lost = self.end_pings()
        print(f"xl destroy took {destroyed_s:.1f} s, all are let go "
              f"{let_go_s:.1f} s later; another's pings: {heard} heard, {lost} "
              "lost", flush=True)
        self.assertLess(alone, max(GUARDED_SECONDS, plugged_s))
        self.assertEqual(arrived, (1, 0))
        self.assertEqual(self.plugged.left(), [])
        self.assertNotIn("null", dom0.call("xl", "list"))
        self.assertNotIn(self.plugged.guest.name, dom0.call("xl", "list"))
        self.assertEqual(lost, 0)
        self.assertGreater(heard, 20)


if __name__ == "__main__":
    unittest.main(verbosity=2)
