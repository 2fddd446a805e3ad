# SPDX-License-Identifier: GPL-2.0-or-later
"""What the subjects in dom0 have in common: guests, symtapd beside netback, and
who sends and listens."""

import atexit
import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "netns")]

import dom0
import guests
import lab
import symtapd
import traffic

BUILD = os.environ["SYMTAP_BUILD"]
# Whatever symtapd drops of a flood.
DROPS = ("dropped_key_bound", "dropped_host_bound", "dropped_bound",
         "ring_full_pkts")
FIRST_SECOND, LATER_SECONDS = 14, 12
# Of a ring, when its guest waits.
WAITING_SLOTS = 10
REST_SECONDS = 60
RING_MODULES = ("ifb", "sch_htb", "sch_tbf", "sch_ingress", "cls_u32",
                "act_mirred")


@dataclasses.dataclass
class Way:
    """Where packets wait, and what may be asked of it."""

    name: str
    small: bool  # the guest waits with small packets, too
    selective: bool  # nothing else of the guest waits
    first: int = FIRST_SECOND  # packets of a flood that leave in it
    later: int = LATER_SECONDS  # and in each other


QUEUE = Way("queue", small=False, selective=True)
RING = Way("ring", small=False, selective=True)
# 64 after each pause of a second, and what a dom0 that is emulated lets out
# until the next one begins; unheld there are 650.
RATE = Way("rate", small=True, selective=False, first=2200, later=200)
# Those that each_way() runs for.
WAYS = (QUEUE, RING, RATE)
COMPARED = WAYS
POLICY = {
    "inside": '[10.0.1.0/26, "fd00:1::/122"]',
    "limits": "{pairs: 4096, flows: 4096, hosts: 256, suspects: 1024, "
              "held_packets: 2048, held_packets_per_host: 1024, "
              "held_packets_per_key: 1024}",
}


def policy_of(way, **more):
    return {**POLICY, "xen": f"{{vifs: follow, way: {way.name}}}", **more}


def store_value(path):
    """As dom0 sees it; "" where there is none."""
    return subprocess.run(["xenstore-read", path], text=True, check=False,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout.strip()


def waits(guest, way, handle=0):
    """A vif of it, with what it sends."""
    if way.selective:
        return guest.ring(handle) > WAITING_SLOTS
    path = f"/local/domain/0/backend/vif/{guest.domain}/{handle}"
    return store_value(f"{path}/rate").startswith("0,")


def dropped(daemon):
    """How many it says that it dropped of a flood, or let the kernel drop."""
    count = daemon.settled()
    kernel = {row["name"]: row["packets"]
              for row in daemon.ask("status")["kernel_counters"]}
    return sum(count[name] for name in DROPS) + kernel.get("refused", 0)


def outside_runs(host, name, *words):
    """One of the guest's programs, where it is ready to hear."""
    process = host.outside.start(
        os.path.join(BUILD, "tests/xen", name), *map(str, words),
        stdout=subprocess.PIPE)
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"{name} is not ready")
    return process


def each_way(cls):
    """A Case becomes one for each way, which is its self.way."""
    for way in WAYS:
        name = f"{cls.__name__}_{way.name}"
        vars(sys.modules[cls.__module__])[name] = type(
            name, (cls,), {"way": way, "__qualname__": name,
                           "__module__": cls.__module__})
    return None


class Flood:
    """Of a guest, and what arrives of it, in order."""

    def __init__(self, guest, ear, size, seconds, pkts_per_s=0):
        self.guest, self.ear, self.arrived = guest, ear, []
        self.said = None
        self.own_before = guest.own_drops()
        address, port = ear.socket.getsockname()
        self.sender = guest.flood(address, port, size, pkts_per_s,
                                  seconds)

    def end(self):
        """Before its seconds are over."""
        self.guest.ask("killall flood")

    def look(self, seconds):
        """What arrives from now on."""
        more = self.ear.receive(seconds)
        self.arrived += more
        return more

    def missing(self):
        """The numbers of what did not arrive."""
        return sorted({*range(self.told()["sent"])} -
                      {*traffic.numbers(self.arrived)})

    def told(self):
        """What the guest says when it has come to its end."""
        self.said = self.said or self.guest.flooded(self.sender)
        return self.said

    def own_drops(self):
        """What the guest itself dropped, none of which left it."""
        return self.guest.own_drops() - self.own_before

    def rest(self, lost=0):
        """The same, and all that is still to arrive."""
        told = self.told()
        self.arrived += self.ear.receive(
            REST_SECONDS,
            told["sent"] - lost - self.own_drops() - len(self.arrived))
        self.look(0.1)
        return told


