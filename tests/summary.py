#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of several ctest runs (JUnit files) as one summary."""

import sys
import xml.etree.ElementTree as ElementTree


def last_line(case):
    lines = (case.findtext("system-out") or "").strip().splitlines()
    return lines[-1].strip() if lines else "no reason given"


def read(paths):
    """Yields (run, name, state, seconds, last line of output)."""
    for path in paths:
        run = path.rsplit("results-", 1)[-1].removesuffix(".xml")
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            if case.find("skipped") is not None:
                state = "skipped"
            elif case.get("status") == "run" and case.find("failure") is None:
                state = "passed"
            else:
                state = "failed"
            yield (run, case.get("name"), state, float(case.get("time", 0)),
                   last_line(case))


def main():
    results = list(read(sys.argv[1:]))
    if not results:
        sys.exit("summary: there are no results")
    by_state = {state: [result for result in results if result[2] == state]
                for state in ("passed", "failed", "skipped")}
    for run in dict.fromkeys(result[0] for result in results):
        states = [result[2] for result in results if result[0] == run]
        print(f"{run:15} {states.count('passed')} passed, "
              f"{states.count('failed')} failed, "
              f"{states.count('skipped')} skipped")
    ran = len(results) - len(by_state["skipped"])
    failed = len(by_state["failed"])
    print(f"\n{100 * (ran - failed) // max(ran, 1)}% tests passed, "
          f"{failed} tests failed out of {ran}")
    print(f"Total test time = {sum(result[3] for result in results):.0f} sec")
    if by_state["skipped"]:
        print("\nThe following tests were skipped:")
        for run, name, _, _, reason in by_state["skipped"]:
            print(f"\t{run} {name}: {reason}")
    if failed:
        print("\nThe following tests FAILED:")
        for run, name, _, _, _ in by_state["failed"]:
            print(f"\t{run} {name}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
