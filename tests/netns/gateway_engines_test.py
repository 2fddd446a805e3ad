#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Crowds of hosts that talk, shared out among one engine or several."""

import gateway_bed as bed
import lab
import traffic


class Engines(bed.Case):

    @classmethod
    def build(cls):
        super().build()
        cls.build_crowd()
        # Guarded as well, but on the far side.
        cls.net.outside.route("local", "10.20.200.0/24", "dev", "lo")
        cls.net.gateway.route("10.20.200.0/24", "via", lab.OUTSIDE)

    def check_crowd(self, **options):
        talked = self.crowd(**options).finish()
        self.assertEqual(talked["got"], talked["sent"])
        # Who is slow judges some before the first of their answers.
        self.assertLess(self.symtapd.settled()["waited_pkts"],
                        talked["sent"] / 1000 if self.is_busy() else 1)

    def test_crowd_is_not_touched(self):
        self.start()
        self.check_crowd(seconds=2)

    def test_several_engines_give_the_same_figures(self):
        self.start(queues=3)
        self.check_crowd(pairs=640)
        self.assertEqual(len(self.symtapd.ask("status")["engines"]), 3)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        for turn in range(8):
            source = traffic.sender(self.net.host, f"10.20.3.{turn}")
            for number in range(50):
                source.sendto(traffic.numbered(turn * 1000 + number),
                              (lab.OUTSIDE, 9))
        arrived = ear.receive(1.3)
        for turn in range(8):
            mine = [each for each in arrived
                    if traffic.numbers([each])[0] // 1000 == turn]
            self.assertEqual(traffic.numbers(mine), list(
                range(turn * 1000, turn * 1000 + len(mine))))
            self.check_figures(mine, 1)

    def test_both_ends_guarded_in_two_engines(self):
        """The second engine hears of each packet that the first let out."""
        self.start(queues=4)
        for turn in range(16):
            inner, outer = f"10.20.3.{turn}", f"10.20.200.{turn}"
            client = traffic.sender(self.net.host, inner, 5000)
            back = traffic.Ear(client)
            server = traffic.Receiver(self.net.outside, outer, 6000)
            for number in range(12):
                client.sendto(traffic.numbered(number), (outer, 6000))
                arrived = server.receive(2, 1)
                self.assertEqual(traffic.numbers(arrived), [number])
                server.answer(arrived[0], arrived[0].data)
                self.assertEqual(traffic.numbers(back.receive(2, 1)), [number])
        self.symtapd.wait_for("forwarded_shard_pkts", 100)
        waited = self.symtapd.settled()["waited_pkts"]
        # One that hears nothing has 8 of each 12 wait; one that hears late
        # may have one.
        self.assertLess(waited, 16 if self.is_busy() else 1)


if __name__ == "__main__":
    bed.main()
