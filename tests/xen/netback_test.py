#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way `netback`: packets of any size wait on the guest's ring, in a netback
that has a hook."""

import errno
import json
import math
import pathlib
import re
import signal
import time
import unittest

import bed
import dom0
import flood_test
import forged_test
import frames
import lab
import netguard
import slots_test
import traffic

MODULES = pathlib.Path(bed.BUILD, "netback/built")
NETBACK = bed.Way("netback", small=True, selective=True)
SLOTS, FULL_SLOTS = 200, 180
SMALL, LARGE = 60, 1200
REWRITTEN = 40
SCANNED, CONTACTS_PER_S, TARGET_AT = 50, 20, 33
BURST, BURST_S = 35, 0.7
SHIPPED_FIRST_SECOND = 64
# What may leave a second later arrives sooner if the first are late.
SECOND_S = 0.7
JUDGED = 14 + 20 + 8  # bytes of headers


def is_rewritten(frame):
    return frame[12:14] == b"\x08\0" and frame[36:38] == (9013).to_bytes(2, "big")


def is_of_scan(frame):
    return frame[12:14] == b"\x08\0" and frame[30:33] == b"\xc6\x12\0"


def most_within(times, seconds):
    return max(sum(begin <= at < begin + seconds for at in times)
               for begin in times)


def is_loaded():
    return pathlib.Path("/sys/module/symtap_netback").exists()


def destroy_all():
    pool = bed.guests.Pool()
    for guest in list(pool.all.values()):
        pool.destroy(guest)
        vif = pathlib.Path("/sys/class/net", guest.vif)
        lab.eventually(lambda path=vif: not path.exists(), 60)


def load():
    """Ours in the place of the distribution's."""
    destroy_all()
    dom0.call("rmmod", "xen-netback")
    dom0.call("insmod", str(MODULES / "xen-netback/xen-netback.ko"),
              f"max_queues={dom0.QUEUES_MAX}")
    load_guard()


def load_guard():
    dom0.call("insmod", str(MODULES / "symtap_netback.ko"))


def tearDownModule():
    """For the subjects behind this one."""
    if is_loaded():
        destroy_all()
        dom0.call("rmmod", "symtap_netback", "xen-netback")
        dom0.call("modprobe", "xen-netback", f"max_queues={dom0.QUEUES_MAX}")


def receive_rounds():
    """How often the kernel looked for packets, on all processors."""
    text = pathlib.Path("/proc/softirqs").read_text(encoding="ascii")
    line = re.search("NET_RX:(.*)", text)[1]
    return sum(map(int, line.split()))


class Hooked(bed.Case):
    way = NETBACK

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not is_loaded():
            load()
            cls.pool = bed.guests.Pool()


