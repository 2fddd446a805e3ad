#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd in an extension VM, and none in dom0."""

import os
import re
import subprocess
import time
import unittest

import bed
import carried
import dom0
import extension
import lab
import traffic

GUEST, OTHER_GUEST = 9, 10
RATE_PKTS_PER_S = 20  # what waits leaves places in the ring
POLICIES = "/local/domain/0/symtap/policy"
POLICY = extension.POLICY + "xen: {vifs: follow}\n"


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
        cls.vm = extension.Extension(POLICY, f"uplink={dom0.BRIDGE}")
        cls.addClassCleanup(cls.vm.destroy)
        # Where it can publish, and what it may read of single guests.
        home = f"/local/domain/{cls.vm.domain}/symtap"
        dom0.call("xenstore-write", home, "", POLICIES, "")
        dom0.call("xenstore-chmod", home, f"n{cls.vm.domain}")
        for path in (os.path.dirname(POLICIES), POLICIES):
            dom0.call("xenstore-chmod", path, "n0", f"r{cls.vm.domain}")
        cls.addClassCleanup(dom0.call, "xenstore-rm", POLICIES)
        cls.guest, cls.other = cls.pool.take(
            GUEST, OTHER_GUEST, vif="backend=extension",
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
            f"{self.state_of(self.other)}/state") == "active", 15),
            self.vm.log())
        for name, value in (("state", "active"), ("held", "0"), ("S", "0.00")):
            self.assertEqual(self.guest.ask(
                f"xenstore-read {self.state_of(self.guest)}/{name}"),
                f"{value}\n")
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
            self.assertEqual(store_value(path), before, path)

    def test_the_operators_word_stands_above_a_guests_policy(self):
        def state():
            return store_value(f"{self.state_of(self.guest)}/state")

        path = f"{POLICIES}/{self.guest.domain}"
        self.set_policy()
        dom0.call("xenstore-write", path, "{guard: off}")
        self.addCleanup(dom0.call, "xenstore-rm", path)
        self.assertTrue(lab.eventually(lambda: state() == "off", 5), state())
        self.set_policy(instead={
            "vifs: follow": "vifs: follow, guests: [{guard: on}]"})
        self.assertTrue(lab.eventually(lambda: state() == "active", 5), state())

    def penalty(self):
        """The highest of the guest's."""
        said = self.vm.symtapctl(
            f"state export --address {self.guest.address}")
        return max([int(number) for number in re.findall(
            r'"penalty": ?(\d+)', said)], default=-1)

    def await_judge(self):
        """symtapd in there has the guest's vif."""
        self.assertTrue(lab.eventually(
            lambda: f" {self.guest.vif} " in self.vm.symtapctl("vifs"), 30),
            self.vm.log())

    def await_penalty(self):
        """The guest's flood is one that is held for long."""
        self.assertTrue(lab.eventually(lambda: self.penalty() > 4, 20, 0.2),
                        self.vm.log())
        return self.penalty()

    def restart(self):
        """symtapd, beside a flood and a conversation: what became of that,
        and the longest wait in one before and in one after."""
        self.outside_runs("probe", "answer", dom0.OUTSIDE2,
                          extension.PROBE_PORT)
        self.listen(9000)
        flood = self.guest.flood(dom0.OUTSIDE, 9000, 1200, RATE_PKTS_PER_S, 20)
        penalties = [self.await_penalty()]
        calm = [self.vm.conversation(self.guest, dom0.OUTSIDE2, 2)]
        told = self.vm.restarted_beside(self.guest, dom0.OUTSIDE2)
        self.await_judge()
        penalties.append(self.await_penalty())
        calm.append(self.vm.conversation(self.guest, dom0.OUTSIDE2, 2))
        self.guest.flooded(flood)
        print(f"killed: {told}, before and after {calm}; penalties "
              f"{penalties}", flush=True)
        return told, max(each["stall_ms"] for each in calm)

    def test_killed_open_conversations_go_on(self):
        """And who was held is."""
        told, calm_ms = self.restart()
        # As slow as this machine is by itself.
        self.assertLess(told["stall_ms"], 1000 + 2 * calm_ms)
        self.assertLess(told["lost"], extension.PROBE_PKTS_PER_S)

    def test_killed_closed_nothing_goes_on_until_it_is_back(self):
        self.addCleanup(self.vm.kill, "TERM")
        self.set_policy(instead={"fail: open": "fail: closed"})
        self.vm.kill("TERM")
        self.assertTrue(self.vm.says("fail closed"), self.vm.log())
        self.await_judge()
        told, _ = self.restart()
        self.assertGreater(told["lost"], 5)

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


