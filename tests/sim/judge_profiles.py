#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""judge_profiles.py SYMTAP-SIM: each of contrib/profiles, judged on the
captures in SYMTAP_CAPTURES, or on captures made here; then the last line says
so.  A line for each, and what it does not relax on purpose has to be reached."""

import json
import os
import subprocess
import sys

import made_captures

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "..", "..", "contrib", "profiles")

# What the default is asked for; a profile has other paces, and is judged by
# these all the same.
PACES = {"first contacts let out by one host in a second": 20,
         "new connections to one target in a second": 100}

# Targets that a profile misses on purpose: how far, and why.
PLAIN = "plain packets: no patience, no credit, one reply for each packet"
NO_PACES = "plain S sees neither sweeps nor answered floods, and is alone"
GOOD = ("outgoing packets late by more than 10 ms",
        "host pairs with more than 10 ms in all",
        "conversations held more than 100 ms in all",
        "... more than 1 s, or with a packet dropped")
RELAXED = {
    "literal": {**{name: (None, PLAIN) for name in GOOD},
                **{name: (None, NO_PACES) for name in PACES}},
    "seven-to-one": {
        **{name: (None, PLAIN) for name in GOOD},
        **{name: (None, NO_PACES) for name in PACES},
        "let out to one target in any later second":
            (48, "seven packets for each that is heard, where four are asked "
                 "for")},
    "hosting": {
        "first contacts let out by one host in a second":
            (100, "mail servers and crawlers try hosts that are gone"),
        "new connections to one target in a second":
            (1000, "a proxy opens hundreds to one backend")},
    "peer-to-peer": {
        "first contacts let out by one host in a second":
            (200, "most of the peers that are tried are gone")},
}


def targets(told):
    """(of what, target) for each."""
    for group in told["groups"]:
        if group["targets"] is not None:
            of = "good, %s guarded" % group["guarded"]
            yield from ((of, each) for each in group["targets"])
            continue
        for capture in group["captures"]:
            yield from ((capture["file"], each) for each in capture["targets"])


def missed(told):
    """The furthest that each target is missed: {name: (found, of what)}."""
    worst = {}
    for of, target in targets(told):
        name, found = target["name"], target["found"]
        pace = PACES.get(name)
        if found <= pace if pace else target["pass"] is not False:
            continue
        worst[name] = max(worst.get(name, (0, "")), (found, of))
    return worst


def is_relaxed(profile, name, found):
    most, why = RELAXED.get(profile, {}).get(name, (0, ""))
    relaxed = most is None or found <= most
    if relaxed:
        print("  on purpose, %s: %g: %s" % (name, found, why))
    return relaxed


def print_line(profile, told):
    worst = {}
    for _, target in targets(told):
        name = target["name"]
        worst[name] = max(worst.get(name, 0), target["found"])
    print("%-26s %8.2f %8.2f %9d %8d %9d %12d" % (
        profile, *(group["targets"][0]["found"] for group in told["groups"]
                   if group["family"] == "legit"),
        worst["let out to one target in the first second"],
        worst["let out to one target in any later second"],
        *(worst[name] for name in PACES)))


def judge(sim, folder):
    misses = 0
    print("%-26s %8s %8s %9s %8s %9s %12s" % (
        "good: late, %", "clients", "servers", "silent:", "later", "sweep:",
        "connections:"))
    print("%-26s %8s %8s %9s %8s %9s %12s" % (
        "attacks: let out in 1 s", "", "", "first", "", "contacts", ""))
    for name in sorted(os.listdir(FOLDER)):
        profile = name[:-len(".yaml")]
        ran = subprocess.run([sim, "judge", "-c", os.path.join(FOLDER, name),
                              "--json", "-", folder], stdout=subprocess.PIPE,
                             timeout=120, check=False)
        if ran.returncode not in (0, 1):
            print("%s: exit status %d" % (profile, ran.returncode))
            return False
        told = json.loads(ran.stdout)
        print_line(profile, told)
        for target, (found, of) in missed(told).items():
            if not is_relaxed(profile, target, found):
                print("  MISSED: %s: %s: %g" % (of, target, found))
                misses += 1
    return misses == 0


def main():
    sim = os.path.abspath(sys.argv[1])
    sys.stdout.reconfigure(line_buffering=True)
    good = made_captures.judged(lambda folder: judge(sim, folder))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