class Ring(Hooked):
    """The guard alone, told by the test what to do."""

    def setUp(self):
        super().setUp()
        self.guest, self.other = self.pool.take(1, 2)
        self.netguard = netguard.Netguard()
        self.addCleanup(self.netguard.close)

    def guard(self, guest, **changes):
        self.netguard.set(guest.vif, mac=guest.mac,
                          prefixes=[f"{guest.address}/32",
                                    f"{guest.address6}/128"], **changes)
        self.addCleanup(self.unguard, guest)

    def unguard(self, guest):
        try:
            self.netguard.unset(guest.vif)
        except OSError:
            pass  # as the test has already, or the vif is gone

    def counters(self):
        return self.netguard.counters(self.guest.vif)

    def test_a_full_ring_waits_in_order_and_asleep(self):
        self.guard(self.guest)
        flood = self.begin_flood(self.guest, SMALL, 4, port=9010)
        self.assertTrue(lab.eventually(
            lambda: self.guest.ring() > FULL_SLOTS, 60), self.guest.ring())
        flood.look(1)
        rounds, began = receive_rounds(), time.monotonic()
        flood.look(2)
        a_second = ((receive_rounds() - rounds) /
                    (time.monotonic() - began))
        slots, counters = self.guest.ring(), self.counters()
        begin = flood.arrived[0].at
        later = sum(each.at > begin + 1 for each in flood.arrived)
        seconds = math.ceil(flood.arrived[-1].at - begin)
        seen = len(flood.arrived) + counters["waiting_pkts"]
        self.netguard.unset(self.guest.vif)
        told = flood.told()
        flood.arrived += flood.ear.receive(bed.REST_SECONDS,
                                           seen - len(flood.arrived))
        flood.look(0.1)
        print(f"{slots} slots held, {a_second:.0f} rounds a second, {later} "
              f"packets after the first second, sent {told['sent']}, arrived "
              f"{len(flood.arrived)}, send() took {told['longest_s']} s")
        self.assertGreater(slots, FULL_SLOTS)
        self.assertLessEqual(slots, SLOTS)
        self.assertLess(a_second, 200)
        self.assertLessEqual(later, bed.LATER_SECONDS * seconds)
        self.assertGreater(told["longest_s"], 0.9)
        # What its own queue drops, the guest drops behind them.
        self.assertGreater(seen, FULL_SLOTS)
        self.assertEqual(traffic.numbers(flood.arrived)[:seen],
                         list(range(seen)))

    def test_a_key_that_sheds_leaves_the_ring_to_others(self):
        self.guard(self.guest, slots_per_key=40)
        flood = self.begin_flood(self.guest, SMALL, 3, port=9011)
        said = self.guest.ask(f"ping -c 10 -i 0.1 {dom0.HOST}")
        self.assertTrue(lab.eventually(
            lambda: self.counters()["shed_pkts"] > 100, 60), self.counters())
        slots, counters = self.guest.ring(), self.counters()
        print(f"{slots} slots held, {counters['shed_pkts']} shed, "
              f"{re.search('round-trip.*', said)[0]}")
        self.assertIn(" 0% packet loss", said)
        self.assertLessEqual(slots, 60)
        flood.told()

    def test_forged_frames_end_on_the_ring(self):
        self.guest = self.pool.take(forged_test.NUMBER, ips=(forged_test.OWN,
                                                             forged_test.OWN6))
        self.guard(self.guest, scopes=0)
        wanted = [*forged_test.FORGED.values(), *forged_test.HONEST.values()]
        tap = traffic.Tap(self.host.outside, "eth0",
                          lambda frame: frame in wanted)
        self.guest.ask("; ".join(f"frame eth0 1 {frame.hex()}"
                                 for frame in wanted))
        arrived = {arrival.data for arrival in
                   tap.receive(60, count=len(forged_test.HONEST))}
        arrived |= {arrival.data for arrival in tap.take()}
        self.assertEqual([], [name for name, frame
                              in forged_test.FORGED.items()
                              if frame in arrived])
        self.assertEqual([], [name for name, frame
                              in forged_test.HONEST.items()
                              if frame not in arrived])
        counters = self.counters()
        self.assertEqual(len(forged_test.FORGED), sum(
            counters[name] for name in counters if "forged" in name))

    def test_an_upload_is_not_held(self):
        port = flood_test.STREAM_PORT
        self.guard(self.guest, **netguard.SHIPPED)
        self.outside_runs("stream", "take", dom0.OUTSIDE, port)
        told = json.loads(self.guest.ask(f"stream {dom0.OUTSIDE} {port} 2"))
        counters = self.counters()
        print(f"upload of {told['bytes'] / told['seconds'] / 1e6:.1f} MB/s, "
              f"{told['again']} sent again, {counters['withheld_pkts']} of "
              f"{counters['asked_pkts']} waited")
        self.assertEqual(told["again"], 0)
        self.assertLess(counters["withheld_pkts"],
                        counters["asked_pkts"] / 100)

    def test_a_first_burst_is_not_held_and_a_flood_is(self):
        """Neither is answered: nobody could have, in the first second."""
        for address in (dom0.OUTSIDE, dom0.OUTSIDE2):
            self.guest.ask(f"ping -c 1 {address}")
        self.guard(self.guest, **netguard.SHIPPED)
        burst = bed.Flood(self.guest, self.listen(9020, dom0.OUTSIDE2), SMALL,
                          BURST_S, pkts_per_s=BURST / BURST_S)
        self.addCleanup(burst.sender.close)
        told, counters = burst.rest(), self.counters()
        self.assertEqual(len(burst.arrived), told["sent"])
        self.assertGreaterEqual(told["sent"], BURST / 2)
        self.assertEqual(counters["withheld_pkts"], 0)
        flood = bed.Flood(self.guest, self.listen(9021), SMALL, 3)
        self.addCleanup(flood.sender.close)
        flood.look(4)
        begin = flood.arrived[0].at
        first = sum(each.at < begin + SECOND_S for each in flood.arrived)
        later = [each.at for each in flood.arrived if each.at > begin + 1]
        counters = self.counters()
        print(f"a burst of {told['sent']} not held; of a flood {first} in the "
              f"first second, {most_within(later, SECOND_S)} in any later one; "
              f"{counters['floor_pkts']} below the floor, "
              f"{counters['paid_pkts']} paid for")
        self.assertLessEqual(first, SHIPPED_FIRST_SECOND)
        self.assertGreater(first, BURST)
        self.assertLessEqual(most_within(later, SECOND_S), bed.LATER_SECONDS)
        flood.told()

    def test_a_scan_is_held_to_its_pace(self):
        self.guard(self.guest, **netguard.SHIPPED)
        tap = traffic.Tap(self.host.outside, "eth0", is_of_scan)
        first = forged_test.ip(frames.udp(self.guest.address, "198.18.0.1", 1,
                                          9), self.guest.mac)
        self.guest.ask(f"frame eth0 {SCANNED} {first.hex()} {TARGET_AT}")
        times = [arrival.at for arrival in tap.receive(60, count=SCANNED)]
        counters = self.counters()
        print(f"{len(times)} first contacts within "
              f"{times[-1] - times[0]:.1f} s, at most "
              f"{most_within(times, SECOND_S)} in a second; "
              f"{counters['paced_contact_pkts']} had to wait")
        self.assertEqual(SCANNED, len(times))
        self.assertLessEqual(most_within(times, SECOND_S), CONTACTS_PER_S)
        self.assertGreater(counters["paced_contact_pkts"], 0)

    def test_another_version_is_refused(self):
        message = self.netguard.ask
        for version in (0, netguard.VERSION + 1):
            with self.assertRaises(OSError) as refused:
                message(self.netguard.family, netguard.GET,
                        netguard.interface(self.guest.vif), version)
            self.assertEqual(errno.EPROTONOSUPPORT, refused.exception.errno)

    def test_what_was_judged_is_what_leaves(self):
        """Although the guest writes another packet over it meanwhile."""
        own = [forged_test.ip(frames.udp(source, dom0.OUTSIDE, 9, 9013,
                                         data * 900), self.guest.mac)
               for source, data in ((self.guest.address, b"a"),
                                    (self.other.address, b"b"))]
        self.guard(self.guest)
        tap = traffic.Tap(self.host.outside, "eth0", is_rewritten)
        opened = self.guest.begin(
            f"rewrite eth0 {REWRITTEN} {own[0].hex()} {own[1].hex()}")
        self.addCleanup(opened.close)
        arrived = tap.receive(2)  # at ten a second
        counters = self.counters()
        waited = counters["waiting_pkts"]
        self.netguard.unset(self.guest.vif)
        arrived += tap.receive(60, count=REWRITTEN - len(arrived))
        said = self.guest.finish(opened)
        self.assertIn("sent", said)
        later = sum(each.data[-1:] == b"b" for each in arrived)
        print(f"{len(arrived)} left, {waited} of them at the end, {later} "
              "with what was written later behind their headers")
        self.assertEqual(REWRITTEN, len(arrived))
        self.assertGreater(waited, 0)
        self.assertGreater(later, 0)
        self.assertEqual({own[0][:JUDGED]},
                         {each.data[:JUDGED] for each in arrived})

    def test_what_is_withheld_goes_with_its_vif(self):
        self.guest = self.pool.take(forged_test.NUMBER, ips=(forged_test.OWN,
                                                             forged_test.OWN6))
        self.guard(self.guest)
        flood = self.begin_flood(self.guest, LARGE, 2, port=9012)
        self.assertTrue(lab.eventually(
            lambda: self.guest.ring() > bed.WAITING_SLOTS, 60))
        flood.look(0.5)
        held = self.guest.ring()
        took = self.pool.destroy(self.guest)
        rest = flood.ear.receive(20, held)
        print(f"{held} slots were held, destroyed within {took:.1f} s, "
              f"{len(rest)} packets left then")
        self.assertGreaterEqual(len(rest), held)
        self.assertTrue(lab.eventually(lambda: not pathlib.Path(
            "/sys/class/net", self.guest.vif).exists(), 60))
        # What is left of a domain whose pages somebody has.
        self.has_no_zombie()

    def test_without_a_guard_it_is_as_it_was(self):
        self.assertIn(" 0% packet loss", self.other.ask(
            f"ping -c 3 -i 0.1 {dom0.OUTSIDE}"))
        counted = re.findall(r"tx_hook_\w+: (\d+)",
                             dom0.call("ethtool", "-S", self.other.vif))
        self.assertEqual(["0"] * 3, counted)