@functools.cache
def host():
    """One for all cases: a second of dom0's for each that starts."""
    made = dom0.Host(lab.Lab("xen"))
    atexit.register(made.close)
    return made


class Case(unittest.TestCase):
    """One dom0 for all.  A test takes guests from self.pool, starts symtapd,
    and finds neither policy nor rules of a test before it."""

    way = QUEUE
    bridge = True

    @classmethod
    def setUpClass(cls):
        cls.host = host()
        if cls.way is RING:
            dom0.call("modprobe", "-a", *RING_MODULES)
        cls.pool = guests.Pool()

    def setUp(self):
        self.addCleanup(self.tell_time, time.monotonic())
        self.addCleanup(self.host.lab.close_sockets)
        self.symtapd = symtapd.Symtapd(self.host, BUILD)
        self.addCleanup(self.symtapd.close)

    @staticmethod
    def tell_time(begin):
        print(f"{time.monotonic() - begin:.1f} s", end=" ", flush=True)

    def tearDown(self):
        if self.symtapd.is_running():
            self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        if self.symtapd.process:
            self.symtapd.ctl("uninstall")

    def start(self, *guarded, **policy):
        """symtapd, until it guards these guests."""
        self.symtapd.start(bridge=self.bridge,
                           **policy_of(self.way, **policy))
        for guest in guarded:
            self.until(guest.guarded)

    def until(self, text, seconds=60, times=1):
        """It says so."""
        self.assertTrue(lab.eventually(
            lambda: self.symtapd.log().count(text) >= times, seconds),
            self.symtapd.log())

    @staticmethod
    def uuid(guest):
        return dom0.call("xenstore-read", f"/local/domain/{guest.domain}/vm"
                         ).strip().removeprefix("/vm/")

    def exported(self, uuid):
        """What is known of a guest that was or is here, and the highest
        penalty of any of its pairs."""
        document = self.symtapd.ctl("state", "export", "--uuid", uuid)
        return document, max(
            (key["penalty"] for guest in json.loads(document)["guests"]
             for key in guest["keys"] if key["scope"] == "pair"), default=0)

    def until_it_waits(self, guest):
        self.assertTrue(lab.eventually(
            lambda: waits(guest, self.way), 60), self.symtapd.log())

    @staticmethod
    def as_slow(seconds):
        """So many on this machine, which may be busy: by what takes 0.1 s
        where it is not."""
        took = []
        for _ in range(3):
            begin = time.monotonic()
            dom0.call("xenstore-exists", "/")
            took.append(time.monotonic() - begin)
        return seconds * max(1, max(took) / 0.1)

    def has_no_zombie(self):
        """Nor anybody who is about to become one."""
        said = ""

        def nobody():
            nonlocal said
            said = dom0.call("xl", "list")
            return "(null)" not in said and not any(
                "d" in line.split()[4] for line in said.splitlines()[1:])

        self.assertTrue(lab.eventually(nobody, 60, 0.2), said)

    def listen(self, port, address=dom0.OUTSIDE):
        ear = traffic.Receiver(self.host.outside, address, port)
        self.addCleanup(ear.socket.close)
        return ear

    def outside_runs(self, name, *words):
        """One of the guest's programs, until the test ends."""
        process = outside_runs(self.host, name, *words)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def begin_flood(self, guest, size, seconds, port=9000, to=dom0.OUTSIDE):
        """As much as goes."""
        # Who has no MAC for it yet loses packets by himself.
        guest.ask(f"ping -c 1 {to}")
        flood = Flood(guest, self.listen(port, to), size, seconds)
        self.addCleanup(flood.sender.close)
        return flood

    def flood(self, guest, size, seconds=4, port=9000):
        """The same, with as long a look at what arrives."""
        flood = self.begin_flood(guest, size, seconds, port)
        flood.look(seconds + 1)
        return flood
