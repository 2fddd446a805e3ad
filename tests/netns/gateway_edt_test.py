#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hold: edt, where the outgoing interface has fq: the kernel itself delays.
Where there is no fq, it is refused."""

import subprocess
import time

import gateway_bed as bed
import lab
import symtapd
import traffic

POLICY = {"datapath": "{nfqueue: {queues: 1}, fast: {interfaces: [lan0, lan1],"
                      " keys: 16384, hold: edt}}"}

# Under emulation the kernel takes long to look at the whole program.
symtapd.START_SECONDS = 60


class Edt(bed.Case):

    def has_fq(self):
        return subprocess.run(
            self.net.gateway.argv("tc", "qdisc", "replace", "dev", "wan0",
                                  "root", "fq"),
            stderr=subprocess.DEVNULL, check=False).returncode == 0

    def tearDown(self):
        subprocess.run(self.net.gateway.argv("tc", "qdisc", "del", "dev",
                                             "wan0", "root"),
                       stderr=subprocess.DEVNULL, check=False)
        super().tearDown()

    def test_without_fq_it_is_refused(self):
        with self.assertRaises(symtapd.SymtapdError):
            self.symtapd.start(**POLICY)
        self.assertIn("wan0 has ", self.symtapd.log())
        self.assertIn("tc qdisc replace dev wan0 root fq", self.symtapd.log())

    def test_when_answers_end_the_kernel_delays(self):
        if not self.has_fq():
            self.skipTest("this kernel has no fq")
        self.start(**POLICY)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        talk = self.talk(seconds=7)
        before = self.symtapd.counters()
        begin, sent, arrived = time.monotonic(), 0, []
        while (past := time.monotonic() - begin) < 7:
            source.sendto(traffic.numbered(sent), (lab.OUTSIDE, 9))
            sent += 1
            came = ear.receive(0.01)
            arrived += came
            if past < 3:
                for each in came:
                    ear.answer(each)
        told = self.symtapd.settled()
        self.check_whole(talk.finish())
        waited = told["edt_waited_pkts"] - before["edt_waited_pkts"]
        self.assertGreater(waited, 8)
        self.assertEqual(told["waited_pkts"], before["waited_pkts"])
        numbers = traffic.numbers(arrived)
        self.assertEqual(numbers, sorted(numbers))
        late = [each.at - arrived[0].at for each in arrived
                if each.at > arrived[0].at + 4.5]
        print(f"{waited} got a time, {told['edt_full_pkts']} dropped; later:",
              " ".join(f"{each:.3f}" for each in late))
        self.assertLess(len(late), 28)
        self.assertGreater(len(late), 12)


if __name__ == "__main__":
    bed.main()
