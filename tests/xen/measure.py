# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured of a set-up: a flood, a free guest, and a symtapd that
ends."""

import contextlib
import json
import re
import time

import dom0
import traffic

FLOOD_PORT, PROBE_PORT, STREAM_PORT = 9000, 9002, 9003
LARGE, SMALL, PROBE_BYTES = 1200, 60, 200
MTUS = (1500, 750, 300)
FLOOD_SECONDS, IDLE_SECONDS, STREAM_SECONDS, SMALL_SECONDS = 5, 3, 2, 3
# Of load when what happens has happened, and in all if nothing ends it.
LOAD_SECONDS, LOAD_SECONDS_MAX = 4, 900
PROBES_PER_S, LOAD_PER_S = 50, 100
GONE_SHOWN = 8  # numbers of packets that never arrived
# Slow start takes a few ms more under way for a full queue, and ends.  Where a
# packet takes as long as that anyway, whether it does is chance, and an upload
# has small super-packets from then on, or large ones.
NO_HYSTART = "echo 0 >/sys/module/tcp_cubic/parameters/hystart"


def probe(rate, seconds, size=PROBE_BYTES):
    return f"probe {dom0.OUTSIDE} {PROBE_PORT} {size} {rate} {seconds}"


def stream(seconds):
    return f"stream {dom0.OUTSIDE} {STREAM_PORT} {seconds}"


class Flood:
    """Of a guest, an innocent conversation beside it, and what arrived."""

    def __init__(self, setup, ear, size):
        self.guest, self.ear = setup.guest(), ear
        # Who has no MAC for it yet loses packets by himself.
        for address in (dom0.OUTSIDE, dom0.OUTSIDE2):
            self.guest.ask(f"ping -c 1 {address}")
        self.idle = self.converse(setup, "", IDLE_SECONDS)
        self.own = self.guest.own_drops()
        dropped = setup.dropped()  # by a VM's, of rows before
        self.sender = self.guest.flood(dom0.OUTSIDE2, FLOOD_PORT, size, 0,
                                       FLOOD_SECONDS)
        # Until it is held it takes the guest's processor.
        self.beside = self.converse(setup, "sleep 1;", FLOOD_SECONDS)
        self.dropped = setup.dropped() - dropped

    def converse(self, setup, first, seconds):
        """What it tells, while dom0 looks as often beside nobody as beside a
        flood: that takes its processor."""
        opened = self.guest.begin(
            f"{first} {probe(PROBES_PER_S, IDLE_SECONDS)}")
        self.held, self.slots = [], 0
        for _ in range(seconds):
            self.held += self.ear.receive(1)
            self.slots = max(self.slots, setup.slots())
        return json.loads(self.guest.finish(opened))

    def let_go(self):
        """Nobody holds it any more: all that left the guest arrives."""
        arrived = self.held + self.ear.receive(1.5)
        sent = self.guest.flooded(self.sender)
        arrived += self.ear.receive(0.5)
        gone = sorted({*range(sent["sent"])} - {*traffic.numbers(arrived)})
        missing = len(gone)
        own = min(self.guest.own_drops() - self.own, missing - self.dropped)
        return {**self._figures(), "offered": sent["sent"],
                "send_s": sent["longest_s"], "own": own,
                "lost": missing - self.dropped - own,
                "gone": gone[:GONE_SHOWN]}

    def _figures(self):
        begin = self.held[0].at if self.held else 0
        later = sum(begin + 1 < each.at <= begin + FLOOD_SECONDS
                    for each in self.held)
        idle, beside = self.idle, self.beside
        return {"while_held": len(self.held), "dropped": self.dropped,
                "later_pkts_per_s": later / (FLOOD_SECONDS - 1),
                "slots": self.slots, "idle_p50": idle["p50_ms"],
                "idle_p99": idle["p99_ms"], "p50": beside["p50_ms"],
                "p99": beside["p99_ms"],
                "probe_lost": beside["sent"] - beside["answered"]}


@contextlib.contextmanager
def at_work(setup):
    """Also what comes to nothing is stopped, for the rows behind it."""
    try:
        setup.start()
        yield setup.guest()
    finally:
        setup.stop()


def held(world, setup, size):
    ear = traffic.Receiver(world.host.outside, dom0.OUTSIDE2, FLOOD_PORT)
    with ear.socket:
        with at_work(setup):
            flood = Flood(setup, ear, size)
        return flood.let_go()


class Clock:
    """The hypervisor's own account of dom0, the guest and a VM, in seconds."""

    def __init__(self, setup):
        self.names = {"dom0": "Domain-0", "guest": setup.guest().name}
        if setup.vm:
            self.names["vm"] = setup.vm.name
        self.begin = self._busy()

    def _busy(self):
        listed = {line.split()[0]: float(line.split()[-1])
                  for line in dom0.call("xl", "list").splitlines()[1:]}
        return {which: listed[name] for which, name in self.names.items()}

    def us_for_each(self, pkts):
        return {which: (busy - self.begin[which]) * 1e6 / max(pkts, 1)
                for which, busy in self._busy().items()}


