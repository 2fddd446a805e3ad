#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""judge_captures.py SYMTAP-SIM: the shipped default, judged on the captures in
SYMTAP_CAPTURES, or, where there are none, on captures that are made here; then
the last line says so.  In CI the folder has to be there.

Every target has to be reached, but for those in judge_missed.tsv: they have a
ceiling instead, so that nothing gets worse."""

import json
import os
import subprocess
import sys
import tempfile

import made_captures

MISSED = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "judge_missed.tsv")


def read_missed(which):
    ceilings = {}
    with open(MISSED) as file:
        for number, line in enumerate(file, 1):
            if line.startswith("#") or not line.strip():
                continue
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 4:
                sys.exit("%s:%d: not 4 columns" % (MISSED, number))
            if fields[0] == which:
                ceilings[fields[1], fields[2]] = float(fields[3])
    return ceilings


def targets(told):
    """(of what, target) for each that is judged."""
    for group in told["groups"]:
        if group["targets"] is not None:
            for target in group["targets"]:
                yield "good, %s guarded" % group["guarded"], target
            continue
        for capture in group["captures"]:
            for target in capture["targets"]:
                yield capture["file"], target


def check(told, which):
    ceilings, failures = read_missed(which), 0
    judged = 0
    for of, target in targets(told):
        if target["pass"] is None:
            continue
        judged += 1
        if target["pass"]:
            continue
        ceiling = ceilings.get((of, target["name"]))
        if ceiling is not None and target["found"] <= ceiling:
            print("missed as before: %s: %s: %g, at most %g is asked for"
                  % (of, target["name"], target["found"], target["at_most"]))
            continue
        failures += 1
        print("MISSED: %s: %s: found %g, at most %g%s"
              % (of, target["name"], target["found"], target["at_most"],
                 "" if ceiling is None else
                 " is asked for, %g was found before" % ceiling))
    print("%d targets, %d missed that were not before" % (judged, failures))
    return judged > 0 and failures == 0


def judge(sim, folder, which):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        ran = subprocess.run([sim, "judge", "--json", file.name, folder],
                             timeout=250, check=False)
        if ran.returncode not in (0, 1):
            return False
        told = json.load(file)
    if told["pass"] != (ran.returncode == 0):
        print("the exit status and the figures do not agree")
        return False
    return check(told, which)


def main():
    sim = os.path.abspath(sys.argv[1])
    captures = os.environ.get("SYMTAP_CAPTURES")
    sys.stdout.reconfigure(line_buffering=True)
    if captures:
        good = judge(sim, captures, "captures")
        print("judged on " + captures)
    elif os.environ.get("CI") == "true":
        good = False
        print("SYMTAP_CAPTURES names no folder: in CI it has to")
    else:
        with tempfile.TemporaryDirectory(prefix="symtap-judge-") as folder:
            made_captures.make(folder)
            good = judge(sim, folder, "made")
        print("SYMTAP_CAPTURES names no folder: judged on captures made here")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
