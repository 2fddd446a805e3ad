#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each way beside stock, on a real Xen: runs in dom0, see run --full.

One guest sends to two hosts beyond the bridge.  In every round each set-up has
its turn, so what the machine does meanwhile happens to all.
"""

import argparse
import json
import re
import signal
import sys
import time

import bed
import dom0
import extension
import figures
import guests
import lab
import symtapd
import traffic

FLOOD_PORT, PROBE_PORT, STREAM_PORT = 9000, 9002, 9003
LARGE, SMALL, PROBE_BYTES = 1200, 60, 200
MTUS = (1500, 750, 300)
FLOOD_SECONDS, PROBE_SECONDS, STREAM_SECONDS = 5, 3, 3
RING_MODULES = ("ifb", "sch_htb", "sch_tbf", "sch_ingress", "cls_u32",
                "act_mirred")
RESULT = dom0.JOB / "compare.json"


class Setup:
    """Stock: a guest, its backend, and nothing of ours."""

    name = "stock"

    def __init__(self, world):
        self.world = world

    def guest(self):
        return self.world.pool.take(1)

    def start(self):
        """The guest is guarded when this returns."""

    def stop(self):
        """And is not any more."""

    def dropped(self):
        """By us, and counted."""
        return 0

    def restart(self):
        """What a service manager does; False: there is nothing to restart."""
        return False


class Ours(Setup):
    """symtapd in dom0, with one of the ways."""

    def __init__(self, world, way):
        super().__init__(world)
        self.way, self.name, self.daemon = way, way.name, None

    def start(self):
        guest = self.guest()
        self.daemon = symtapd.Symtapd(self.world.host, bed.BUILD)
        self.daemon.start(bridge=True, shipped=True,
                          **bed.policy_of(self.way))
        if not lab.eventually(lambda: guest.guarded in self.daemon.log(), 20):
            raise RuntimeError(self.daemon.log())

    def stop(self):
        if self.daemon.is_running():
            self.daemon.stop()
        self.daemon.ctl("uninstall", check=False)
        self.daemon.close()

    def dropped(self):
        return bed.dropped(self.daemon)

    def restart(self):
        self.daemon.stop(signal.SIGTERM)
        self.daemon.restart()
        return True


class Extension(Setup):
    """The guest's backend is a VM with symtapd in it."""

    name = "extension VM"
    LIMITER = ("limiter:", "guards:")

    def __init__(self, world):
        super().__init__(world)
        self.vm = None

    def guest(self):
        return self.world.pool.take(9, vif="backend=extension")

    def start(self):
        if not self.vm:
            policy = "\n".join(line for line in extension.POLICY.splitlines()
                               if not line.startswith(self.LIMITER))
            self.vm = extension.Extension(f"{policy}\nxen: {{vifs: follow}}\n",
                                          f"uplink={dom0.BRIDGE}")
        self._wait()

    def _wait(self):
        vif = self.guest().vif
        if not lab.eventually(lambda: vif in self.vm.symtapctl("vifs"), 30):
            raise RuntimeError(self.vm.log())

    def stop(self):
        self.vm.ask("killall symtapd")

    def dropped(self):
        counters = json.loads(self.vm.symtapctl("--json stats"))["counters"]
        return sum(row["value"] for row in counters
                   if row["name"] in bed.DROPS)

    def restart(self):
        self.stop()
        return True


class World:
    """dom0, and who answers beyond it."""

    def __init__(self, world):
        self.host = dom0.Host(world)
        dom0.call("modprobe", "-a", *RING_MODULES)
        self.pool = guests.Pool()
        bed.outside_runs(self.host, "probe", "answer", dom0.OUTSIDE,
                         PROBE_PORT)
        bed.outside_runs(self.host, "stream", "take", dom0.OUTSIDE,
                         STREAM_PORT)


def probe(rate, seconds=PROBE_SECONDS, size=PROBE_BYTES):
    return f"probe {dom0.OUTSIDE} {PROBE_PORT} {size} {rate} {seconds}"


def busy_s():
    """The hypervisor's own account of dom0."""
    listed = dom0.call("xl", "list", "Domain-0").splitlines()[1]
    return float(listed.split()[-1])


def held(world, setup, size):
    """A flood, an innocent conversation beside it, and what was lost."""
    setup.start()
    guest = setup.guest()
    try:
        # Who has no MAC for it yet loses packets by himself.
        guest.ask(f"ping -c 1 {dom0.OUTSIDE2}")
        idle = json.loads(guest.ask(probe(50)))
        ear = traffic.Receiver(world.host.outside, dom0.OUTSIDE2, FLOOD_PORT)
        sender = guest.flood(dom0.OUTSIDE2, FLOOD_PORT, size, 0, FLOOD_SECONDS)
        beside = guest.begin(probe(50))
        arrived = ear.receive(FLOOD_SECONDS)
        begin = arrived[0].at if arrived else 0
        later = sum(each.at > begin + 1 for each in arrived)
        slots = guest.ring()
        beside = json.loads(guest.finish(beside))
        while_held, dropped = len(arrived), setup.dropped()
    finally:
        setup.stop()
    arrived += ear.receive(2)
    told = guest.flooded(sender)
    arrived += ear.receive(1)
    ear.socket.close()
    missing = told["sent"] - len(set(traffic.numbers(arrived)))
    return {"offered": told["sent"], "while_held": while_held,
            "later_pkts_per_s": later / (FLOOD_SECONDS - 1),
            "dropped": dropped, "lost": missing - dropped,
            "slots": slots, "send_s": told["longest_s"],
            "idle_p50": idle["p50_ms"], "idle_p99": idle["p99_ms"],
            "p50": beside["p50_ms"], "p99": beside["p99_ms"],
            "probe_lost": beside["sent"] - beside["answered"]}