def small_packets(setup, guest):
    """How many go to and fro, and what each costs whom."""
    clock = Clock(setup)
    told = json.loads(guest.ask(probe(0, SMALL_SECONDS, SMALL)))
    cost = clock.us_for_each(2 * told["answered"])
    return {"small_pkts_per_s": told["answered"] / SMALL_SECONDS,
            **{f"us_{which}": us for which, us in cost.items()},
            "us": cost["dom0"] + cost.get("vm", 0)}


def upload(guest, mtu):
    guest.ask(f"{NO_HYSTART}; ip link set eth0 mtu {mtu}")
    told = json.loads(guest.ask(stream(STREAM_SECONDS)))
    return told["bytes"] / told["seconds"]


def noticed(guest, happens, seconds=0):
    """By a conversation and an upload of the guest's, for so many seconds or
    until a while after `happens()`: the longest wait, of a packet or for any,
    and loss."""
    asking = guest.begin(probe(LOAD_PER_S, seconds or LOAD_SECONDS_MAX))
    giving = guest.begin(stream(seconds or LOAD_SECONDS_MAX))
    time.sleep(1)
    at = time.monotonic()
    try:
        did = happens()
        took = time.monotonic() - at
        time.sleep(LOAD_SECONDS)
    finally:
        if not seconds:
            guest.ask("killall probe stream")
    told = json.loads(guest.finish(asking, seconds + 60))
    again = json.loads(guest.finish(giving, seconds + 60))["again"]
    return {"did": did is not False, "took_s": took,
            "stall_ms": max(told["max_ms"], told["silent_ms"]),
            "lost": told["sent"] - told["answered"], "again": again}


def in_kernel(begin, end):
    """Packets that symtapd never saw, of a hundred."""
    seen, passed = (sum(end[f"{kind}{way}_pkts"] - begin[f"{kind}{way}_pkts"]
                        for way in ("out", "in")) for kind in ("", "fast_"))
    return 100 * passed / max(passed + seen, 1)


def free(_, setup):
    """What a guest has that nobody holds."""
    with at_work(setup) as guest:
        begin = setup.counters()
        said = guest.ask(f"ping -c 40 -i 0.05 -q {dom0.OUTSIDE}")
        result = {"rtt_ms": float(re.search(r"= [^/]*/([0-9.]+)/", said)[1])}
        for mtu in MTUS:
            result[f"tcp_{mtu}"] = upload(guest, mtu)
        guest.ask("ip link set eth0 mtu 1500")
        result |= small_packets(setup, guest)
        if begin:
            end = setup.counters()
            result["kernel_pct"] = in_kernel(begin, end)
            # Some are there only once netback was asked.
            change = {name: value - begin.get(name, 0)
                      for name, value in end.items()}
            result["counters"] = {name: value for name, value in
                                  change.items() if value}
        result["killed"] = noticed(guest, setup.kill)
        return result


def anew(setup):
    """While the VM is destroyed and made again."""
    with at_work(setup) as guest:
        return noticed(guest, setup.make_anew, setup.anew_seconds)
