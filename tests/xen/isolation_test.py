#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd in an extension VM, and none in dom0."""

import pathlib
import re
import subprocess
import time
import unittest

import bed
import dom0
import extension
import lab
import symtapd
import traffic

GUEST = 9


def pace(arrived):
    """Packets of the first second, and packets a second after it."""
    begin, end = arrived[0].at, arrived[-1].at
    early = [each for each in arrived if each.at <= begin + 1]
    return len(early), (len(arrived) - len(early)) / max(end - begin - 1, 1)


def round_trip(said):
    return re.search("round-trip.*", said)[0]


def store_value(path):
    """As dom0 sees it; "" where there is none."""
    return subprocess.run(["xenstore-read", path], text=True, check=False,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout.strip()


class Backend(bed.Case):
    """The guest's backend is a VM of its own, whose vif is the uplink."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vm = extension.Extension(
            extension.POLICY + "xen: {vifs: follow}\n",
            f"uplink={dom0.BRIDGE}")
        cls.addClassCleanup(cls.vm.destroy)
        cls.guest = cls.pool.take(GUEST, vif="backend=extension")
        cls.addClassCleanup(cls.pool.destroy, cls.guest)

    def setUp(self):
        super().setUp()
        self.assertEqual(subprocess.run(["pidof", "symtapd"],
                                        check=False).returncode, 1)
        self.assertTrue(self.vm.says(f"{self.guest.vif} of domain"),
                        self.vm.log())

    def test_a_flood_is_held_and_another_flow_is_not(self):
        """Nobody but the extension VM could: dom0 has no symtapd."""
        idle = self.guest.ask(f"ping -c 8 -i 0.3 {dom0.HOST}")
        ear = self.listen(9000)
        sender = self.guest.flood(dom0.OUTSIDE, 9000, 1200, 0, 4)
        # More than is copied, so another memory of the guest's.
        other = self.guest.ask(f"ping -c 8 -i 0.3 -s 1000 {dom0.HOST}")
        arrived = ear.receive(4)
        rows = [self.vm.symtapctl(f"top --once --scope {scope}")
                for scope in ("pair", "flow")]
        told = self.guest.flooded(sender)
        early, per_s = pace(arrived)
        print(f"{early} in the first second, then {per_s:.1f} packets/s; "
              f"{told}; ping {round_trip(idle)}, beside it "
              f"{round_trip(other)}", flush=True)
        self.assertLessEqual(early, bed.FIRST_SECOND)
        self.assertLessEqual(per_s, bed.LATER_SECONDS)
        self.assertGreater(told["longest_s"], 0.9)
        # A guest that waits drops some of its own when all is slow.
        self.assertGreaterEqual(other.count("bytes from"), 6, other)
        self.assertRegex(rows[0], f"{self.guest.address} +{dom0.OUTSIDE} +[34]")
        self.assertIn(f"{dom0.OUTSIDE}:9000", rows[1])

    def writes(self, path, value):
        """In the extension VM; what became of it, as dom0 sees it."""
        self.vm.ask(f"xenstore-write {path} {value} 2>&1")
        if not path.startswith("/"):
            path = f"/local/domain/{self.vm.domain}/{path}"
        return store_value(path) == value

    def test_it_can_write_nothing_else_and_owns_no_device(self):
        guest, own = self.guest.domain, self.vm.domain
        for path in (f"/local/domain/{guest}/name",
                     f"/local/domain/{guest}/device/vif/0/backend",
                     "/local/domain/0/name",
                     f"/local/domain/0/backend/vif/{own}/0/rate",
                     f"/libxl/{guest}/type", f"/vm/{guest}", "/tool/x", "/x"):
            self.assertFalse(self.writes(path, "written"), path)
        # Its guest's vif is its own.
        self.assertTrue(self.writes(f"backend/vif/{guest}/0/rate",
                                    "100000000,50000"))
        for path in ("/local/domain/0", f"/local/domain/{guest}"):
            self.assertIn("Permission denied",
                          self.vm.ask(f"xenstore-ls {path} 2>&1"))
        for words in ("list", f"destroy {guest}"):
            self.assertNotEqual("0\n", self.vm.ask(
                f"xl {words} >/dev/null 2>&1; echo $?"), words)
        self.assertEqual(self.vm.ask("ls /sys/bus/pci/devices 2>/dev/null"),
                         "")
        devices = dom0.call("xenstore-list", f"/local/domain/{own}/device")
        self.assertEqual(set(devices.split()) - {"suspend"}, {"vif"})


class Ring(bed.Case):
    """dom0 is the guest's backend, and symtap-tap there has no say: over a ring
    of its pages the extension VM has."""

    OTHER = "10.0.1.222"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vm = extension.Extension(
            extension.POLICY.replace("bridge: true", "bridge: false"),
            "judge=0", driver=0)
        cls.guest = cls.pool.take(GUEST)
        cls.addClassCleanup(cls.pool.destroy, cls.guest)
        cls.host.outside.address("eth0", f"{cls.OTHER}/24")

    def setUp(self):
        super().setUp()
        self.nft("add table bridge tap")
        self.addCleanup(self.nft, "delete table bridge tap")
        self.nft("add chain bridge tap forward "
                 "{ type filter hook forward priority 10; }")
        self.nft("add rule bridge tap forward ether type ip "
                 "queue flags bypass to 4242")
        with open("/run/tap.log", "w", encoding="utf-8") as log:
            self.carrier = subprocess.Popen(
                [symtapd.find(bed.BUILD, "symtap-tap"), "--judge",
                 f"vchan:{self.vm.domain}"], stderr=log)
        self.addCleanup(self.carrier.wait)
        self.addCleanup(self.carrier.terminate)

    @staticmethod
    def nft(words):
        dom0.call("nft", *words.split())

    def said(self):
        return pathlib.Path("/run/tap.log").read_text(encoding="utf-8")

    def says(self, text):
        return lab.eventually(lambda: text in self.said(), 20)

    def test_a_flood_is_held_until_the_extension_dies(self):
        self.assertTrue(self.says("the judge is there"), self.vm.log())
        idle = self.guest.ask(f"ping -c 8 -i 0.3 {self.OTHER}")
        ear = self.listen(9000)
        sender = self.guest.flood(dom0.OUTSIDE, 9000, 1200, 0, 4)
        other = self.guest.ask(f"ping -c 8 -i 0.3 -s 1000 {self.OTHER}")
        arrived = ear.receive(4)
        rows = self.vm.symtapctl("top --once --scope pair")
        self.assertEqual(self.said().count("the judge is gone"), 0,
                         self.said() + self.vm.log())
        early, per_s = pace(arrived)
        pending = self.guest.ring()
        begin = time.monotonic()
        self.vm.destroy()
        gone = time.monotonic() - begin
        self.assertTrue(self.says("the judge is gone"))
        rest = ear.receive(2)
        told = self.guest.flooded(sender)
        print(f"{early} in the first second, then {per_s:.1f} packets/s, "
              f"{pending} slots held; destroyed in {gone:.1f} s, then "
              f"{len(rest)} came; {told}; ping {round_trip(idle)}, beside it "
              f"{round_trip(other)}", flush=True)
        self.carrier.terminate()
        self.carrier.wait()
        self.assertLessEqual(early, bed.FIRST_SECOND, self.said() + rows)
        self.assertLessEqual(per_s, bed.LATER_SECONDS)
        self.assertGreaterEqual(other.count("bytes from"), 6, other)
        self.assertRegex(rows, f"{self.guest.address} +{dom0.OUTSIDE} +[34]")
        self.assertGreater(pending, 10)
        self.assertEqual(traffic.numbers(arrived + rest),
                         list(range(told["sent"])))


if __name__ == "__main__":
    unittest.main(verbosity=2)
