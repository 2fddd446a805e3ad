#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a comparison found, as HACKING.md and README.md have it.

	tables.py COMPARE.JSON [--write FILE]..

--write puts the tables into such a file, from below the line that says where
they begin to the next chapter.
"""

import argparse
import json
import pathlib
import sys
import textwrap

import figures
import goals

FLOODS = (("offered", "offered", 0), ("sent while held", "while_held", 0),
          ("a second", "later_pkts_per_s", 1), ("dropped", "dropped", 0),
          ("by the guest", "own", 0), ("lost", "lost", 0),
          ("longest send(), s", "send_s", 2), ("slots held", "slots", 0),
          ("innocent p50, ms", "p50", 1), ("p99", "p99", 1),
          ("idle p99", "idle_p99", 1), ("its lost", "probe_lost", 0))
FREE = (("ping RTT", "rtt_ms"), ("TCP, MTU 1500", "tcp_1500"),
        ("MTU 750", "tcp_750"), ("MTU 300", "tcp_300"),
        ("small packets/s", "small_pkts_per_s"), ("CPU a packet", "us"))
COSTS = ("us_dom0", "us_vm", "us_guest")
SHORT = (("TCP, MTU 1500", "tcp_1500"), ("small packets/s",
                                         "small_pkts_per_s"),
         ("CPU of dom0 and the VM", "us"))


def paragraph(text):
    return textwrap.fill(text, 94, break_on_hyphens=False)


def names_of(found):
    return [*dict.fromkeys(name for each in found["rounds"] for name in each)]


def rounds_of(found, part):
    return figures.rounds({name: len(figures.parts(found, name, part))
                           for name in names_of(found)})


def told(measured, key):
    """-1: nobody was answered who could tell."""
    return [each for each in figures.column(measured, key) if each >= 0]


def floods(found, part):
    return figures.table(
        ("way", *(head for head, _, _ in FLOODS)),
        [(name, *(figures.spread(told(measured, key), digits)
                  for _, key, digits in FLOODS))
         for name in names_of(found)
         if (measured := figures.parts(found, name, part))])


def free_rows(found):
    """Who is compared with whom."""
    names = names_of(found)
    yield from ((name, figures.stock_of(name)) for name in names
                if name != figures.STOCK)
    if {"extension VM", "driver domain"} <= {*names}:
        yield "extension VM", "driver domain"


def free(found):
    rows = [(f"{name} to {other}", *(figures.spread(
                figures.ratios(found, name, other, key), 2)
                for _, key in FREE))
            for name, other in free_rows(found)]
    if found["modules"]:
        rows.insert(0, ("patched netback, no guard, to Debian's",
                        *(figures.spread(figures.module_ratios(found, key), 2)
                          for _, key in FREE)))
    return figures.table(("", *(head for head, _ in FREE)), rows)


def costs(found):
    rows = []
    for name in names_of(found):
        measured = figures.parts(found, name, "free")
        rows.append((name, *(figures.spread(
            [each[key] for each in measured if key in each], 0)
            for key in COSTS)))
    return figures.table(("", "dom0", "the VM", "the guest"), rows)


def restarts(found):
    rows = [(name, what, figures.spread(figures.column(all_of, "stall_ms"), 0),
             *(figures.spread(figures.column(all_of, key), 0)
               for key in ("lost", "again")))
            for name, what, all_of in noticed(found)]
    return figures.table(("", "what happens", "longest wait, ms", "lost",
                          "TCP segments sent again"), rows)


def noticed(found):
    for name in names_of(found):
        killed = figures.column(figures.parts(found, name, "free"), "killed")
        if killed:
            yield name, ("symtapd is killed" if killed[0]["did"] else
                         "nothing"), killed
    for name, figure in found["anew"].items():
        yield name, "the VM is destroyed and made again", [figure]


def plugged(found):
    return "\n".join(paragraph(
        f"{each['vifs']} vifs, way {way}: {each['vifs'] - each['plugged']} "
        f"come with a guest that is up after {each['up_s']:.0f} s, the others "
        f"are plugged in {each['plugged_s']:.0f} s.  Each is guarded "
        f"{each['guarded_s']:.1f} s after it is connected, "
        f"{each['guarded_max_s']:.1f} s at most.  `xl destroy` takes "
        f"{each['destroyed_s']:.0f} s, and all are let go "
        f"{each['let_go_s']:.1f} s later.") + "\n"
        for way, each in found["plug"].items())


def absolute(found):
    stock = figures.parts(found, "stock", "free")
    return ", ".join(
        f"{what} {figures.spread(figures.column(stock, key), digits)}"
        for what, key, digits in (("ping RTT in ms", "rtt_ms", 1),
                                  ("small packets/s", "small_pkts_per_s", 0),
                                  ("CPU us a packet", "us", 0)))


def modules_said(found):
    pairs = len(figures.module_ratios(found, "rtt_ms"))
    return f"; patched netback to Debian's of {pairs}" if pairs else ""


def clock_said(found):
    if not found.get("steady"):
        return ""
    return ("Time goes by the instructions that were carried out, "
            f"{found.get('mips', 62)} million a second, with `--steady`.  ")


def text_of(found):
    return "\n".join((
        paragraph(f"{clock_said(found)}Median (least-most).  A flood of "
                  "large packets for 5 s, and a conversation of 50 packets/s "
                  "of the same guest beside it: "
                  f"{rounds_of(found, 'large')}."), "",
        floods(found, "large"), "",
        paragraph(f"Of small packets: {rounds_of(found, 'small')}."), "",
        floods(found, "small"), "",
        paragraph("`dropped` is symtap's, and counted; what a guest's own "
                  "fq_codel drops while it waits is its own; `lost` is "
                  "everything else.  `slots` are requests of the ring that "
                  "are not answered, the most seen."), "",
        paragraph("Nobody is held, as ratios in the same round: "
                  f"{rounds_of(found, 'free')}{modules_said(found)}.  Stock: "
                  f"{absolute(found)}."), "", free(found), "",
        "CPU us for each small packet, one way, in the same rounds:", "",
        costs(found), "",
        paragraph("Under load, a conversation of 100 packets/s and an upload, "
                  "what the guest notices in the same rounds; a VM is made "
                  "again once:"), "", restarts(found), "", plugged(found)))


def short(found):
    """For those who choose a way."""
    rows = []
    for name, other in free_rows(found):
        held = figures.parts(found, name, "large")
        if not held or name in ("driver domain", figures.BARE):
            continue
        innocent = [each["p99"] / each["idle_p99"] for each in held
                    if each["p99"] >= 0]
        rows.append((
            f"{name} to {other}",
            *(figures.spread(figures.column(held, key), digits)
              for key, digits in (("later_pkts_per_s", 1), ("lost", 0),
                                  ("send_s", 1))),
            figures.spread(innocent, 1),
            *(figures.spread(figures.ratios(found, name, other, key), 2)
              for _, key in SHORT)))
    return figures.table(
        ("", "packets/s of a held flood", "lost", "its send() waits, s",
         "p99 beside it to idle", *(head for head, _ in SHORT)), rows)


def chapter(found):
    held, free_ones = (rounds_of(found, part) for part in ("large", "free"))
    if held != free_ones:
        held = f"{held}, and with nobody held {free_ones}"
    return "\n".join((
        paragraph("What each way does, and costs a guest that nobody holds, on "
                  "an emulated Xen 4.17 with Linux 6.1: ratios tell something "
                  f"there, rates do not.  {clock_said(found)}Median "
                  "(least-most), beside the same guest without us, of "
                  f"{held}.  HACKING.md has all of it:"),
        "", short(found), ""))


# Below which line of a file what is written.
PLACES = {
    "The comparison's tables, as `tests/xen/tables.py` writes them:\n":
        text_of,
    "write.  symtap-xen(7) has that, driver domains and the limits.\n":
        chapter,
}


def verdict(found):
    lines = goals.missed(found)
    return "\n".join([*(f"NOT ASKED {line}" for line in goals.unasked(found)),
                      *(f"MISSED {line}" for line in lines),
                      f"{len(lines)} goal(s) missed"])


def write(path, found):
    whole = path.read_text(encoding="utf-8")
    for line, text in PLACES.items():
        if line in whole:
            begin = whole.index(line) + len(line)
            end = whole.index("\n## ", begin)
            whole = f"{whole[:begin]}\n{text(found)}{whole[end:]}"
    path.write_text(whole, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("found", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path, nargs="*", default=(),
                        metavar="FILE")
    options = parser.parse_args()
    found = json.loads(options.found.read_text(encoding="utf-8"))
    for path in options.write:
        write(path, found)
    print(f"{text_of(found)}\n{verdict(found)}")
    return 1 if goals.missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