def upload(guest, mtu):
    guest.ask(f"ip link set eth0 mtu {mtu}")
    told = json.loads(guest.ask(
        f"stream {dom0.OUTSIDE} {STREAM_PORT} {STREAM_SECONDS}"))
    return told["bytes"] / told["seconds"]


def restarted(setup, guest):
    """What a conversation has of it: longest wait, and loss."""
    asking = guest.begin(probe(100, 6))
    time.sleep(1)
    was = setup.restart()
    told = json.loads(guest.finish(asking))
    if not was:
        return {"stall_ms": None, "restart_lost": None}
    return {"stall_ms": told["max_ms"],
            "restart_lost": told["sent"] - told["answered"]}


def free(setup):
    """What a guest has that nobody holds."""
    setup.start()
    guest = setup.guest()
    try:
        said = guest.ask(f"ping -c 40 -i 0.05 -q {dom0.OUTSIDE}")
        result = {"rtt_ms": float(re.search(r"= [^/]*/([0-9.]+)/", said)[1])}
        for mtu in MTUS:
            result[f"tcp_{mtu}"] = upload(guest, mtu)
        guest.ask("ip link set eth0 mtu 1500")
        begin = busy_s()
        small = json.loads(guest.ask(probe(0, size=SMALL)))
        result["small_pkts_per_s"] = small["answered"] / PROBE_SECONDS
        result["cpu_us"] = ((busy_s() - begin) * 1e6 /
                            max(2 * small["answered"], 1))
        return {**result, **restarted(setup, guest)}
    finally:
        setup.stop()


def measure(world, setups, rounds):
    found = {setup.name: {"large": [], "small": [], "free": []}
             for setup in setups}
    for number in range(rounds):
        for setup in setups:
            begin = time.monotonic()
            mine = found[setup.name]
            mine["large"].append(held(world, setup, LARGE))
            mine["small"].append(held(world, setup, SMALL))
            mine["free"].append(free(setup))
            print(f"round {number + 1}, {setup.name}: "
                  f"{time.monotonic() - begin:.0f} s", flush=True)
            RESULT.write_text(json.dumps(found, indent=1))
    return found


def column(rounds, name):
    return [each[name] for each in rounds]


def flood_row(name, kind, rounds):
    return (f"{name}, {kind}", *(
        figures.spread(column(rounds, key), digits) for key, digits in (
            ("offered", 0), ("while_held", 0),
            ("later_pkts_per_s", 1), ("dropped", 0), ("lost", 0), ("send_s", 2),
            ("slots", 0), ("p50", 1), ("p99", 1), ("idle_p99", 1),
            ("probe_lost", 0))))


def free_row(name, mine, stock):
    keys = ("rtt_ms", *(f"tcp_{mtu}" for mtu in MTUS), "small_pkts_per_s",
            "cpu_us")
    return (name, *(figures.spread(figures.ratios(
        column(mine, key), column(stock, key)), 2) for key in keys),
            *(figures.spread(column(mine, key), 0)
              for key in ("stall_ms", "restart_lost")))


def tables(found):
    stock = found["stock"]["free"]
    absolute = ", ".join(f"{what} {figures.spread(column(stock, key), digits)}"
                         for what, key, digits in (
                             ("ping", "rtt_ms", 1),
                             ("small packets/s", "small_pkts_per_s", 0),
                             ("CPU us a packet", "cpu_us", 0)))
    return "\n".join((
        f"A flood of {FLOOD_SECONDS} s, {LARGE} and {SMALL} bytes of payload, "
        "and a conversation of 50 packets/s beside it:", "",
        figures.table(
            ("way, packets", "offered", "sent while held",
             "a second", "dropped", "lost",
             "send() s", "slots", "p50 ms", "p99 ms", "idle p99 ms",
             "lost beside"),
            [flood_row(name, kind, rounds[kind])
             for name, rounds in found.items() for kind in
             ("large", "small")]), "",
        f"Nobody is held, as ratios to stock in the same round ({absolute}):",
        "", figures.table(
            ("way", "ping RTT", *(f"TCP, MTU {mtu}" for mtu in MTUS),
             "small packets/s", "CPU a packet", "restart: stall ms", "lost"),
            [free_row(name, rounds["free"], stock)
             for name, rounds in found.items() if name != "stock"])))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    names = [way.name for way in bed.COMPARED] + ["extension"]
    parser.add_argument("--ways", default=",".join(names))
    options = parser.parse_args()
    wanted = options.ways.split(",")
    with lab.Lab("xen") as made:
        world = World(made)
        setups = [Setup(world), *(Ours(world, way) for way in bed.COMPARED
                                  if way.name in wanted)]
        if "extension" in wanted:
            setups.append(Extension(world))
        found = measure(world, setups, options.rounds)
        print()
        print(tables(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
