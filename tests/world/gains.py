#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gains.py SYMTAP_SIM SCENARIOS README [--write]

What each relaxation lets an attacker gain, and what each guard takes away, from
the worlds that attack it: the table of the README's chapter "What an attacker
gains".  Fails when a figure there is off by more than a tenth."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

INSIDE = 'mode: enforce\ninside: [10.0.0.0/8, "fd00::/8"]\n'
RATES = (("let_out_per_s", "{:.1f}/s"), ("any_second", "{:.0f} in a second"))
GAIN = (("gain_per_in", "{:.1f} for one in"),)
CONTACTS = (("contacts_per_s", "{:.1f}/s"),
            ("contacts_any_second", "{:.0f} in a second"))
CONNECTIONS = (("connections_per_s", "{:.1f}/s"),
               ("connections_any_second", "{:.0f} in a second"))
SILENT = "12/s, 64 in a second"

# what it is, its world, the same without it (a policy, or another world), the
# names of the senders that count, what is measured, the ceiling
ROWS = (
    ("a floor, `limiter.floor`", "attack_flood", "limiter: {floor: 0}\n", "",
     RATES, SILENT),
    ("patience, `limiter.patience`", "attack_pulses",
     "limiter: {patience: 0}\n", "", RATES, SILENT),
    ("patience with RTP headers", "attack_media",
     "limiter: {patience: 0}\n", "", RATES, SILENT),
    ("a packet in is worth more, `limiter.credit`", "attack_unasked",
     "limiter: {credit: 0}\n", "", GAIN, "16 for one in"),
    ("credit is saved", "attack_credit", "limiter: {credit: 0}\n", "",
     GAIN + RATES[1:], "16 for one in"),
    ("TCP: what is acknowledged counts", "attack_collusion_tcp",
     "limiter: {evidence: packets}\n", "all", GAIN, "what it acknowledges"),
    ("TCP: acknowledges nothing, or too much", "attack_collusion_tcp",
     "limiter: {evidence: packets}\n", "(none|forged)", GAIN,
     "16 for one in"),
    ("reserve of who is answered", "attack_friends", "attack_sweep", "sweep",
     CONTACTS, "20/s, 276 in a second"),
    ("tables are full", "attack_tables", None, "", RATES, SILENT),
    ("restart", "attack_restarts", None, "", RATES, SILENT),
    ("reload", "attack_reloads", None, "", RATES, SILENT),
    ("guard: `guards.first_contacts`", "attack_sweep",
     "guards: {first_contacts: 0}\n", "", CONTACTS, "20/s, 20 in a second"),
    ("guard: `guards.new_connections`", "attack_syn_answered",
     "guards: {new_connections: 0}\n", "", CONNECTIONS,
     "100/s, 100 in a second"),
)
HEAD = ("| what | world | off | as shipped | at most |\n"
        "|---|---|---|---|---|\n")


class Worlds:
    def __init__(self, sim, scenarios, folder):
        self.sim, self.scenarios = sim, pathlib.Path(scenarios)
        self.policy, self.known = pathlib.Path(folder) / "off.yaml", {}

    def run(self, world, policy=None):
        if (world, policy) not in self.known:
            command = [self.sim, "run", "--json", "-",
                       self.scenarios / f"{world}.yaml"]
            if policy:
                self.policy.write_text(INSIDE + policy)
                command += ["-c", self.policy]
            said = subprocess.run(command, capture_output=True, text=True,
                                  timeout=300)
            if said.returncode > 1:
                sys.exit(said.stderr)
            self.known[world, policy] = json.loads(said.stdout)
        return self.known[world, policy]


def best(found, who, measure):
    """The most that any of these senders got."""
    values = [sender[measure] for sender in found["senders"]
              if measure in sender and re.match(who, sender["name"])]
    values += [expect["found"] for expect in found["expect"]
               if expect["measure"] == measure
               and re.match(who, expect["sender"])]
    return max(values)


def cell(found, who, measures):
    return ", ".join(text.format(best(found, who, measure))
                     for measure, text in measures)


def row(worlds, what, world, without, who, measures, ceiling):
    shipped = cell(worlds.run(world), who, measures)
    if without is None:
        off = "–"
    elif without.endswith("\n"):
        off = cell(worlds.run(world, without), who, measures)
    else:
        off = cell(worlds.run(without), "", measures)
    return f"| {what} | `{world}` | {off} | {shipped} | {ceiling} |\n"


NUMBER = re.compile(r"\d+(?:\.\d+)?")


def is_near(line, other):
    pairs = list(zip(NUMBER.findall(line), NUMBER.findall(other)))
    return (NUMBER.sub("", line) == NUMBER.sub("", other) and
            all(abs(float(a) - float(b)) <= max(1, 0.1 * float(b))
                for a, b in pairs))


def main():
    sim, scenarios, path = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as folder:
        worlds = Worlds(sim, scenarios, folder)
        table = HEAD + "".join(row(worlds, *rest) for rest in ROWS)
    readme = pathlib.Path(path)
    text = readme.read_text()
    chapter = text.index("\n## What an attacker gains\n")
    begins = text.index("\n|", chapter) + 1
    ends = text.index("\n\n", begins) + 1
    print(table, end="")
    if sys.argv[4:] == ["--write"]:
        readme.write_text(text[:begins] + table + text[ends:])
        return
    there, here = text[begins:ends].splitlines(), table.splitlines()
    wrong = [line for line, other in zip(there, here)
             if not is_near(line, other)]
    if wrong or len(there) != len(here):
        sys.exit("README.md says otherwise; --write corrects it:\n"
                 + "\n".join(wrong))


if __name__ == "__main__":
    main()
