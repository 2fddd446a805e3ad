# SPDX-License-Identifier: GPL-2.0-or-later
"""What the subjects in dom0 have in common: guests, symtapd beside netback, and
who sends and listens."""

import dataclasses
import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "netns")]
sys.dont_write_bytecode = True

import dom0
import guests
import lab
import symtapd
import traffic

BUILD = os.environ["SYMTAP_BUILD"]
FIRST_SECOND, LATER_SECONDS = 14, 12


@dataclasses.dataclass
class Way:
    """Where packets wait, and what may be asked of it."""

    name: str
    small: bool  # the guest waits with small packets, too
    selective: bool  # nothing else of the guest waits


# Those that every test runs for.
WAYS = (Way("queue", small=False, selective=True),)
POLICY = {
    "inside": '[10.0.1.0/26, "fd00:1::/122"]',
    "limits": "{pairs: 4096, flows: 4096, hosts: 256, suspects: 1024, "
              "held_packets: 2048, held_packets_per_host: 1024, "
              "held_packets_per_key: 1024}",
}


def each_way(cls):
    """A class of tests becomes a Case for each way, which is their self.way."""
    for way in WAYS:
        name = f"{cls.__name__}_{way.name}"
        vars(sys.modules[cls.__module__])[name] = type(
            name, (cls, Case), {"way": way, "__qualname__": name,
                                "__module__": cls.__module__})
    return cls


class Flood:
    """Of a guest, and what arrives of it, in order."""

    def __init__(self, guest, ear, size, seconds):
        self.guest, self.ear, self.arrived = guest, ear, []
        address, port = ear.socket.getsockname()
        self.sender = guest.flood(address, port, size, 0, seconds)

    def look(self, seconds):
        """What arrives from now on."""
        more = self.ear.receive(seconds)
        self.arrived += more
        return more

    def told(self):
        """What the guest says when it has come to its end."""
        return self.guest.flooded(self.sender)


class Case(unittest.TestCase):
    """One dom0 for all.  A test takes guests from self.pool, starts symtapd,
    and finds neither policy nor rules of a test before it."""

    way = WAYS[0]

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab("xen")
        cls.addClassCleanup(cls.lab.close)
        cls.host = dom0.Host(cls.lab)
        cls.addClassCleanup(cls.host.close)
        cls.pool = guests.Pool()

    def setUp(self):
        self.symtapd = symtapd.Symtapd(self.host, BUILD)
        self.addCleanup(self.symtapd.close)

    def tearDown(self):
        if self.symtapd.is_running():
            self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        if self.symtapd.process:
            self.symtapd.ctl("uninstall")

    def start(self, *guarded, **policy):
        """symtapd, until it guards these guests."""
        policy = {"xen": "{vifs: follow}", **POLICY,
                  **policy}
        self.symtapd.start(bridge=True, **policy)
        for guest in guarded:
            self.until(guest.guarded)

    def until(self, text, seconds=20, times=1):
        """It says so."""
        self.assertTrue(lab.eventually(
            lambda: self.symtapd.log().count(text) >= times, seconds),
            self.symtapd.log())

    def listen(self, port, address=dom0.OUTSIDE):
        ear = traffic.Receiver(self.host.outside, address, port)
        self.addCleanup(ear.socket.close)
        return ear

    def outside_runs(self, name, *words):
        """One of the guest's programs, until the test ends."""
        process = self.host.outside.start(
            os.path.join(BUILD, "tests/xen", name), *map(str, words))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def flood(self, guest, size, seconds=4, port=9000):
        """As much as goes, with as long a look at what arrives."""
        flood = Flood(guest, self.listen(port), size, seconds)
        self.addCleanup(flood.sender.close)
        flood.look(seconds + 1)
        return flood
