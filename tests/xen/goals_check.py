#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a comparison finds is judged right, and its tables have each row: needs
no Xen."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import figures
import goals
import tables

HELD = {"while_held": 50, "dropped": 0, "later_pkts_per_s": 9.5, "slots": 60,
        "idle_p50": 4, "idle_p99": 20, "p50": 5, "p99": 30, "probe_lost": 0,
        "offered": 100, "send_s": 4.5, "own": 0, "lost": 0}
FREE = {"rtt_ms": 5, "tcp_1500": 5e6, "tcp_750": 3e6, "tcp_300": 1e6,
        "small_pkts_per_s": 1000, "us_dom0": 300, "us_guest": 300, "us": 300,
        "killed": {"did": True, "stall_ms": 900, "lost": 0, "again": 0}}
ROUND = {name: {"large": HELD, "small": HELD, "free": FREE}
         for name in ("stock", figures.BARE, "queue", "netback",
                      "driver domain",
                      "extension VM", "granted pages")}
PAIR = {"distribution": FREE, "patched": FREE}
FOUND = {"rounds": [ROUND] * 3, "modules": [PAIR] * 3, "failed": [],
         "anew": {"granted pages": FREE["killed"]},
         "plug": {"queue": {"vifs": 20, "plugged": 5, "up_s": 30,
                            "plugged_s": 9, "guarded_s": 0.5,
                            "guarded_max_s": 1, "destroyed_s": 5,
                            "let_go_s": 0.2, "left": []}}}


def a_copy():
    """In which nothing is there twice."""
    return json.loads(json.dumps(FOUND))


class Judged(unittest.TestCase):

    def missed(self, rounds, name, part, **values):
        """Goals and rows, of the good one with other figures in so many
        rounds."""
        found = a_copy()
        for each in found["rounds"][:rounds]:
            each[name][part].update(values)
        return [line.split(",")[0].split(": ")[:2]
                for line in goals.missed(found)]

    def test_a_good_one_misses_nothing(self):
        self.assertEqual([], goals.missed(FOUND))

    def test_each_goal_is_missed_by_its_name(self):
        for wanted, words, values in (
                (["lossless", "queue"], (1, "queue", "large"), {"dropped": 1}),
                (["lossless", "queue"], (1, "queue", "small"), {"lost": 1}),
                (["stock", "netback"], (2, figures.BARE, "free"),
                 {"tcp_300": 2e6}),
                (["held", "netback"], (1, "netback", "small"),
                 {"later_pkts_per_s": 12.1}),
                (["innocent", "queue"], (2, "queue", "large"), {"p99": 40}),
                (["innocent", "queue"], (1, "queue", "large"),
                 {"probe_lost": 1}),
                (["stock", "queue"], (2, "queue", "free"),
                 {"tcp_1500": 4.7e6})):
            self.assertEqual([wanted], self.missed(*words, **values))

    def test_what_is_allowed_misses_nothing(self):
        for words, values in (
                # Counted, and nobody said that the guest waits.
                ((3, "queue", "small"), {"dropped": 9}),
                ((3, "stock", "large"), {"later_pkts_per_s": 900,
                                         "lost": 9}),
                ((3, "driver domain", "free"), {"tcp_1500": 1e6}),
                ((1, "queue", "large"), {"p99": 400}),
                ((1, "queue", "free"), {"tcp_1500": 1e6}),
                # All of the ring is taken.
                ((3, "queue", "large"), {"slots": 200, "p99": 400,
                                         "probe_lost": 9})):
            self.assertEqual([], self.missed(*words, **values))

    def test_a_full_ring_is_told(self):
        found = a_copy()
        found["rounds"][2]["queue"]["large"].update(slots=237, probe_lost=9)
        self.assertEqual(["innocent: queue, large packets: 237 slots waited "
                          "in 1 of 3 rounds, not less than 200"],
                         [*goals.unasked(found)])
        self.assertIn("NOT ASKED innocent: queue", tables.verdict(found))

    def test_a_row_without_its_stock_is_told(self):
        found = a_copy()
        for each in found["rounds"]:
            del each[figures.BARE]
        self.assertEqual(["stock: netback: nobody was without us beside it"],
                         [*goals.unasked(found)])

    def test_modules_and_failed_rows(self):
        found = a_copy()
        for pair in found["modules"]:
            pair["patched"]["tcp_750"] = 2.8e6
        found["failed"].append({"row": "queue", "part": "large",
                                "why": "no guest\nat all"})
        found["plug"]["queue"]["left"].append("rules")
        self.assertEqual(["measured", "modules", "plugged"], [
            line.split(":")[0] for line in goals.missed(found)])


class Told(unittest.TestCase):

    def test_each_row_is_there(self):
        text = tables.text_of(FOUND)
        for name in ROUND:
            self.assertIn(f"\n| {name} | 100 | 50 | 9.5 |", text)
        self.assertIn("\n| extension VM to driver domain | 1.00 |", text)
        self.assertIn("destroyed and made again | 900 |", text)
        self.assertIn("20 vifs, way queue: 15 come with a guest", text)

    def test_each_table_tells_its_rounds(self):
        found = a_copy()
        del found["rounds"][0]["netback"]["large"]
        for each in found["rounds"][1:]:
            del each["granted pages"]["small"]
        found["modules"].pop()
        text = " ".join(tables.text_of(found).split())
        for said in ("beside it: 3 rounds; netback of 2. ",
                     "Of small packets: 3 rounds; granted pages of 1. ",
                     "same round: 3 rounds; patched netback to Debian's of 2."):
            self.assertIn(said, text)
        self.assertIn("of 3 rounds; netback of 2, and with nobody held "
                      "3 rounds.", " ".join(tables.chapter(found).split()))

    def test_half_a_run_is_told_as_well(self):
        found = a_copy()
        found["rounds"] = [{"stock": {}, "queue": {"large": HELD}}]
        found["modules"], found["anew"], found["plug"] = [{}], {}, {}
        self.assertIn("\n| queue | 100 |", tables.text_of(found))
        self.assertIn("0 goal(s) missed", tables.verdict(found))

    def test_tables_are_written_into_their_places(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "page.md")
            for line in tables.PLACES:
                path.write_text(f"# A\n{line}\nstale\n\n## B\n")
                tables.write(path, FOUND)
                tables.write(path, FOUND)
                text = path.read_text()
                self.assertNotIn("stale", text)
                self.assertEqual(1, text.count(
                    f"\n| netback to {figures.BARE} |"))
                self.assertTrue(text.endswith("\n\n## B\n"), text)


if __name__ == "__main__":
    unittest.main()
