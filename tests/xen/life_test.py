#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd comes and goes beside guests that wait, and they beside it: in each
way at once, each of a vif of one guest."""

import json
import math
import os
import pathlib
import re
import signal
import socket
import time
import unittest

import bed
import dom0
import guests
import lab
import traffic

NUMBER = 12
LARGE, FLOOD_PORT, FLOOD_PKTS_PER_S = 1200, 9100, 50
FLOOD_SECONDS = 600  # or until it is ended
HELD_SECONDS, DEAD_SECONDS = 1, 3
UNDERWAY_S = 0.1
PINGS = 3
BURST_PKTS = 64  # of the way `rate`
IMAGE = "/run/life.saved"


def target_of(handle):
    return f"10.0.1.{210 + handle}"


class Vif:
    """One of the guest's, and the flood that it sends."""

    def __init__(self, case, handle, way):
        self.case, self.handle, self.way = case, handle, way
        self.target = target_of(handle)
        self.flood = None

    @property
    def name(self):
        return f"vif{self.case.guest.domain}.{self.handle}"

    @property
    def of_domain(self):
        """What symtapd calls it."""
        return f"{self.name} of domain {self.case.guest.domain}"

    def prepare(self):
        """In the guest, each address by its own vif."""
        guest, device = self.case.guest, f"eth{self.handle}"
        if self.handle > 0:
            own = guests.address_of(guest.number + self.handle)
            guest.ask(f"ip link set {device} up; "
                      f"ip addr add {own}/32 dev {device}; "
                      f"ip route add {self.target} dev {device} src {own}")
        # Who has no MAC for it yet loses packets by himself.  A test before
        # may have failed.
        guest.ask(f"killall flood; ping -c 1 {self.target}")

    def begin(self):
        self.flood = bed.Flood(
            self.case.guest, self.case.listen(FLOOD_PORT, self.target), LARGE,
            FLOOD_SECONDS, FLOOD_PKTS_PER_S)
        self.case.addCleanup(self.flood.sender.close)

    def slots(self):
        return self.case.guest.ring(self.handle)

    def waits(self):
        return bed.waits(self.case.guest, self.way, self.handle)

    def after(self, at):
        """When each arrived that did so later."""
        self.flood.arrived += self.flood.ear.take()
        return [each.at - at for each in self.flood.arrived if each.at > at]

    def missing(self, at):
        """How many are, between the first and the last that arrived later."""
        numbers = {*traffic.numbers([each for each in self.flood.arrived
                                     if each.at > at])}
        return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


