#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each way beside stock, on a real Xen: runs in dom0, see run --full.

One guest sends to two hosts beyond the bridge.  In every round each set-up has
its turn, so what the machine does meanwhile happens to all.  What was measured
is left as JSON after each of them; tables.py and goals.py read that.
"""

import argparse
import contextlib
import functools
import json
import signal
import sys
import time
import traceback

import bed
import dom0
import extension
import guests
import lab
import measure
import plug
import setups

RING_MODULES = ("ifb", "sch_htb", "sch_tbf", "sch_ingress", "cls_u32",
                "act_mirred")
RESULT = dom0.JOB / "compare.json"
MODULES, ANEW, PLUG = "modules", "anew", "plug"
PARTS = {"large": functools.partial(measure.held, size=measure.LARGE),
         "small": functools.partial(measure.held, size=measure.SMALL),
         "free": measure.free}
# A part takes half a minute, and with VMs to be made first a minute; ten times
# as long where time goes by instructions.
PART_SECONDS = 900


def tell(text):
    """On the console, where the runner sees it."""
    with contextlib.suppress(OSError), open("/dev/console", "w",
                                            encoding="utf-8") as console:
        print(f"symtap: {text}", file=console)
    print(text, flush=True)


def late(*_):
    raise TimeoutError(f"it has not ended after {PART_SECONDS} s")


class World:
    """dom0, who answers beyond it, and VMs from when they are needed."""

    def __init__(self, made):
        self.lab = made
        self.host = dom0.Host(made)
        dom0.call("modprobe", "-a", *RING_MODULES)
        self.pool = guests.Pool(boots_each=True)
        self.backend = self.judge = None
        for name, word, port in (("probe", "answer", measure.PROBE_PORT),
                                 ("stream", "take", measure.STREAM_PORT)):
            bed.outside_runs(self.host, name, word, dom0.OUTSIDE, port)

    @staticmethod
    def _made(name, *words, **more):
        try:
            return extension.Extension(*words, name=name, **more)
        except Exception:
            # Its name is wanted by the next row.
            dom0.Host.run("xl", "destroy", name, check=False)
            raise

    def need_backend(self):
        self.backend = self.backend or self._made(
            "extension", setups.BACKEND, f"uplink={dom0.BRIDGE}")

    def need_judge(self):
        self.judge = self.judge or self._made(
            "judge", setups.JUDGES, "judge=0", driver=0, number=setups.JUDGE)


class Found:
    """Figures of each round by set-up and part, and what failed."""

    def __init__(self):
        self.all = {"rounds": [], MODULES: [], ANEW: {}, PLUG: {},
                    "failed": []}

    def take(self, place, row, part, figures):
        """place[part] is what figures() measures.  That it cannot ends no
        run."""
        begin, said = time.monotonic(), "measured"
        signal.alarm(PART_SECONDS)
        try:
            place[part] = figures()
        except Exception as why:  # whatever a row may meet
            said = f"FAILED: {why}"
            self.all["failed"].append({"row": row, "part": part,
                                       "why": str(why)[-2000:]})
            print(traceback.format_exc(), flush=True)
        finally:
            signal.alarm(0)
        RESULT.write_text(json.dumps(self.all, indent=1))
        tell(f"round {len(self.all['rounds'])}, {row}, {part}: "
             f"{said.splitlines()[0][:200]} in "
             f"{time.monotonic() - begin:.0f} s")


def measure_round(world, found, rows, wanted):
    figures = {}
    found.all["rounds"].append(figures)
    for setup in rows:
        mine = figures.setdefault(setup.name, {})
        for part in wanted:
            found.take(mine, setup.name, part, functools.partial(
                PARTS[part], world, setup))


def measure_modules(world, found, stock, rounds):
    """Debian's netback and, in its place, ours without a guard, in turns.
    Ours stays."""
    for _ in range(rounds):
        pair = {}
        found.all[MODULES].append(pair)
        for name, ours in (("distribution", False), ("patched", True)):
            setups.reload_netback(world, ours)
            found.take(pair, MODULES, name,
                       functools.partial(measure.free, world, stock))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", help="stock,netback,extension,..; modules, "
                        "anew and plug are parts, too")
    parser.add_argument("--parts", default=",".join(PARTS),
                        help="of a row: large,small,free; empty for none")
    options = parser.parse_args()
    parts = [part for part in options.parts.split(",") if part]
    signal.signal(signal.SIGALRM, late)
    with lab.Lab("xen") as made:
        world = World(made)
        rows = setups.all_of(world)
        names = [*rows, MODULES, ANEW, PLUG]
        wanted = options.ways.split(",") if options.ways else names
        if unknown := {*wanted, *parts} - {*names, *PARTS}:
            sys.exit(f"no such row: {', '.join(unknown)}")
        found = Found()
        if MODULES in wanted:
            measure_modules(world, found, rows["stock"], options.rounds)
        setups.reload_netback(world, True)
        chosen = [rows[name] for name in rows if name in wanted]
        for _ in range(options.rounds):
            measure_round(world, found, chosen, parts)
        for setup in chosen if ANEW in wanted else ():
            if setup.anew_seconds:
                found.take(found.all[ANEW], setup.name, setup.name,
                           functools.partial(measure.anew, setup))
        for way in bed.WAYS[:1] if PLUG in wanted else ():
            found.take(found.all[PLUG], PLUG, way.name,
                       functools.partial(plug.measure, world, way))
    return 0


if __name__ == "__main__":
    sys.exit(main())
