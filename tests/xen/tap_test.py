#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The network tap beside netback in dom0, where the judge is the test: what its
modes do to a guest's packets."""

import struct
import unittest

import bed
import carried
import dom0
import frames
import tap_judge
import traffic


class Modes(carried.Case):
    """symtap-tap in dom0, the guest's backend, has the packets."""

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(1)
        self.shown = []

    def judge(self, mode, word, answer, *options):
        self.carry("--judge", "unix:/run/tap.sock", *options)
        self.assertTrue(self.says("carries queue"), self.said())
        judge = tap_judge.Judge("/run/tap.sock", mode, answer)
        self.addCleanup(judge.close)
        self.assertTrue(self.says(f"the judge may {word}"), self.said())

    def test_another_packet_takes_the_place_of_the_guests(self):
        def answer(_, packet):
            other = bytearray(packet.data)
            if other[9] == 17:
                other[28:] = b"another".ljust(len(other) - 28)
                other[26:28] = bytes(2)  # no checksum, which IPv4 allows
            return tap_judge.REPLACE, bytes(other)

        self.judge(tap_judge.INTERPOSE, "interpose", answer)
        ear = self.listen(9000)
        told = self.guest.flooded(
            self.guest.flood(dom0.OUTSIDE, 9000, 60, 10, 0.5))
        heard = {each.data
                 for each in ear.receive(bed.REST_SECONDS, told["sent"])}
        self.assertEqual(heard, {b"another".ljust(60)})

    def test_who_intercepts_ends_the_guests_device(self):
        """The judge answers in the place of somebody who hears nothing."""
        def answer(judge, packet):
            self.shown.append(packet)
            data = packet.data
            if data[9] != 1:
                return
            body = b"\0\0\0\0" + data[24:]
            body = (body[:2] + struct.pack("!H", frames.checksum(body)) +
                    body[4:])
            judge.send_frame(self.guest.vif, frames.ethernet(
                self.guest.mac, dom0.OUTSIDE_MAC, 0x0800, frames.ipv4(
                    dom0.OUTSIDE, self.guest.address, 1, body)))

        self.guest.ask(f"ping -c 1 {dom0.OUTSIDE}")
        self.judge(tap_judge.INTERCEPT, "intercept", answer, "--most",
                   "intercept", "--device", self.guest.vif)
        seen = traffic.Tap(self.host.outside, "eth0", lambda frame:
                           frame[12:14] == b"\x08\0" and frame[23] == 1)
        said = self.guest.ask(f"ping -c 3 -i 0.3 -s 1000 {dom0.OUTSIDE}")
        self.assertIn(" 0% packet loss", said)
        self.assertEqual(seen.receive(0.2), [])
        self.assertEqual({(packet.came_by, len(packet.data))
                          for packet in self.shown}, {(self.guest.vif, 1028)})


if __name__ == "__main__":
    unittest.main(verbosity=2)