class Life(bed.Case):
    ways = (bed.QUEUE, bed.RING, bed.RATE)
    number = NUMBER

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        dom0.call("modprobe", "-a", *bed.RING_MODULES)
        cls.host.outside.address("eth0", *(
            f"{target_of(handle)}/24" for handle in range(len(cls.ways))))

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(self.number, vifs=len(self.ways),
                                    addressed=len(self.ways) > 1)
        self.vifs = [Vif(self, handle, way)
                     for handle, way in enumerate(self.ways)]
        for vif in self.vifs:
            vif.prepare()

    def begin(self, **policy):
        """symtapd, and a flood of each vif that waits."""
        rows = ", ".join(f'{{vif: "vif*.{vif.handle}", way: {vif.way.name}}}'
                         for vif in self.vifs)
        self.start(xen=f"{{vifs: follow, guests: [{rows}]}}", **policy)
        self.until_guarded()
        for vif in self.vifs:
            vif.begin()
        self.until_all_wait()
        for vif in self.vifs:
            vif.flood.look(HELD_SECONDS)

    def until_guarded(self, times=1):
        for vif in self.vifs:
            self.until(f"{vif.of_domain} ({self.guest.name}) is guarded",
                       times=times)

    def until_all_wait(self):
        for vif in self.vifs:
            self.assertTrue(lab.eventually(vif.waits, 60),
                            (vif.way, self.symtapd.log()))

    def until_saved(self):
        """All that are held are in the file that the next will read."""
        path = pathlib.Path(self.symtapd.path("state"))
        pairs = [socket.inet_aton(vif.target) for vif in self.vifs]
        self.assertTrue(lab.eventually(lambda: path.exists() and all(
            pair in path.read_bytes() for pair in pairs), 20),
            self.symtapd.log())

    def pings(self):
        """How many of another conversation of the guest's are answered."""
        return self.guest.ask(f"ping -c {PINGS} -i 0.2 -w 2 {dom0.OUTSIDE2}"
                              ).count("bytes from")

    def kill(self):
        """When it was gone, and what each vif may have lost."""
        measured = time.time()
        # A pause that ends lets as many go at once.
        slots = [vif.slots() + (0 if vif.way.selective else BURST_PKTS)
                 for vif in self.vifs]
        self.symtapd.stop(signal.SIGKILL)
        at = time.time()
        for vif in self.vifs:
            vif.flood.look(DEAD_SECONDS / len(self.vifs))
        more = 1 + int(FLOOD_PKTS_PER_S * (at - measured))
        return at, [count + more for count in slots]

    def comes_back(self):
        """The next one finds its vifs, and who was held: a second later that
        is as over as if symtapd had been there."""
        self.symtapd.restart()
        self.until_guarded(times=2)
        kept = [int(count) for count in re.findall(
            r"(\d+) keys taken up", self.symtapd.log())]
        self.assertGreaterEqual(kept[-1], len(self.vifs), self.symtapd.log())
        self.until_all_wait()

    def penalties(self, uuid):
        """Of each vif's pair; 0: nobody knows it."""
        known = {key["outside"]: key["penalty"]
                 for guest in json.loads(self.exported(uuid)[0])["guests"]
                 for key in guest["keys"] if key["scope"] == "pair"}
        return [known.get(vif.target, 0) for vif in self.vifs]

    def end(self, lost):
        """All of it goes on: for each vif what was lost."""
        self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        self.vifs[0].flood.end()
        return [vif.flood.rest(bound)["sent"] - len({*traffic.numbers(
            vif.flood.arrived)}) for vif, bound in zip(self.vifs, lost)]

    def test_killed_open_the_guest_goes_on_and_is_known_again(self):
        self.begin()
        self.until_saved()
        at, bounds = self.kill()
        for vif in self.vifs:
            later = vif.after(at)
            print(f"{vif.way.name}: first {1000 * later[0]:.0f} ms after its "
                  f"end, {len(later)} within {later[-1]:.1f} s", end=", ")
            self.assertLess(later[0], 1)
            # Hardly fewer than are offered.
            self.assertGreater(len(later), 0.8 * FLOOD_PKTS_PER_S * later[-1])
        self.assertEqual(self.pings(), PINGS)
        self.comes_back()
        lost = self.end(bounds)
        print(f"lost {lost} of at most {bounds}")
        for vif, bound, count in zip(self.vifs, bounds, lost):
            self.assertLessEqual(count, bound, vif.way)

    def test_killed_closed_nothing_passes_until_it_is_back(self):
        self.begin(fail="closed")
        self.until_saved()
        at, _ = self.kill()
        self.assertEqual(self.pings(), 0)
        for vif in self.vifs:
            self.assertEqual([], [each for each in vif.after(at)
                                  if each > UNDERWAY_S], vif.way)
        back = time.time()
        self.comes_back()
        self.assertEqual(self.pings(), PINGS)
        for vif in self.vifs:
            self.assertTrue(vif.after(back), vif.way)
        self.vifs[0].flood.end()

    def leaves(self, *words):
        """By xl, which waits ten seconds for a vif to go and then says error:
        how many each still held.  All of it arrives, is counted, and nothing
        is left of the domain."""
        at, begin = time.time(), time.monotonic()
        held = [vif.slots() for vif in self.vifs]
        self.assertNotIn("error", dom0.call("xl", *words))
        took = time.monotonic() - begin
        self.pool.forget(self.guest)
        for vif in self.vifs:
            self.until(f"{vif.of_domain} is let go, with ")
            self.assertTrue(lab.eventually(lambda path=(
                f"/sys/class/net/{vif.name}"): not os.path.exists(path), 10))
        self.has_no_zombie()
        let_go = [int(re.search(f"{vif.of_domain} is let go, with (\\d+)",
                                self.symtapd.log())[1]) for vif in self.vifs]
        arrived = [len(vif.after(at)) for vif in self.vifs]
        print(f"{words[0]}: {took:.1f} s, {held} slots were held, {let_go} "
              f"packets let go, {arrived} arrived", end=", ")
        for vif, slots, count in zip(self.vifs, held, arrived):
            self.assertEqual(vif.missing(at), 0, vif.way)
            if vif.way.selective:
                self.assertGreaterEqual(count, slots, vif.way)
        return let_go

    def is_paused(self):
        """What waits in dom0 goes on leaving, as slowly as it did."""
        dom0.call("xl", "pause", self.guest.name)
        at = time.time()
        self.vifs[0].flood.look(HELD_SECONDS)
        arrived = [len(vif.after(at)) for vif in self.vifs]
        seconds = math.ceil(time.time() - at)
        dom0.call("xl", "unpause", self.guest.name)
        print(f"paused: {arrived} arrived", end=", ")
        for vif, count in zip(self.vifs, arrived):
            if vif.way.selective:
                self.assertGreater(count, 0, vif.way)
                self.assertLessEqual(count, vif.way.later * seconds, vif.way)

    def test_paused_saved_restored_and_destroyed_while_it_waits(self):
        self.begin()
        uuid = self.uuid(self.guest)
        self.is_paused()
        self.until_all_wait()
        self.vifs[0].flood.look(HELD_SECONDS)
        let_go = self.leaves("save", self.guest.name, IMAGE)
        self.addCleanup(os.unlink, IMAGE)
        penalties = self.penalties(uuid)
        print(f"penalties {penalties}", end=", ")
        # Each falls back once a second, and grows again while some wait.
        self.assertGreater(max(penalties), 1)
        for vif, waited, penalty in zip(self.vifs, let_go, penalties):
            self.assertGreaterEqual(penalty, waited > 0, vif.way)
        dom0.call("xl", "restore", IMAGE)
        self.pool.moved(self.guest,
                        int(dom0.call("xl", "domid", self.guest.name)))
        self.until_guarded()
        for vif, penalty in zip(self.vifs, penalties):
            self.assertTrue(penalty == 0 or lab.eventually(
                lambda told=f"{vif.of_domain} is known: [1-9]": re.search(
                    told, self.symtapd.log()), 20), self.symtapd.log())
        self.until_all_wait()
        print(f"restored with {self.penalties(uuid)}", end=", ")
        self.leaves("destroy", self.guest.name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
