#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd in an extension VM, and none in dom0."""

import os
import re
import subprocess
import time
import unittest

import bed
import dom0
import extension
import lab
from bed import store_value

GUEST, OTHER_GUEST = 9, 10
RATE_PKTS_PER_S = 20  # what waits leaves places in the ring
POLICIES = "/local/domain/0/symtap/policy"
# Many starts, and that of the fast path takes half a minute in emulation.
POLICY = extension.BACKEND.replace(extension.FAST, "")


class Backend(bed.Case):
    """The guest's backend is a VM of its own, whose vif is the uplink."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vm = extension.Extension(POLICY, f"uplink={dom0.BRIDGE}")
        cls.addClassCleanup(cls.vm.end)
        # Where it can publish, and what it may read of single guests.
        home = f"/local/domain/{cls.vm.domain}/symtap"
        dom0.call("xenstore-write", home, "", POLICIES, "")
        dom0.call("xenstore-chmod", home, f"n{cls.vm.domain}")
        for path in (os.path.dirname(POLICIES), POLICIES):
            dom0.call("xenstore-chmod", path, "n0", f"r{cls.vm.domain}")
        cls.addClassCleanup(dom0.call, "xenstore-rm", POLICIES)
        cls.guest, cls.other = cls.pool.take(
            GUEST, OTHER_GUEST, vif="backend=extension", memory=128,
            ramdisk=extension.guest_with_store())
        for guest in (cls.guest, cls.other):
            cls.addClassCleanup(cls.pool.destroy, guest)

    def setUp(self):
        super().setUp()
        self.assertEqual(subprocess.run(["pidof", "symtapd"],
                                        check=False).returncode, 1)
        for guest in (self.guest, self.other):
            self.assertTrue(self.vm.says(f"{guest.vif} of domain"),
                            self.vm.log())

    def test_a_flood_is_held_and_another_flow_is_not(self):
        """Nobody but the extension VM could: dom0 has no symtapd."""
        idle = self.guest.ask(f"ping -c 8 -i 0.3 {dom0.HOST}; "
                              f"ping -c 1 {dom0.OUTSIDE} >/dev/null")
        flood = bed.Flood(self.guest, self.listen(9000), 1200, 6)
        extension.await_row(self.vm, "pair",
                            f"{self.guest.address} +{dom0.OUTSIDE} +[34]")
        extension.await_row(self.vm, "flow", f"{dom0.OUTSIDE}:9000")
        # More than is copied, so another memory of the guest's.
        other = self.guest.ask(f"ping -c 8 -i 0.3 -s 1000 {dom0.HOST}")
        flood.look(4)
        told, arrived = flood.told(), flood.arrived
        early, per_s = extension.pace(arrived)
        print(f"{early} in the first second, then {per_s:.1f} packets/s; "
              f"{told}; ping {extension.round_trip(idle)}, beside it "
              f"{extension.round_trip(other)}", flush=True)
        # If the first came late, some of the next second came beside it.
        self.assertLessEqual(early, bed.FIRST_SECOND + bed.LATER_SECONDS *
                             extension.longest_s(idle + other))
        self.assertLessEqual(per_s, bed.LATER_SECONDS)
        self.assertGreater(told["longest_s"], 0.9)
        # A guest that waits drops some of its own when all is slow.
        self.assertGreaterEqual(other.count("bytes from"), 6, other)

    def set_policy(self, **more):
        """Until the end of the test."""
        self.addCleanup(self.vm.reload)
        self.addCleanup(self.vm.set_policy, POLICY)
        policy = POLICY
        for old, new in more.pop("instead", {}).items():
            policy = policy.replace(old, new)
        self.vm.set_policy(policy)
        self.assertIn("reloaded", self.vm.reload())

    def state_of(self, guest):
        return f"/local/domain/{self.vm.domain}/symtap/vif/{guest.domain}/0"

    def refused(self, guest, command):
        """What is said in one line at most, and nothing of others."""
        said = guest.ask(f"{command} 2>&1; echo $?").splitlines()
        self.assertEqual(said[-1], "1", said)
        self.assertLessEqual(len(said), 2, said)

    def test_a_guest_sees_nobody_else(self):
        own, other = self.guest.domain, self.other.domain
        self.assertEqual(self.guest.ask("xenstore-read domid"), f"{own}\n")
        self.assertTrue(lab.eventually(lambda: store_value(
            f"{self.state_of(self.other)}/state") == "active", 60, 0.2),
            self.vm.log())
        # Until a flood of the test before weighs nothing.
        keys = " ".join(f"{self.state_of(self.guest)}/{name}"
                        for name in ("state", "held", "S"))
        said = ""

        def is_calm():
            nonlocal said
            said = self.guest.ask(f"xenstore-read {keys}")
            return said == "active\n0\n0.00\n"

        self.assertTrue(lab.eventually(is_calm, 60, 0.2), said)
        for path in ("/local/domain", "/local/domain/0", "/vm", "/libxl",
                     POLICIES, f"/local/domain/{other}",
                     f"/local/domain/{self.vm.domain}",
                     f"/local/domain/{self.vm.domain}/backend/vif",
                     f"/local/domain/{self.vm.domain}/backend/vif/{other}",
                     f"/local/domain/{self.vm.domain}/symtap",
                     f"/local/domain/{self.vm.domain}/symtap/vif"):
            self.refused(self.guest, f"xenstore-ls {path}")
        # Who is there looks as who is not.
        for domain in (other, 4711):
            said = {self.guest.ask(f"xenstore-{verb} {path} 2>&1").replace(
                str(domain), "N") for verb, path in (
                    ("read", f"/local/domain/{domain}/name"),
                    ("read", f"/local/domain/{self.vm.domain}/symtap/vif/"
                             f"{domain}/0/state"))}
            if domain == other:
                seen = said
        self.assertEqual(seen, said)

    def test_a_guest_may_not_lift_its_hold(self):
        own = self.guest.domain
        node = f"/local/domain/{self.vm.domain}/backend/vif/{own}/0"
        uuid = dom0.call("xenstore-read",
                         f"/local/domain/{own}/vm").strip().split("/")[-1]
        for path in (*(f"{node}/{key}" for key in ("rate", "mac", "ip",
                                                   "symtap-rate")),
                     *(f"{self.state_of(self.guest)}/{key}"
                       for key in ("state", "held")),
                     f"{POLICIES}/{uuid}", f"{POLICIES}/{own}",
                     f"/local/domain/{own}/symtap/policy/{uuid}"):
            before = store_value(path)
            self.refused(self.guest, f"xenstore-write {path} written")
            if path.endswith("/held"):  # and still counted
                self.assertTrue(store_value(path).isdecimal(), path)
            else:
                self.assertEqual(store_value(path), before, path)

    def test_the_operators_word_stands_above_a_guests_policy(self):
        def state():
            return store_value(f"{self.state_of(self.guest)}/state")

        path = f"{POLICIES}/{self.guest.domain}"
        self.set_policy()
        dom0.call("xenstore-write", path, "{guard: off}")
        self.addCleanup(dom0.call, "xenstore-rm", path)
        self.assertTrue(lab.eventually(lambda: state() == "off", 60, 0.2),
                        state())
        self.set_policy(instead={
            "vifs: follow": "vifs: follow, guests: [{guard: on}]"})
        self.assertTrue(lab.eventually(lambda: state() == "active", 60, 0.2),
                        state())

    def memory_mib(self):
        """In use in the VM."""
        return int(re.search(r"Mem: +\d+ +(\d+)",
                             self.vm.ask("free"))[1]) >> 10

    def await_fast(self, before):
        """symtapd runs, and its program sees the guest's packets; how many MiB
        are in use then."""
        self.vm.await_start(before)
        self.assertTrue(lab.eventually(
            lambda: re.search(rf"fast path at .*{self.guest.vif} \(clsact",
                              self.vm.symtapctl("status")), 60, 0.2),
            self.vm.log())
        return self.memory_mib()

    def test_its_memory_lasts_with_a_fast_path(self):
        """However often symtapd is ended, also while it starts."""
        self.outside_runs("probe", "answer", dom0.OUTSIDE2,
                          extension.PROBE_PORT)
        before = self.vm.starts()
        self.vm.set_policy(extension.BACKEND)
        self.vm.kill("TERM")
        used = [self.await_fast(before)]
        for _ in range(5):
            self.vm.kill()
            time.sleep(1)
        # The last is there to stay.
        used.append(self.await_fast(before + 1))
        told = self.vm.conversation(self.guest, dom0.OUTSIDE2, 2)
        print(f"MiB in use: {used}; {told}", flush=True)
        self.assertLess(used[1], used[0] + 24)
        self.assertEqual(told["lost"], 0)
        before = self.vm.starts()
        self.vm.set_policy(POLICY)
        self.vm.kill("TERM")
        self.vm.await_start(before)
        self.await_judge()

    def penalty(self):
        """The highest of the guest's."""
        said = self.vm.symtapctl(
            f"state export --address {self.guest.address}")
        return max([int(number) for number in re.findall(
            r'"penalty": ?(\d+)', said)], default=-1)

    def await_judge(self):
        """symtapd in there has the guest's vif."""
        self.assertTrue(lab.eventually(
            lambda: f" {self.guest.vif} " in self.vm.symtapctl("vifs"), 60,
            0.2), self.vm.log())

    def await_penalty(self):
        """The guest's flood is one that is held for long."""
        self.assertTrue(lab.eventually(lambda: self.penalty() > 4, 60, 0.2),
                        self.vm.log())
        return self.penalty()

    def restart(self):
        """symtapd, beside a flood and a conversation: what became of that, and
        for how long nobody could start it, which is longer than a start takes.
        """
        self.outside_runs("probe", "answer", dom0.OUTSIDE2,
                          extension.PROBE_PORT)
        self.listen(9000)
        flood = self.guest.flood(dom0.OUTSIDE, 9000, 1200, RATE_PKTS_PER_S,
                                 200)
        self.addCleanup(self.guest.end_floods, flood)
        penalties = [self.await_penalty()]
        start_s = self.vm.restart_seconds()
        self.await_judge()
        calm = self.vm.conversation(self.guest, dom0.OUTSIDE2, 2)
        away_s = 1 + start_s + calm["stall_ms"] / 1e3
        told = self.vm.away_beside(self.guest, dom0.OUTSIDE2, away_s, start_s)
        self.await_judge()
        penalties.append(self.await_penalty())
        print(f"killed, and away for {away_s:.1f} s, started within "
              f"{start_s:.1f} s: {told}, before {calm}; penalties "
              f"{penalties}", flush=True)
        return told, away_s

    def test_killed_open_conversations_go_on(self):
        """And who was held is."""
        told, away_s = self.restart()
        # Not even a start keeps them for as long as nobody was there.
        self.assertLess(told["stall_ms"], 1000 * away_s)
        self.assertLess(told["lost"], extension.PROBE_PKTS_PER_S)

    def test_killed_closed_nothing_goes_on_until_it_is_back(self):
        self.addCleanup(self.vm.kill, "TERM")
        self.set_policy(instead={"fail: open": "fail: closed"})
        self.vm.kill("TERM")
        self.assertTrue(self.vm.says("fail closed"), self.vm.log())
        self.await_judge()
        told, away_s = self.restart()
        # Dropped, or as late as that.
        self.assertGreater(max(told["lost"] / extension.PROBE_PKTS_PER_S,
                               told["stall_ms"] / 1e3), away_s / 2)

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


if __name__ == "__main__":
    unittest.main(verbosity=2)
