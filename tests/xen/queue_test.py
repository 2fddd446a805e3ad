#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `queue`: a flood waits in the guest that sends it."""

import re
import unittest

import bed
import dom0
import traffic


class Queue(bed.Case):

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.start(self.guest, self.other)

    def test_a_flood_waits_in_the_guest(self):
        flood = self.flood(self.guest, 1200)
        begin = flood.arrived[0].at
        later = [each for each in flood.arrived if each.at > begin + 1]
        pending = self.guest.ring()
        self.assertLessEqual(len(flood.arrived) - len(later),
                             bed.FIRST_SECOND)
        self.assertLessEqual(len(later), bed.LATER_SECONDS * 4)
        self.assertGreater(pending, 10)
        # It goes on when the guard goes, and nothing was lost.
        self.assertEqual(self.symtapd.stop(), 0)
        rest = flood.look(2)
        told = flood.told()
        print(f"sent {told['sent']}, {len(rest)} of them at the end, "
              f"{pending} slots held, send() took {told['longest_s']} s")
        self.assertEqual(traffic.numbers(flood.arrived),
                         list(range(told["sent"])))
        self.assertGreater(told["longest_s"], 0.9)

    def test_others_do_not_wait(self):
        flood = self.flood(self.guest, 1200, 1)
        for guest, target in ((self.guest, dom0.HOST),
                              (self.other, dom0.OUTSIDE)):
            said = guest.ask(f"ping -c 10 -i 0.1 {target}")
            self.assertIn(" 0% packet loss", said)
            print(guest.name, re.search("round-trip.*", said)[0])
        flood.told()


if __name__ == "__main__":
    unittest.main(verbosity=2)
