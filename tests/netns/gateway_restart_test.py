#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reloaded, restarted or killed: conforming packets go on, floods do not."""

import shutil
import signal
import time

import gateway_bed as bed
import lab
import symtapd
import traffic

SLOW_S = 1.5


class Restart(bed.Case):

    def load(self):
        """50,000 packets a second, answers included."""
        return self.talk(pkts_per_s=3000 if self.is_slow else 25000,
                         seconds=bed.LONG)

    def flood(self, pkts_per_s=1000):
        """And one that is held, from another host."""
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        blast = traffic.Blast(self.net.host, "eth0", self.flood_frame(),
                              bed.BUILD, seconds=bed.LONG,
                              pkts_per_s=pkts_per_s)
        return ear, blast

    @staticmethod
    def wait_until(at):
        """By the wall's clock, as packets are stamped."""
        time.sleep(max(0, at - time.time()))

    @staticmethod
    def between(arrived, begin, end):
        return [each for each in arrived if begin <= each.at < end]

    def reload_often(self):
        for count in range(8):
            self.symtapd.write_policy(
                multicast=f"{{packets_per_s: {1000 + count}}}")
            before = self.symtapd.ask("status")["policy"]["reloads"]
            if count % 2:
                self.symtapd.ctl("reload")
            else:
                self.symtapd.process.send_signal(signal.SIGHUP)
            self.assertTrue(lab.eventually(
                lambda past=before: self.symtapd.ask("status")["policy"]
                ["reloads"] > past))
            time.sleep(0.3)

    def test_reload_under_load_loses_nothing_and_forgets_nothing(self):
        self.start()
        ear, blast = self.flood()
        begin = time.time()
        talk = self.load()
        self.reload_often()
        self.wait_until(begin + 4)
        talked = talk.end()
        blast.end()
        self.check_whole(talked)
        arrived = ear.receive(0.1)
        print(f"{talked['sent'] / talked['seconds'] * 2:.0f} packets/s, "
              f"none lost in 8 reloads; longest silence "
              f"{talked['silence_ms']:.1f} ms")
        self.check_figures(arrived, 4)
        # Who is not read in time goes on (fail: open).
        if self.symtapd.settled()["missed_pkts"] == 0:
            self.check_no_burst([each.at for each in arrived[4:]])

    def test_reload_under_a_flood_at_full_rate(self):
        """What finds the queue full for a moment goes on (fail: open)."""
        self.start()
        ear, blast = self.flood(pkts_per_s=0)
        talk = self.load()
        self.reload_often()
        talked, blasted = talk.end(), blast.end()
        if self.is_busy():
            # The queue overflows while nobody runs, and order is lost.
            self.assertGreater(talked["answered"], 0.9 * talked["sent"])
        else:
            self.check_whole(talked)
        let_out = len(ear.receive(0.1))
        print(f"{let_out} of {blasted['sent']} let out in 8 reloads")
        self.assertLess(let_out, bed.FIRST_SECOND + 10 * blasted["seconds"] +
                        blasted["sent"] / 1000)

    def test_policy_that_is_not_good_is_refused_whole(self):
        self.start()
        self.symtapd.write_policy(limiter="{threshold: 9.0, windw: 2s}",
                                  mode="shadow")
        with self.assertRaisesRegex(symtapd.SymtapdError, "no"):
            self.symtapd.reload()
        self.assertIn("windw", self.symtapd.log())
        status = self.symtapd.ask("status")
        self.assertEqual((status["mode"], status["policy"]["reloads"],
                          status["policy"]["reloads_refused"]),
                         ("enforce", 0, 1))
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        _, arrived = traffic.flood(traffic.sender(self.net.host, lab.GUARDED),
                                   (lab.OUTSIDE, 9), ear, 0.9)
        self.check_figures(arrived, 0.9)

    def test_memory_is_as_it_was_until_a_restart(self):
        """Also as a bound, and each reload says so."""
        limits = "{{pairs: 20000, flows: 20000, hosts: 1024, held_packets: {}}}"
        self.start(limits=limits.format(2000))
        self.symtapd.write_policy(limits=limits.format(16))
        for _ in range(2):
            self.assertIn("until a restart: limits that reserve memory",
                          self.symtapd.reload()["reloaded"])
        traffic.flood(traffic.sender(self.net.host, lab.GUARDED),
                      (lab.OUTSIDE, 9),
                      traffic.Receiver(self.net.outside, lab.OUTSIDE, 9), 0.2)
        self.assertEqual(self.symtapd.settled()["dropped_bound"], 0)

    def test_restart_under_load_loses_nothing_conforming(self):
        # Nothing is forgotten while it is away, however long a start takes.
        self.start(limiter="{window: 5s}")
        ear, blast = self.flood()
        talk = self.load()
        time.sleep(1)
        spans = []
        for _ in range(3):
            stopped = time.time()
            self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
            self.symtapd.restart()
            spans.append((stopped, time.time()))
            time.sleep(0.7)
        talked = talk.end()
        blast.end()
        # While nobody listens (fail: open), who comes may overtake who waits
        # for the last verdicts: nothing is lost, but order is not promised.
        self.assertEqual((talked["arrived"], talked["answered"]),
                         (talked["sent"], talked["sent"]), talked)
        print(f"{talked['sent'] / talked['seconds'] * 2:.0f} packets/s, none "
              "lost in 3 restarts of " +
              ", ".join(f"{(end - begin) * 1e3:.0f}" for begin, end in spans) +
              f" ms; longest silence {talked['silence_ms']:.1f} ms")
        # Held again at once, without a fresh burst; what passed between is
        # open's price.
        arrived = ear.receive(0.1)
        for _, begin in spans:
            self.check_no_burst([each.at for each in self.between(
                arrived, begin, begin + 0.5)])

    def test_restart_keeps_counters_penalties_and_exemptions(self):
        # Nothing is forgotten while it is away, however long a start takes.
        self.start(limiter="{window: 5s}")
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        self.symtapd.ctl("exempt", lab.NEIGHBOUR, "for", "10m")
        begin = time.monotonic()
        traffic.flood(source, (lab.OUTSIDE, 9), ear, 0.7)
        before = self.symtapd.settled()
        # Not before the next one left, a second after the last.
        time.sleep(max(0, begin + 1.8 - time.monotonic()))
        traffic.flood(source, (lab.OUTSIDE, 9), ear, 0.7)
        self.assertEqual(self.symtapd.stop(), 0)
        ear.take()
        self.symtapd.restart()
        self.assertIn("keys taken up", self.symtapd.log())
        _, arrived = traffic.flood(source, (lab.OUTSIDE, 9), ear, 0.4)
        self.check_no_burst([each.at for each in arrived])
        after = self.symtapd.settled()
        for name in ("out_pkts", "sent_pkts", "waited_pkts", "received_pkts"):
            self.assertGreater(after[name], before[name])
        exempt, = self.symtapd.ask("status")["exemptions"]
        self.assertEqual(exempt["address"], lab.NEIGHBOUR)
        self.assertGreater(exempt["for_s"], 500)

    def test_state_that_makes_no_sense_is_left(self):
        self.start()
        for content in (b"", b"symtap", bytes(5000), b"\xff" * 100000):
            self.assertEqual(self.symtapd.stop(), 0)
            with open(self.symtapd.path("state"), "wb") as file:
                file.write(content)
            self.symtapd.restart()
        self.check_whole(self.talk(seconds=0.3).finish())

    def test_killed_open(self):
        """Conforming packets flow again within 100 ms, and the flood is held
        within a second of the restart."""
        self.start()
        ear, blast = self.flood()
        talk = self.load()
        time.sleep(1)
        self.symtapd.stop(signal.SIGKILL)
        killed = time.time()
        time.sleep(0.5)
        self.symtapd.restart()
        restarted = time.time()
        time.sleep(0.5)
        talked = talk.end()
        self.wait_until(restarted + 2.1)
        blast.end()
        lost = talked["sent"] - talked["answered"]
        print(f"kill -9: {lost} of {talked['sent'] * 2} packets lost, longest "
              f"silence {talked['silence_ms']:.1f} ms, down for "
              f"{(restarted - killed) * 1e3:.0f} ms")
        most_s = 0.1
        if self.is_busy():
            # What waits in the queue goes with it.
            most_s = 0.4 + talked["worst_us"] * 1e-6
        self.assertLess(talked["silence_ms"], most_s * 1000)
        self.assertLess(lost, most_s * talked["sent"] / talked["seconds"])
        arrived = ear.receive(0.1)
        # Unguarded meanwhile, ...
        self.assertGreater(len(self.between(arrived, killed, restarted)),
                           bed.FIRST_SECOND + 40 * (restarted - killed))
        # ... but not for long.
        self.assertLess(len(self.between(arrived, restarted + 1,
                                         restarted + 2)), 13)

    def test_killed_open_nobody_waits_for_a_slow_start(self):
        """Whatever it does before it judges, it does before it has the
        queues."""
        self.start()
        # So few that they all found room.
        talk = self.talk(pkts_per_s=1000, seconds=3.5)
        time.sleep(0.5)
        self.symtapd.stop(signal.SIGKILL)
        begin = time.monotonic()
        self.symtapd.restart(prefix=(
            shutil.which("strace"), "-f", "-D", "-qq", "--seccomp-bpf", "-o",
            "/dev/null", "-e", "trace=seccomp", "-e",
            f"inject=seccomp:delay_enter={int(SLOW_S * 1e6)}:when=1"))
        took = time.monotonic() - begin
        talked = talk.finish()
        print(f"started within {took:.2f} s; longest silence "
              f"{talked['silence_ms']:.1f} ms")
        self.assertGreater(took, SLOW_S)
        self.assertLess(talked["silence_ms"], SLOW_S * 1000 / 2)

    def test_killed_open_nobody_is_judged_by_half_of_it(self):
        """By the former rules packets in pass that the kernel program told
        of, which has ended: they are replaced before packets are judged."""
        self.start()
        talk = self.talk(pkts_per_s=1000, seconds=4.5)
        time.sleep(0.5)
        self.symtapd.stop(signal.SIGKILL)
        self.symtapd.restart(prefix=(
            shutil.which("strace"), "-f", "-D", "-qq", "--seccomp-bpf", "-o",
            "/dev/null", "-e", "trace=clone3", "-e",
            f"inject=clone3:delay_exit={int(SLOW_S * 1e6)}"))
        talked = talk.finish()
        print(f"longest silence {talked['silence_ms']:.1f} ms")
        self.assertLess(talked["silence_ms"], SLOW_S * 1000 / 2)
        # It comes in the middle of a round trip.
        self.assertLess(self.symtapd.settled()["waited_pkts"], 10)

    def check_nothing_passes(self):
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 10)
        source = traffic.sender(self.net.host, lab.GUARDED)
        for number in range(20):
            source.sendto(traffic.numbered(number), (lab.OUTSIDE, 10))
        back = traffic.Receiver(self.net.host, lab.GUARDED, 10)
        source = traffic.sender(self.net.outside, lab.OUTSIDE)
        source.sendto(b"in", (lab.GUARDED, 10))
        self.assertEqual(ear.receive(0.3) + back.take(), [])
        self.hang_up()

    def test_killed_closed(self):
        self.start(fail="closed")
        self.symtapd.stop(signal.SIGKILL)
        self.check_nothing_passes()
        self.symtapd.restart()
        self.check_whole(self.talk(seconds=0.3).finish())
        self.symtapd.stop(signal.SIGKILL)
        self.check_nothing_passes()
        self.symtapd.ctl("uninstall")
        self.check_whole(self.talk(seconds=0.3).finish())

    def test_stopped_closed(self):
        self.start(fail="closed")
        self.assertEqual(self.symtapd.stop(), 0)
        self.check_nothing_passes()
        self.symtapd.ctl("uninstall")
        self.check_whole(self.talk(seconds=0.3).finish())


if __name__ == "__main__":
    bed.main()