# And as symtapd tells it.

class Flood(Hooked, flood_test.Flood_queue):
    way = NETBACK

    test_small_packets_are_held_as_well = None  # Ring has it


class Shipped(Hooked):
    """The policy as it comes."""

    def setUp(self):
        super().setUp()
        self.guest = self.pool.take(1)
        for address in (dom0.OUTSIDE, dom0.OUTSIDE2):
            self.guest.ask(f"ping -c 1 {address}")
        self.start(self.guest, shipped=True)

    def withheld(self):
        return int(re.search(r"tx_hook_withheld: (\d+)", dom0.call(
            "ethtool", "-S", self.guest.vif))[1])

    def test_an_upload_is_not_held_and_a_flood_is(self):
        port = flood_test.STREAM_PORT
        before = self.withheld()
        self.outside_runs("stream", "take", dom0.OUTSIDE, port)
        told = json.loads(self.guest.ask(f"stream {dom0.OUTSIDE} {port} 2"))
        uploaded = self.withheld() - before
        # It is judged once.
        self.assertLess(self.symtapd.settled()["received_pkts"], 20)
        flood = bed.Flood(self.guest, self.listen(9022, dom0.OUTSIDE2), LARGE,
                          3)
        self.addCleanup(flood.sender.close)
        flood.look(4)
        begin = flood.arrived[0].at
        first = sum(each.at < begin + SECOND_S for each in flood.arrived)
        later = [each.at for each in flood.arrived if each.at > begin + 1]
        print(f"upload of {told['bytes'] / told['seconds'] / 1e6:.1f} MB/s, "
              f"{uploaded} packets waited; of a flood {first} in the first "
              f"second, {most_within(later, SECOND_S)} in any later one")
        self.assertEqual(uploaded, 0)
        self.assertLessEqual(first, SHIPPED_FIRST_SECOND)
        self.assertGreater(first, BURST)
        self.assertLessEqual(most_within(later, SECOND_S), bed.LATER_SECONDS)


