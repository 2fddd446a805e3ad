# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the gateway have in common: a routed network, symtapd in
the middle of it, and the figures that the limiter promises."""

import os
import socket
import sys
import time
import unittest

import frames
import lab
import symtapd
import traffic

sys.dont_write_bytecode = True

BUILD = os.environ.get("SYMTAP_BUILD", "build/release")
# Releases after the burst of four, in milliseconds after the first packet.
RELEASES_MS = (2, 6, 14, 30, 62, 126, 254, 510, 1022)
BURST = 4
LONG = 60  # seconds of what is ended sooner
FIRST_SECOND = 12
EARLY_MS = 0.7  # on its way for longer than the rest; not all tell
LATE_MS = 50
BUSY_EARLY_MS, BUSY_LATE_MS = 20, 400
STOLEN = 0.02  # seconds a second
# Enough for a flood to wait in.
ROOM = ("{pairs: 20000, flows: 20000, hosts: 1024, held_packets: 20000, "
        "held_packets_per_key: 10000, held_packets_per_host: 10000}")


class Case(unittest.TestCase):
    """One network for all tests of a class, one symtapd for each test."""

    FAST = None  # interfaces of the fast path; None: as the run says

    @classmethod
    def setUpClass(cls):
        if cls.FAST is not None:
            cls.addClassCleanup(setattr, symtapd, "FAST", symtapd.FAST)
            symtapd.FAST = cls.FAST
        cls.lab = lab.Lab("gateway")
        try:
            cls.build()
        except BaseException:
            cls.lab.close()
            raise
        # The kernel takes a while to begin with stamping what arrives.
        cls.stamped = traffic.Ear(socket.socket(socket.AF_INET,
                                                socket.SOCK_DGRAM))
        cls.is_slow = symtapd.is_sanitized(BUILD) or "SYMTAP_SLOW" in os.environ

    @classmethod
    def build(cls):
        """The network, which works before there is a symtapd in it."""
        cls.net = lab.Routed(cls.lab)
        for host, addresses in (
                (cls.net.host, (lab.GUARDED, lab.OUTSIDE)),
                (cls.net.neighbour, (lab.NEIGHBOUR, lab.OUTSIDE)),
                (cls.net.host, (lab.GUARDED6, lab.OUTSIDE6)),
                (cls.net.neighbour, (lab.NEIGHBOUR6, lab.OUTSIDE6))):
            cls.check_path(host, cls.net.outside, addresses)

    @classmethod
    def build_crowd(cls):
        """More guarded hosts behind the first, and many addresses outside."""
        for namespace, networks, device, via in (
                (cls.net.host, ("10.20.1.0/24", "10.20.2.0/23"), "lan0", ()),
                (cls.net.outside, ("10.96.0.0/14",), "wan0",
                 ("via", lab.OUTSIDE))):
            for network in networks:
                namespace.route("local", network, "dev", "lo")
                cls.net.gateway.route(network, *via, "dev", device)

    @classmethod
    def check_path(cls, inside, outside, addresses):
        """Neighbours are known from now on, and nothing is lost."""
        talk = traffic.Talk(inside, outside, addresses, BUILD,
                            seconds=0.05).finish()
        if talk["answered"] != talk["sent"]:
            raise RuntimeError(f"the network loses packets: {talk}")

    @classmethod
    def tearDownClass(cls):
        cls.stamped.socket.close()
        cls.lab.close()

    def setUp(self):
        self.begun = time.monotonic(), lab.stolen_seconds()
        self.dropped_before = lab.dropped_before_a_socket()
        self.symtapd = symtapd.Symtapd(self.net.gateway, BUILD)
        self.addCleanup(self.symtapd.close)
        self.before = self.of_the_kernel()

    def tearDown(self):
        self.lab.stop_programs()
        self.hang_up()
        if self.symtapd.is_running():
            self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        if self.symtapd.process is not None:
            self.assertNotIn("Sanitizer", self.symtapd.log())
            self.symtapd.ctl("uninstall")
            self.assertEqual(self.of_the_kernel(), self.before)

    def of_the_kernel(self):
        """What symtapd may change there, and must put back."""
        gateway = self.net.gateway
        return (gateway.run("nft", "list", "ruleset"),
                gateway.run("sysctl", "-a", "--pattern", "^net.bridge"))

    def start(self, **policy):
        if self.symtapd.is_running():
            self.assertEqual(self.symtapd.stop(), 0, self.symtapd.log())
        self.symtapd.start(**policy)
        # What is touched for the first time costs a millisecond.
        self.check_whole(self.talk(seconds=0.02).finish())

    def hang_up(self):
        """Ports are free again."""
        self.lab.close_sockets()

    def talk(self, addresses=(lab.NEIGHBOUR, lab.OUTSIDE), inside=None,
             outside=None, **options):
        return traffic.Talk(inside or self.net.neighbour,
                            outside or self.net.outside, addresses, BUILD,
                            **options)

    def check_fast(self, seconds=0.4, few=30, **options):
        """A conversation stays in the kernel, but for a few packets until it
        is trusted.  A daemon that had no turn for that long trusts the next.
        That one, and what symtapd counted meanwhile."""
        for attempts_left in reversed(range(3)):
            before = self.symtapd.settled()
            talk = self.talk(seconds=seconds, **options).finish()
            self.check_whole(talk)
            told = {name: count - before[name]
                    for name, count in self.symtapd.settled().items()}
            if told["received_pkts"] < few or attempts_left == 0:
                break
        self.assertLess(told["received_pkts"], few)
        self.assertGreater(told["fast_out_pkts"], talk["sent"] - few)
        self.assertGreater(told["fast_in_pkts"], talk["sent"] - few)
        return talk, told

    def check_zone(self, zone):
        """A flood is held and its neighbour is not: both are in this one."""
        self.start(limits=ROOM)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        talk = self.talk(seconds=LONG)
        for number in range(200):
            source.sendto(traffic.numbered(number), (lab.OUTSIDE, 9))
        arrived = ear.receive(1.3)
        self.check_figures(arrived, 1)
        rows = {row["inside"]: row for row in
                self.symtapd.ask("top by=S")["rows"]}
        self.assertEqual({row["zone"] for row in rows.values()}, {zone})
        self.assertLess(rows[lab.NEIGHBOUR]["S_decides"], 0.5)
        self.check_whole(talk.end())

    def crowd(self, **options):
        """Of `build_crowd`."""
        return traffic.Crowd(self.net.host, self.net.outside, BUILD, **options)

    def flood_frame(self, to=lab.OUTSIDE, port=9):
        """For a Blast out of the guarded host."""
        return frames.ethernet(self.net.gateway.mac("lan0"), lab.GUARDED_MAC,
                               0x0800, frames.udp(lab.GUARDED, to, 4000, port,
                                                  bytes(22)))

    def counted_by_the_kernel(self):
        """All that it counted before this call."""
        self.symtapd.a_second_later()
        return self.kernel_counters()

    def kernel_counters(self):
        return {row["name"]: row["packets"] for row in
                self.symtapd.ask("status")["kernel_counters"]}

    def check_whole(self, talk):
        """Nothing was lost, reordered or left without an answer, but for what
        the wires lost themselves in a flood."""
        lost = talk["sent"] - talk["answered"]
        dropped = lab.dropped_before_a_socket() - self.dropped_before
        self.assertIn(lost, range(dropped + 1), talk)
        self.assertTrue(talk["in_order"])

    def check_figures(self, arrivals, seconds):
        """A burst of four, one at each delay, and then about nine a second;
        `arrivals` are what came within `seconds` from the first."""
        after_ms = [(each.at - arrivals[0].at) * 1e3 for each in arrivals]
        # The delays begin when the first is judged, which may be a while
        # before it arrives.
        underway_ms = traffic.underway_s(arrivals[0]) * 1e3
        told = f"{underway_ms:.1f} and then " + " ".join(
            f"{each:.1f}" for each in after_ms[:16])
        early_ms, late_ms = self.margins_ms()
        early_ms += underway_ms
        before, due = 0, 0
        for place, want in enumerate(RELEASES_MS, BURST):
            # One that leaves late has the next leave later, too.
            due = max(want, due + want - before)
            if due >= seconds * 1000 - late_ms:
                break
            self.assertGreater(len(after_ms), place, told)
            self.assertGreater(after_ms[place], want - early_ms, told)
            self.assertLess(after_ms[place], due + late_ms, told)
            before, due = want, after_ms[place]
        if seconds >= 1:
            count = sum(each < 1000 for each in after_ms)
            self.assertLessEqual(abs(count - FIRST_SECOND),
                                 1 if self.is_busy() else 0, told)
        if seconds >= 3:
            later = sum(2000 <= each < seconds * 1000 for each in after_ms)
            # Each that leaves late has the rest leave later, too.
            least_per_s = 5 if self.is_busy() else 7.5
            self.assertGreater(later, least_per_s * (seconds - 2), told)
            # Ten go within half a second, and then none for as long: where a
            # span of seconds begins depends on how late they are.
            more = 4 if self.is_busy() else 1
            self.assertLess(later, 10 * (seconds - 2) + more, told)

    def margins_ms(self):
        """How much too early, and too late, a packet may be."""
        if self.is_busy():
            return BUSY_EARLY_MS, BUSY_LATE_MS
        return EARLY_MS, LATE_MS

    def is_busy(self):
        """Others use the processors, here or beside this machine: packets come
        and go when they may."""
        begun, stolen = self.begun
        return (self.is_slow or os.getloadavg()[0] > 1.5 * os.cpu_count() or
                lab.stolen_seconds() - stolen >
                STOLEN * (time.monotonic() - begun))

    def check_no_burst(self, times):
        """Between two releases at least 2 ms pass, then 4, then 8; a burst is
        there within one.  The first of four may have been on its way for
        longer than the last."""
        least_s = 0.003 if self.is_busy() else 0.007
        for first, fourth in zip(times, times[BURST - 1:]):
            self.assertGreater(fourth - first, least_s)


def main():
    lab.need_root()
    unittest.main(verbosity=2)
