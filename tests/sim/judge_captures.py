#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""judge_captures.py SYMTAP-SIM: the shipped default, judged on the captures in
SYMTAP_CAPTURES, or, where there are none, on captures that are made here; then
the last line says so.  In CI the folder has to be there.

Every target of the default has to be reached.  The plain calibrations are
judged beside it, for comparison, and the last table tells what each does to
good traffic; not where SYMTAP_SANITIZED is set."""

import json
import os
import subprocess
import sys
import tempfile

import made_captures

PROFILES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "..", "..", "contrib", "profiles")
COMPARED = ("literal", "seven-to-one")


def judge(sim, folder, name, *words):
    """What it found; None: it failed."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        print("\n====== %s ======\n" % name)
        ran = subprocess.run([sim, "judge", "--json", file.name, *words,
                              folder], timeout=250, check=False)
        if ran.returncode not in (0, 1):
            print("%s: exit status %d" % (name, ran.returncode))
            return None
        told = json.load(file)
    if told["pass"] != (ran.returncode == 0):
        print("%s: the exit status and the figures do not agree" % name)
        return None
    return told


def judged_targets(told):
    """(of what, target) for each that has one."""
    for group in told["groups"]:
        if group["targets"] is not None:
            named = [("good, %s guarded" % group["guarded"], group["targets"])]
        else:
            named = [(capture["file"], capture["targets"])
                     for capture in group["captures"]]
        for of, targets in named:
            yield from ((of, target) for target in targets
                        if target["pass"] is not None)


def reaches_all(told):
    targets = list(judged_targets(told))
    missed = [(of, target) for of, target in targets if not target["pass"]]
    for of, target in missed:
        print("MISSED: %s: %s: found %g, at most %g"
              % (of, target["name"], target["found"], target["at_most"]))
    print("default: %d targets, %d missed" % (len(targets), len(missed)))
    return told["pass"] and bool(targets) and not missed


def share(part, whole):
    return 100 * part / whole if whole else 0.0


def print_good(tables):
    """What each does to good traffic."""
    print("\n%-14s %-10s %9s %7s %8s %6s %10s %8s  %s" % (
        "good traffic", "guarded", "out", "late", "late", "pairs", "late",
        "late", "worst conversation"))
    for name, told in tables.items():
        for group in told["groups"]:
            if group["family"] != "legit":
                continue
            print("%-14s %-10s %9d %7d %6.2f %% %6d %10d %6.2f %%  %.1f ms" % (
                name, group["guarded"], group["out"], group["late"],
                share(group["late"], group["out"]), group["pairs"],
                group["late_pairs"],
                share(group["late_pairs"], group["pairs"]),
                group["conversation_ms_max"]))


def judge_all(sim, folder):
    tables = {"default": judge(sim, folder, "default")}
    for name in () if "SYMTAP_SANITIZED" in os.environ else COMPARED:
        tables[name] = judge(sim, folder, name, "-c",
                             os.path.join(PROFILES, name + ".yaml"))
    if None in tables.values():
        return False
    print_good(tables)
    return reaches_all(tables["default"])


def main():
    sim = os.path.abspath(sys.argv[1])
    sys.stdout.reconfigure(line_buffering=True)
    if not os.environ.get("SYMTAP_CAPTURES") and os.environ.get("CI") == "true":
        print("SYMTAP_CAPTURES names no folder: in CI it has to")
        return 1
    good = made_captures.judged(lambda folder: judge_all(sim, folder))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