class Forged(Hooked, forged_test.Forged):

    def test_nothing_forged_leaves_where_the_module_is_gone(self):
        """Before symtapd has seen that, and from then on."""
        self.assertNotIn("chain early", dom0.call(
            "nft", "list", "table", "bridge", "symtap"))
        self.symtapd.process.send_signal(signal.SIGSTOP)
        try:
            dom0.call("rmmod", "symtap_netback")
            self.addCleanup(lambda: is_loaded() or load_guard())
            self.only_its_own_leaves()
        finally:
            self.symtapd.process.send_signal(signal.SIGCONT)
        self.until("has no hook of symtap's")
        self.assertIn("chain early", dom0.call(
            "nft", "list", "table", "bridge", "symtap"))
        self.only_its_own_leaves()
        load_guard()
        self.until(self.guest.guarded, times=2)
        self.only_its_own_leaves()


class ForgedAlone(Hooked, forged_test.Forged):
    """Where netback judges by itself nothing else has to stop them."""

    bridge = False

    def setUp(self):
        dom0.show_frames_to_ip_rules(False)
        self.addCleanup(dom0.show_frames_to_ip_rules, True)
        super().setUp()
        self.assertNotIn("bridge symtap", dom0.call("nft", "list", "tables"))


class Queues(Hooked, flood_test.Queues_queue):
    way = NETBACK


class Tapped(Hooked, flood_test.Tapped_queue):
    way = NETBACK


class Rate(Hooked, slots_test.Rate):
    way = NETBACK
    # Who waits has places in the ring, so that the guest itself drops none.
    OFFERED_PER_S = 90

    def waited(self):
        opened = netguard.Netguard()
        self.addCleanup(opened.close)
        return opened.counters(self.guest.vif)["withheld_pkts"]


class Slots(Hooked, slots_test.Share):
    """A socket as it comes has more small packets on its way than the ring
    has places, so that all who send behind it wait; this one has fewer than
    its vif may have withheld."""

    ROOM = 145920

    def test_who_is_innocent_goes_on_below_the_bound(self):
        self.start(self.guest, self.other)
        self.room(self.guest, self.ROOM)
        self.addCleanup(self.room, self.guest, slots_test.ROOM_BY_ITSELF)
        idle = self.idle(self.guest)
        flood = self.begin_flood(self.guest, SMALL, 6)
        self.assertTrue(lab.eventually(
            lambda: self.guest.ring() > slots_test.MANY, 60))
        watch = slots_test.Watch(self.guest)
        watch.start()
        told = slots_test.Innocent(self.guest, slots_test.ECHO_PORT, 3).told()
        slots, most = watch.told()
        print(f"idle p50 {idle['p50_ms']} p99 {idle['p99_ms']} ms; beside "
              f"{slots} slots of small packets p50 {told['p50_ms']} p99 "
              f"{told['p99_ms']} ms, {told['sent'] - told['answered']} lost")
        self.assertGreater(slots, slots_test.MANY)
        self.assertLess(most, slots_test.PER_VIF)
        self.assertEqual(told["answered"], told["sent"])
        self.assertEqual(self.symtapd.stop(), 0)
        self.assertEqual(list(range(flood.rest()["sent"])),
                         traffic.numbers(flood.arrived))


if __name__ == "__main__":
    unittest.main(verbosity=2)
