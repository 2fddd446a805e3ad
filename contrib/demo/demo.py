#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtap, live: a flood, forged sources and a scan, and a good host beside
them; first without symtap, then with it.  Ends by itself, leaves nothing."""

import argparse
import collections
import glob
import json
import os
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True

import gateway  # noqa: E402
import hosts  # noqa: E402
import view  # noqa: E402
import world  # noqa: E402

Sample = collections.namedtuple(
    "Sample", "offered let_out forged_pkts upload_mbit_per_s rtts_us lost")


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Meter:
    """Differences between two looks at the world, `span_s` is how long
    the bad host was at it, where that is known."""

    def __init__(self, the_world, the_hosts):
        self.world = the_world
        self.hosts = the_hosts
        self.last = self.look()

    def look(self):
        return {"at": time.monotonic(), "sent": dict(self.hosts.sent),
                "arrived": self.world.arrivals(),
                "bytes": self.hosts.received_bytes,
                "rtts": len(self.hosts.rtts_us), "lost": self.hosts.lost}

    def since(self, before, span_s=None):
        now = self.look()
        past_s = now["at"] - before["at"]
        span_s = span_s or past_s
        arrived = {kind: count - before["arrived"][kind]
                   for kind, count in now["arrived"].items()}
        sample = Sample(
            offered={kind: (count - before["sent"][kind]) / span_s
                     for kind, count in now["sent"].items()},
            let_out={kind: count / span_s for kind, count in arrived.items()},
            forged_pkts=arrived["forged4"] + arrived["forged6"],
            upload_mbit_per_s=(now["bytes"] - before["bytes"]) * 8e-6 / past_s,
            rtts_us=self.hosts.rtts_us[before["rtts"]:now["rtts"]],
            lost=now["lost"] - before["lost"])
        return sample, now


def run_phase(name, seconds, attack, setting):
    """Everything starts before the first second is counted."""
    the_world, program, live, symtap = setting
    cast = hosts.Hosts(the_world, program)
    try:
        # Until they are stopped, however long the seconds take here.
        cast.start_good(seconds + 60)
        time.sleep(0.5)
        meter = Meter(the_world, cast)
        if attack:
            cast.start_bad(seconds)
        first = last = meter.look()
        for number in range(1, seconds + 1):
            time.sleep(max(0, first["at"] + number - time.monotonic()))
            sample, last = meter.since(last)
            live.second(name, number, seconds, sample,
                        symtap.rows() if symtap else [])
        time.sleep(0.2)  # the last lines of those who ended with the phase
        total, _ = meter.since(first, seconds)
        return total
    finally:
        complaints = cast.stop()
        if complaints:
            raise world.WorldError("; ".join(complaints))


def find_program(build, name):
    found = glob.glob(f"{build}/**/{name}", recursive=True)
    programs = [path for path in found if os.access(path, os.X_OK)
                and os.path.isfile(path)]
    if not programs:
        raise world.WorldError(f"{name} is not in {build}: build it first")
    return os.path.abspath(programs[0])


def perform(options, live, the_world, undo):
    symtap = None
    if options.seconds != 0:
        symtap = gateway.Gateway(the_world,
                                 find_program(options.build, "symtapd"))
    program = find_program(options.build, "symtap-demo-traffic")
    the_world.create()
    setting = (the_world, program, live, None)
    results = {}
    results["no attack"] = run_phase(
        "nobody attacks, without symtap", options.quiet, False, setting)
    results["attack"] = run_phase(
        "under attack, without symtap", options.before, True, setting)
    if options.seconds == 0:
        return results
    undo.append(symtap.stop)
    symtap.start()
    results["with symtap"] = run_phase(
        "under attack, with symtap", options.seconds, True,
        (the_world, program, live, symtap))
    return results


def ignore_signals():
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def stopped(number, _frame):
    ignore_signals()
    raise SystemExit(128 + number)


def read_options():
    parser = argparse.ArgumentParser(
        prog="contrib/try demo", description=__doc__)
    parser.add_argument("--build", default="build/release",
                        help="where the programs were built")
    parser.add_argument("--seconds", type=int, default=20, metavar="N",
                        help="how long with symtap (20; 0: leave it out)")
    parser.add_argument("--before", type=int, default=6, metavar="N",
                        help="how long without it (6)")
    parser.add_argument("--quiet", type=int, default=4, metavar="N",
                        help="how long without an attack, first (4)")
    parser.add_argument("--json", metavar="FILE",
                        help="write the figures of the summary there as well")
    return parser.parse_args()


def write_figures(path, results):
    figures = {name: {
        "offered": total.offered, "let_out": total.let_out,
        "forged_pkts": total.forged_pkts,
        "upload_mbit_per_s": total.upload_mbit_per_s,
        "ping_p50_us": view.percentile(total.rtts_us, 50),
        "ping_p90_us": view.percentile(total.rtts_us, 90),
        "ping_p99_us": view.percentile(total.rtts_us, 99),
        "ping_lost": total.lost, "pings": total.lost + len(total.rtts_us),
    } for name, total in results.items()}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2)


def main():
    options = read_options()
    if os.geteuid() != 0:
        sys.exit("demo: it makes network namespaces, which needs root")
    for program in ("ip", "tc", "nft"):
        if shutil.which(program) is None:
            sys.exit(f"demo: {program} is missing: contrib/try deps")
    for number in SIGNALS:
        signal.signal(number, stopped)
    the_world = world.World()
    live = view.Live()
    undo = [the_world.delete, live.close]
    results = error = None
    try:
        results = perform(options, live, the_world, undo)
    except world.WorldError as failure:
        error = failure
    finally:
        ignore_signals()
        for step in reversed(undo):
            step()
    if error is not None:
        sys.exit(f"demo: {error}")
    print(view.summary(results, the_world.uplink_is_shaped))
    if options.json:
        write_figures(options.json, results)


if __name__ == "__main__":
    main()