class Ring(carried.Case):
    """dom0 is the guest's backend, and symtap-tap there has no say: over a ring
    of its pages the extension VM has."""

    OTHER = "10.0.1.222"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vm = extension.Extension(
            extension.POLICY.replace("bridge: true", "bridge: false"),
            "judge=0", driver=0)
        cls.guest, cls.neighbour = cls.pool.take(1, 2)
        cls.host.outside.address("eth0", f"{cls.OTHER}/24")

    def carry(self, *options, **more):
        super().carry("--judge", f"vchan:{self.vm.domain}", *options, **more)
        self.assertTrue(self.says("the judge is there"), self.vm.log())

    def test_a_vm_may_be_granted_the_rate_of_one_vif(self):
        """And holds it as a whole, on its own word."""
        self.carry()
        node = f"{self.guest.backend}/rate"
        dom0.call("xenstore-write", node, "100000000,50000")
        self.addCleanup(dom0.call, "xenstore-rm", node)
        dom0.call("xenstore-chmod", node, "n0", f"r{self.guest.domain}",
                  f"b{self.vm.domain}")
        # Its shell is reached by the same vif.
        opened = self.guest.begin(f"ping -c 20 -i 0.3 {self.OTHER}")
        time.sleep(0.5)
        self.vm.ask(f"xenstore-write {node} 0,50000")
        # Its neighbour goes on.
        self.assertIn(" 0% packet loss", self.neighbour.ask(
            f"ping -c 4 -i 0.3 {self.OTHER}"))
        self.vm.ask(f"xenstore-write {node} 100000000,50000")
        said = self.guest.finish(opened)
        # A guest that waits drops some of its own when all is slow.
        self.assertGreaterEqual(said.count("bytes from"), 18, said)
        longest_ms = max(map(float, re.findall(r"time=([\d.]+)", said)))
        # And that is all that the VM may write.
        for path in (f"{self.neighbour.backend}/rate",
                     f"{self.guest.backend}/mac", f"{self.guest.backend}/ip"):
            before = store_value(path)
            self.vm.ask(f"xenstore-write {path} written 2>&1")
            self.assertEqual(store_value(path), before, path)
        print(f"paused for {longest_ms:.0f} ms", flush=True)
        self.assertGreater(longest_ms, 1000)

    def restart(self):
        """The judge, beside a flood and two conversations: what became of one
        that it judges, of that before, and of one that nobody does."""
        self.outside_runs("probe", "answer", self.OTHER, extension.PROBE_PORT)
        here = subprocess.Popen(
            [f"{bed.BUILD}/tests/xen/probe", "answer", dom0.HOST,
             str(extension.PROBE_PORT)], stdout=subprocess.DEVNULL)
        self.addCleanup(here.wait)
        self.addCleanup(here.kill)
        self.listen(9000)
        flood = self.guest.flood(dom0.OUTSIDE, 9000, 1200, RATE_PKTS_PER_S, 12)
        self.assertTrue(lab.eventually(lambda: re.search(
            f"{self.guest.address} +{dom0.OUTSIDE} ",
            self.vm.symtapctl("top --once --scope pair")), 20), self.vm.log())
        before = self.vm.conversation(self.guest, self.OTHER, 2)
        free = self.vm.begin_conversation(self.guest, dom0.HOST, 6)
        told = self.vm.restarted_beside(self.guest, self.OTHER)
        free = self.vm.conversed(self.guest, free)
        self.guest.flooded(flood)
        print(f"judge killed: {told}, before {before}, nobody's {free}",
              flush=True)
        self.assertIn("the judge is gone", self.said())
        return told, before, free

    def test_the_judge_is_restarted_beside_traffic(self):
        """Conversations go on within a second, and who was held is known."""
        self.carry()
        told, before, free = self.restart()
        kept = [int(count) for count in re.findall(
            r"(\d+) keys taken up", self.vm.log())]
        # As slow as this machine is by itself.
        self.assertLess(told["stall_ms"],
                        1000 + before["stall_ms"] + free["stall_ms"])
        self.assertEqual(told["lost"], 0)
        self.assertGreater(max(kept), 0)

    def test_closed_nothing_passes_without_a_judge(self):
        """And everything does when he is back."""
        self.carry("--fail", "closed", without="")
        told, _, free = self.restart()
        self.assertGreater(told["lost"], 5)
        self.assertEqual(free["lost"], 0)
        self.assertEqual(0, self.vm.conversation(self.guest, self.OTHER,
                                                 2)["lost"])

    def test_what_waits_goes_on_when_the_extension_dies(self):
        """The last of these tests."""
        self.carry()
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
