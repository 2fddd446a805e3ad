#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""judge_test.py SYMTAP-SIM: what the judge counts, on captures of which it is
known; which mistakes it names; and the sweep."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import made_captures

SIM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "symtap-sim"
# Tables that are made a thousand times over, by a build that checks memory.
SMALL = "limits: {flows: 4096, pairs: 4096, hosts: 1024, suspects: 1024}\n"
LITERAL = ("mode: shadow\ninside: [10.0.0.0/8]\nlimiter: {evidence: packets}\n"
           "guards: {first_contacts: 0, new_connections: 0}\n" + SMALL)
# 2^7 packets for one: what a silent target may get in its first second is less.
GENEROUS = ("mode: shadow\ninside: [10.0.0.0/8]\n"
            "limiter: {threshold: 7.0, evidence: packets}\n"
            "guards: {first_contacts: 50, new_connections: 5}\n" + SMALL)


def sim(*words):
    return subprocess.run([SIM, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120,
                          check=False)


class Judged(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory(prefix="symtap-judge-")
        cls.folder = os.path.join(cls.place.name, "captures")
        made_captures.make(cls.folder)
        cls.config = os.path.join(cls.place.name, "literal.yaml")
        with open(cls.config, "w") as file:
            file.write(LITERAL)
        cls.generous = os.path.join(cls.place.name, "generous.yaml")
        with open(cls.generous, "w") as file:
            file.write(GENEROUS)
        ran = sim("judge", "-c", cls.config, "--json", "-", cls.folder)
        cls.status = ran.returncode
        cls.told = json.loads(ran.stdout)

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def group(self, family, guarded=None):
        found = [each for each in self.told["groups"]
                 if (each["family"], each["guarded"]) == (family, guarded)]
        self.assertEqual(1, len(found))
        return found[0]

    def target(self, family, name):
        capture, = self.group(family)["captures"]
        found, = [each for each in capture["targets"] if each["name"] == name]
        return found

    def test_good_captures_are_judged_twice(self):
        for guarded, held in (("initiators", ["legit/upload.pcap"]),
                              ("responders", [])):
            group = self.group("legit", guarded)
            self.assertEqual(3, len(group["captures"]))
            self.assertGreater(group["out"], 500)
            self.assertEqual(held, [each["file"] for each in group["captures"]
                                    if each["late"]])
            self.assertEqual(not held, group["pass"], group["targets"])

    def test_the_default_spares_what_is_good(self):
        ran = sim("judge", "--json", "-", self.folder)
        self.assertEqual(0, ran.returncode)
        self.assertEqual([0, 0], [group["delayed"]
                                  for group in json.loads(ran.stdout)["groups"]
                                  if group["family"] == "legit"])

    def test_both_ends_together_sent_every_packet(self):
        sent = sum(self.group("legit", guarded)["out"]
                   for guarded in ("initiators", "responders"))
        self.assertEqual(len(made_captures.download())
                         + len(made_captures.questions())
                         + len(made_captures.upload()), sent)

    def test_a_silent_target_gets_the_check_figures(self):
        first = self.target("silent-target",
                            "let out to one target in the first second")
        later = self.target("silent-target",
                            "let out to one target in any later second")
        self.assertEqual((12, 64, True),
                         (first["found"], first["at_most"], first["pass"]))
        self.assertIn(later["found"], (9, 10))
        self.assertEqual((12, True), (later["at_most"], later["pass"]))
        self.assertEqual("10.0.0.1 > 203.0.113.9", first["where"])

    def test_s_alone_does_not_see_a_sweep(self):
        found = self.target("sweep",
                            "first contacts let out by one host in a second")
        # The answered conversation begins a second before, with a contact of
        # its own.
        self.assertEqual((made_captures.SWEEP_PER_S, None, None),
                         (found["found"], found["at_most"], found["pass"]))
        self.assertEqual(0, self.target(
            "sweep", "packets of answered conversations delayed")["found"])

    def test_s_alone_does_not_see_an_answered_flood(self):
        found = self.target("answered-flood",
                            "new connections to one target in a second")
        self.assertEqual((made_captures.FLOOD_PER_S, None, None),
                         (found["found"], found["at_most"], found["pass"]))

    def test_the_guards_see_both(self):
        ran = sim("judge", "--json", "-", self.folder)
        told = json.loads(ran.stdout)
        for family, name, most in (
                ("sweep", "first contacts let out by one host in a second", 20),
                ("answered-flood",
                 "new connections to one target in a second", 100)):
            found, = [target for group in told["groups"]
                      if group["family"] == family
                      for capture in group["captures"]
                      for target in capture["targets"]
                      if target["name"] == name]
            self.assertEqual((most, True), (found["at_most"], found["pass"]))
            self.assertGreater(found["found"], 0)

    def test_the_guards_are_held_to_what_the_policy_says(self):
        ran = sim("judge", "-c", self.generous, "--json", "-", self.folder)
        told = json.loads(ran.stdout)
        most = {capture["file"]: target["at_most"]
                for group in told["groups"]
                if group["family"] in ("sweep", "answered-flood")
                for capture in group["captures"]
                for target in capture["targets"][:1]}
        self.assertEqual([5, 50], sorted(most.values()))

    def test_nothing_forged_gets_out(self):
        group = self.group("forged")
        self.assertEqual((500, 0), (group["forged"], group["let_out"]))
        self.assertTrue(group["pass"])

    def test_broadcast_is_not_held_by_s(self):
        group = self.group("broadcast")
        self.assertEqual((200, 0), (group["out"], group["delayed"]))
        self.assertTrue(group["pass"])

    def test_what_has_no_target_is_printed(self):
        self.assertEqual(1000, self.group("reflected-at-victim")["in"])
        self.assertEqual(50, self.group("answered")["out"])

    def test_a_missed_target_fails(self):
        self.assertEqual(1, self.status)
        self.assertFalse(self.told["pass"])

    def test_the_tables_say_the_same(self):
        ran = sim("judge", "-c", self.generous, self.folder)
        self.assertEqual(1, ran.returncode)
        self.assertIn("legit, legit, initiators guarded: 3 captures: pass",
                      ran.stdout)
        self.assertIn("attack, silent-target: 1 capture: FAIL", ran.stdout)
        self.assertIn("attack, forged: 1 capture: pass", ran.stdout)
        self.assertTrue(ran.stdout.endswith("NOT every target is reached\n"))

    def test_a_sweep_judges_by_every_setting(self):
        ran = sim("sweep", "-c", self.config, "--json", "-", self.folder)
        self.assertEqual(0, ran.returncode, ran.stderr)
        points = json.loads(ran.stdout)["points"]
        self.assertEqual(6 * 4 * 6, len(points))
        self.assertEqual(1, sum(point["as_given"] for point in points))
        # The higher the threshold, the more gets out.
        low, high = [next(point for point in points
                          if (point["threshold"], point["window_ms"],
                              point["evidence"]) == (each, 1000, "packets"))
                     for each in ("1.0", "4.0")]
        self.assertLess(low["attack"]["let_out"], high["attack"]["let_out"])
        self.assertTrue(any(not point["bettered"] for point in points))
        # So does the more, the more patience there is, in the first second.
        first = {(point["patience"], point["floor"]):
                 point["let_out_first_second"]
                 for point in points
                 if (point["threshold"], point["window_ms"],
                     point["evidence"]) == ("2.0", 1000, "consent")}
        self.assertEqual([(0, 0), (0, 10), (48, 0), (48, 10), (96, 20)],
                         sorted(first))
        for (patience, floor), pkts in first.items():
            if floor == 0:
                self.assertAlmostEqual(12 + patience, pkts, delta=1)
            else:
                self.assertLessEqual(pkts, 12 + patience + floor)
                self.assertGreaterEqual(pkts, max(patience, floor))

    def test_a_sweep_adds_the_policy_as_it_is(self):
        ran = sim("sweep", "-c", self.generous, "--json", "-", self.folder)
        points = json.loads(ran.stdout)["points"]
        self.assertEqual(6 * 4 * 6 + 1, len(points))
        given, = [point for point in points if point["as_given"]]
        self.assertEqual(("7.0", "packets", 0, 0),
                         (given["threshold"], given["evidence"],
                          given["patience"], given["floor"]))


class Mistakes(unittest.TestCase):
    HEAD = "file\tclass\tfamily\tguarded\n"
    ROWS = [
        ("", "JUDGE.tsv:1: the first line is not"),
        ("file,class,family,guarded\n", "JUDGE.tsv:1: the first line is not"),
        (HEAD, "JUDGE.tsv: no capture stands in it"),
        (HEAD + "a.pcap\tlegit\tlegit\n", "JUDGE.tsv:2: 3 columns, not 4"),
        (HEAD + "a\tgood\tlegit\tinitiators\n",
         'JUDGE.tsv:2: class: "good" is neither legit nor attack'),
        (HEAD + "a\tattack\tflood\t10.0.0.0/8\n",
         'JUDGE.tsv:2: family: "flood" is none of legit'),
        (HEAD + "a\tlegit\tsweep\tinitiators\n",
         "JUDGE.tsv:2: family: sweep is no family of class legit"),
        (HEAD + "a\tattack\tsweep\t10.0.0.0/33\n",
         'JUDGE.tsv:2: guarded: "10.0.0.0/33" is neither a prefix'),
        (HEAD + "a\tattack\tforged\tinitiators\n",
         "JUDGE.tsv:2: guarded: forged sources are told by the prefix"),
        (HEAD + "../a\tlegit\tlegit\tinitiators\n",
         'JUDGE.tsv:2: file: "../a" is not a path below this folder'),
        (HEAD + "/etc/a\tlegit\tlegit\tinitiators\n",
         'JUDGE.tsv:2: file: "/etc/a" is not a path below this folder'),
        (HEAD + "a\tlegit\tlegit\tinitiators\n\na\tlegit\tlegit\tinitiators\n",
         'JUDGE.tsv:4: file: "a" stands here twice'),
        (HEAD + "\x1b[2J\tlegit\tlegit\t\x1b[2J\n",
         'JUDGE.tsv:2: guarded: "?[2J" is neither a prefix'),
        (HEAD + "a\0b\tlegit\tlegit\tinitiators\n", "this is no text"),
        (HEAD + "x" * (1 << 20), "larger than 1 MiB"),
    ]

    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="symtap-judge-")

    def tearDown(self):
        self.place.cleanup()

    def put(self, text):
        with open(os.path.join(self.place.name, "JUDGE.tsv"), "w") as file:
            file.write(text)

    def test_each_mistake_is_named_with_its_line(self):
        for text, want in self.ROWS:
            with self.subTest(want=want):
                self.put(text)
                ran = sim("judge", self.place.name)
                self.assertEqual(3, ran.returncode)
                self.assertIn(want, ran.stderr)
                self.assertNotIn("\x1b", ran.stderr)

    def test_no_list_is_unreadable(self):
        ran = sim("judge", self.place.name)
        self.assertEqual(3, ran.returncode)
        self.assertIn("JUDGE.tsv: No such file", ran.stderr)

    def test_a_missing_capture_is_unreadable(self):
        self.put(self.HEAD + "gone.pcap\tlegit\tlegit\tinitiators\n")
        ran = sim("judge", self.place.name)
        self.assertEqual(3, ran.returncode)
        self.assertIn("gone.pcap: ", ran.stdout)

    def test_a_damaged_capture_is_judged_up_to_there(self):
        path = os.path.join(self.place.name, "cut.pcap")
        made_captures.write(path, made_captures.questions())
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) - 5)
        self.put(self.HEAD + "cut.pcap\tlegit\tlegit\tinitiators\n")
        ran = sim("judge", "--json", "-", self.place.name)
        self.assertEqual(3, ran.returncode)
        capture = json.loads(ran.stdout)["groups"][0]["captures"][0]
        self.assertIn("damaged at byte", capture["problem"])
        self.assertEqual(200, capture["out"])

    def test_usage(self):
        for words in ([], ["a", "b"], ["--nothing"], ["-j", "x", "a"]):
            with self.subTest(words=words):
                self.assertEqual(2, sim("judge", *words).returncode)
                self.assertEqual(2, sim("sweep", *words).returncode)
        self.assertEqual(0, sim("judge", "--help").returncode)
        self.assertEqual(
            2, sim("judge", "-c", "/nowhere", self.place.name).returncode)


if __name__ == "__main__":
    unittest.main()
