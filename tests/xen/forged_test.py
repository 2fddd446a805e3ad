#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest sends in another's name stays inside."""

import unittest

import bed
import dom0


class Forged(bed.Case):

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(1)
        self.start(self.guest)

    def test_an_address_that_it_gives_itself(self):
        self.guest.ask("ip addr add 10.0.1.99/24 dev eth0")
        said = self.guest.ask(
            f"ping -c 3 -i 0.1 -W 1 -I 10.0.1.99 {dom0.OUTSIDE}")
        self.guest.ask("ip addr del 10.0.1.99/24 dev eth0")
        self.assertIn("100% packet loss", said)
        self.assertIn(" 0% packet loss",
                      self.guest.ask(f"ping -c 3 -i 0.1 {dom0.OUTSIDE}"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
