#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same in the way `netback`, whose guard does not end with symtapd, and
whose module comes and goes as well."""

import math
import unittest

import bed
import dom0
import lab
import life_test
import netback_test
import netguard

tearDownModule = netback_test.tearDownModule


class Life(netback_test.Hooked, life_test.Life):
    ways = (netback_test.NETBACK,)
    number = 1

    # Open or closed, it is the same.
    test_killed_open_the_guest_goes_on_and_is_known_again = None
    test_killed_closed_nothing_passes_until_it_is_back = None

    def has_guard(self):
        opened = netguard.Netguard()
        with opened.socket:
            try:
                return opened.counters(self.guest.vif)
            except OSError:
                return None

    def penalty(self):
        return self.penalties(self.uuid(self.guest))[0]

    def test_killed_it_is_held_as_before_and_nobody_else_is(self):
        self.begin(fail="closed")
        at, _ = self.kill()
        answered = self.pings()
        vif, = self.vifs
        later = vif.after(at)
        print(f"killed: {len(later)} packets within {later[-1]:.1f} s",
              end=", ")
        self.assertEqual(answered, life_test.PINGS)
        self.assertLessEqual(len(later), bed.LATER_SECONDS *
                             math.ceil(later[-1]))
        self.assertTrue(vif.waits())
        self.symtapd.restart()
        self.until_guarded(times=2)
        self.until_all_wait()
        self.assertEqual(self.end([0]), [0])

    def test_penalties_outlive_a_restart_and_the_module(self):
        """Of a guest that is paused meanwhile, and makes no new ones."""
        self.begin()
        dom0.call("xl", "pause", self.guest.name)
        self.addCleanup(dom0.Host.run, "xl", "unpause", self.guest.name,
                        check=False)
        held = self.penalty()
        self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        self.assertIsNone(self.has_guard())
        self.symtapd.restart()
        self.until_guarded(times=2)
        self.assertTrue(lab.eventually(lambda: self.penalty() > 1, 20, 0.2),
                        self.symtapd.log())
        restarted = self.penalty()
        # It is asked once a second who is held, and remembers him.
        self.symtapd.a_second_later()
        self.symtapd.a_second_later()
        dom0.call("rmmod", "symtap_netback")
        self.until(f"{self.guest.vif} has no guard in netback any more")
        between = self.penalty()
        netback_test.load_guard()
        self.assertTrue(lab.eventually(self.has_guard, 20, 0.1),
                        self.symtapd.log())
        lab.eventually(lambda: self.penalty() == restarted, 20, 0.2)
        print(f"penalty {held}, {restarted} after a restart, {between} "
              f"without the module, {self.penalty()} after it came back",
              end=", ")
        self.assertEqual(self.penalty(), restarted, self.symtapd.log())
        dom0.call("xl", "unpause", self.guest.name)
        self.until_all_wait()
        self.assertEqual(self.end([0]), [0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
