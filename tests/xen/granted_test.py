#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An extension VM that judges what it is shown on granted pages, or is granted
one vif's rate."""

import re
import subprocess
import unittest

import bed
import carried
import dom0
import extension
import traffic
from bed import store_value

RATE_PKTS_PER_S = 20  # what waits leaves places in the ring


def is_echo(frame):
    return frame[12:14] == b"\x08\0" and frame[23] == 1


class Granted(carried.Case):
    """dom0 is the guest's backend, and symtap-tap there has no say: over a ring
    of its pages the extension VM has."""

    OTHER = "10.0.1.222"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vm = extension.Extension(
            extension.POLICY.replace("bridge: true", "bridge: false"),
            "judge=0", driver=0)
        cls.addClassCleanup(cls.vm.end)
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
        tap = traffic.Tap(self.host.outside, "eth0", is_echo)
        # So slowly that the judge sees no harm in what is not answered.
        opened = self.guest.begin(f"ping -c 99 -i 1 {self.OTHER}")
        self.assertTrue(tap.receive(60, 1))
        self.vm.ask(f"xenstore-write {node} 0,50000")
        # Its neighbour goes on.
        self.assertIn(" 0% packet loss", self.neighbour.ask(
            f"ping -c 10 -i 0.3 {self.OTHER}"))
        self.vm.ask(f"xenstore-write {node} 100000000,50000")
        # Behind all that waited.
        self.guest.ask("killall -INT ping")
        said = self.guest.finish(opened)
        sent = int(re.search(r"(\d+) packets transmitted", said)[1])
        self.assertGreaterEqual(said.count("bytes from"), sent - 2, said)
        # And that is all that the VM may write.
        for path in (f"{self.neighbour.backend}/rate",
                     f"{self.guest.backend}/mac", f"{self.guest.backend}/ip"):
            before = store_value(path)
            self.vm.ask(f"xenstore-write {path} written 2>&1")
            self.assertEqual(store_value(path), before, path)
        print(f"paused for {extension.longest_s(said):.1f} s", flush=True)
        self.assertGreater(extension.longest_s(said), 1)

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
        flood = self.guest.flood(dom0.OUTSIDE, 9000, 1200, RATE_PKTS_PER_S,
                                 200)
        self.addCleanup(self.guest.end_floods, flood)
        extension.await_row(self.vm, "pair",
                            f"{self.guest.address} +{dom0.OUTSIDE} ")
        before = self.vm.conversation(self.guest, self.OTHER, 2)
        free = self.vm.begin_conversation(self.guest, dom0.HOST, 6,
                                          extension.PROBES_MAX)
        told = self.vm.restarted_beside(self.guest, self.OTHER)
        free = self.vm.conversed(self.guest, free)
        self.assertTrue(self.says("the judge is there", times=2), self.said())
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
        self.assertLess(told["stall_ms"], 1000 * self.as_slow(1)
                        + before["stall_ms"] + free["stall_ms"])
        self.assertEqual(told["lost"], 0)
        self.assertGreater(max(kept), 0)

    def test_closed_nothing_passes_without_a_judge(self):
        """And everything does when he is back."""
        self.carry("--fail", "closed", without="")
        told, _, free = self.restart()
        self.assertGreater(told["lost"], 5)
        self.assertEqual(free["lost"], 0)
        self.assertEqual(0, self.vm.patient_conversation(
            self.guest, self.OTHER, 2)["lost"])

    def test_what_waits_goes_on_when_the_extension_dies(self):
        """The last of these tests."""
        self.carry()
        idle = self.guest.ask(f"ping -c 8 -i 0.3 {self.OTHER}")
        flood = self.begin_flood(self.guest, 1200, 6)
        extension.await_row(self.vm, "pair",
                            f"{self.guest.address} +{dom0.OUTSIDE} +[34]")
        other = self.guest.ask(f"ping -c 8 -i 0.3 -s 1000 {self.OTHER}")
        flood.look(3)
        self.assertEqual(self.said().count("the judge is gone"), 0,
                         self.said() + self.vm.log())
        early, per_s = extension.pace(flood.arrived)
        held = len(flood.arrived)
        pending = self.guest.ring()
        gone = self.vm.destroy()
        self.assertTrue(self.says("the judge is gone"))
        told = flood.rest()
        print(f"{early} in the first second, then {per_s:.1f} packets/s, "
              f"{pending} slots held; destroyed in {gone:.1f} s, then "
              f"{len(flood.arrived) - held} came; {told}; ping "
              f"{extension.round_trip(idle)}, beside it "
              f"{extension.round_trip(other)}", flush=True)
        self.carrier.terminate()
        self.carrier.wait()
        # If the first came late, some of the next second came beside it.
        self.assertLessEqual(early, bed.FIRST_SECOND + bed.LATER_SECONDS *
                             extension.longest_s(idle + other), self.said())
        self.assertLessEqual(per_s, bed.LATER_SECONDS)
        self.assertGreaterEqual(other.count("bytes from"), 6, other)
        self.assertGreater(pending, 10)
        self.assertEqual(traffic.numbers(flood.arrived),
                         list(range(told["sent"])))


if __name__ == "__main__":
    unittest.main(verbosity=2)
