#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd beside netback, on a real Xen: runs in dom0, see run."""

import os
import pathlib
import re
import signal
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "netns")]
sys.dont_write_bytecode = True

import dom0
import lab
import symtapd
import traffic

BUILD = os.environ["SYMTAP_BUILD"]
FIRST_SECOND, LATER_SECONDS = 14, 12
POLICY = {
    "inside": "[10.0.1.0/26]",
    "limits": "{pairs: 4096, flows: 4096, hosts: 256, suspects: 1024, "
              "held_packets: 2048, held_packets_per_host: 1024, "
              "held_packets_per_key: 1024}",
    "xen": "{vifs: follow}",
}


class Xen(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab("xen")
        cls.host = dom0.Host(cls.lab)
        cls.guests = [dom0.Guest(number) for number in (1, 2)]
        for guest in cls.guests:
            if not lab.eventually(guest.is_up, 60, 0.2):
                raise RuntimeError(f"{guest.name} is not up:\n"
                                   f"{guest.console()}")

    @classmethod
    def tearDownClass(cls):
        cls.lab.close()

    def setUp(self):
        self.guest, self.other = self.guests
        self.symtapd = symtapd.Symtapd(self.host, BUILD)
        self.addCleanup(self.symtapd.close)
        self.symtapd.start(bridge=True, **POLICY)
        self.until(f"{self.guest.vif} of domain {self.guest.domain} "
                   f"({self.guest.name}) is guarded")

    def tearDown(self):
        if self.symtapd.is_running():
            self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        self.symtapd.ctl("uninstall")

    def until(self, text, seconds=20):
        self.assertTrue(lab.eventually(
            lambda: text in self.symtapd.log(), seconds), self.symtapd.log())

    def flood(self, size, seconds=4):
        """What left the guest, and arrived, in order."""
        ear = self.listen(9000)
        sender = self.guest.flood(dom0.OUTSIDE, 9000, size, 0, seconds)
        self.addCleanup(sender.close)
        arrived = ear.receive(seconds + 1)
        ear.socket.close()
        return sender, arrived

    def listen(self, port):
        ear = traffic.Receiver(self.host.outside, dom0.OUTSIDE, port)
        self.addCleanup(ear.socket.close)
        return ear

    def test_a_flood_waits_in_the_guest(self):
        sender, arrived = self.flood(1200)
        begin = arrived[0].at
        later = [each for each in arrived if each.at > begin + 1]
        pending = self.guest.ring()
        self.assertLessEqual(len(arrived) - len(later), FIRST_SECOND)
        self.assertLessEqual(len(later), LATER_SECONDS * 4)
        self.assertGreater(pending, 10)
        # It goes on when the guard goes, and nothing was lost.
        ear = self.listen(9000)
        self.assertEqual(self.symtapd.stop(), 0)
        rest = ear.receive(2)
        told = self.guest.flooded(sender)
        print(f"sent {told['sent']}, in {len(arrived)} + {len(rest)}, "
              f"{pending} slots held, send() took {told['longest_s']} s")
        self.assertEqual(traffic.numbers(arrived + rest),
                         list(range(told["sent"])))
        self.assertGreater(told["longest_s"], 0.9)

    def test_others_do_not_wait(self):
        sender, _ = self.flood(1200, 1)
        for guest, target in ((self.guest, dom0.HOST),
                              (self.other, dom0.OUTSIDE)):
            said = guest.ask(f"ping -c 10 -i 0.1 {target}")
            self.assertIn(" 0% packet loss", said)
            print(guest.name, re.search("round-trip.*", said)[0])
        self.guest.flooded(sender)

    def test_forged_sources_stay_inside(self):
        self.guest.ask("ip addr add 10.0.1.99/24 dev eth0")
        said = self.guest.ask(
            f"ping -c 3 -i 0.1 -W 1 -I 10.0.1.99 {dom0.OUTSIDE}")
        self.guest.ask("ip addr del 10.0.1.99/24 dev eth0")
        self.assertIn("100% packet loss", said)
        self.assertIn(" 0% packet loss",
                      self.guest.ask(f"ping -c 3 -i 0.1 {dom0.OUTSIDE}"))

    def test_the_guest_goes_on_without_symtapd(self):
        sender, _ = self.flood(1200, 1)
        ear = self.listen(9001)
        self.symtapd.process.send_signal(signal.SIGKILL)
        self.symtapd.process.wait()
        begin = time.monotonic()
        other = self.guest.flood(dom0.OUTSIDE, 9001, 100, 100, 1)
        self.assertTrue(ear.receive(5, 1))
        self.assertLess(time.monotonic() - begin, 2)
        self.guest.flooded(other)
        self.guest.flooded(sender)
        self.symtapd.restart()
        self.until(f"{self.other.vif} of domain {self.other.domain}")

    def test_z_a_guest_is_destroyed_while_it_waits(self):
        self.flood(1200, 2)
        self.assertGreater(self.guest.ring(), 0)
        took = self.guest.destroy()
        print(f"destroyed within {took:.1f} s")
        self.assertLess(took, 8)
        self.until(f"{self.guest.vif} of domain {self.guest.domain} is let go")
        self.assertTrue(lab.eventually(
            lambda: not os.path.exists(f"/sys/class/net/{self.guest.vif}"),
            10))
        self.assertNotIn("(null)", dom0.call("xl", "list"))
        self.guests[0] = dom0.Guest(3)
        self.until("(guest3) is guarded", 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
