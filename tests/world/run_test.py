#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run_test.py SYMTAP_SIM SCENARIOS: `symtap-sim run` from the outside."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SIM, SCENARIOS = sys.argv[1], pathlib.Path(sys.argv[2])

GOOD = """about: a
duration: 5s
senders:
- {name: up, kind: tcp, from: 10.0.0.1, to: 192.0.2.1}
- {name: flood, kind: flood, from: 10.0.0.1, to: 192.0.2.2, pick: random}
links: {out: {loss: 1%%}}
expect:
- {sender: flood, measure: first_second, at_most: %s}
"""


def run(*arguments):
    return subprocess.run([SIM, "run", *map(str, arguments)],
                          capture_output=True, text=True, timeout=120)


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def write(self, text, name="s.yaml"):
        path = self.path / name
        path.write_text(text)
        return path

    def test_status_says_whether_expectations_hold(self):
        self.assertEqual(run(self.write(GOOD % 64)).returncode, 0)
        said = run(self.write(GOOD % 3))
        self.assertEqual(said.returncode, 1)
        self.assertIn("FAILS  flood first_second at most 3", said.stdout)

    def test_bad_scenario_is_status_3_and_says_where(self):
        said = run(self.write("about: a\nduration: 5\n"))
        self.assertEqual(said.returncode, 3)
        self.assertIn("s.yaml:2:11: error: duration:", said.stderr)
        self.assertEqual(run(self.path / "missing.yaml").returncode, 3)

    def test_bad_policy_is_status_3(self):
        self.write("inside: [10.0.0.0/8]\nmode: hold\n", "p.yaml")
        for policy in ("policy: p.yaml\n", "policy: gone.yaml\n",
                       "policy: |\n  mode: enforce\n"):
            self.assertEqual(
                run(self.write(GOOD % 64 + policy)).returncode, 3, policy)

    def test_usage_is_status_2(self):
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("--no-such-option").returncode, 2)
        said = run("--help")
        self.assertEqual(said.returncode, 0)
        self.assertIn("--without", said.stdout)

    def test_worst_status_of_several_wins(self):
        bad = self.write("", "bad.yaml")
        self.assertEqual(run(self.write(GOOD % 3), bad).returncode, 3)

    def test_policy_of_the_scenario_and_of_the_command_line(self):
        flood = GOOD % 64
        wide = "inside: [10.0.0.0/8]\nlimiter: {threshold: '9.0'}\n"
        beside = self.write(wide, "wide.yaml")
        inline = "policy: |\n" + "".join(
            f"  {line}\n" for line in wide.splitlines())
        for said in (run("-c", beside, self.write(flood)),
                     run(self.write(flood + "policy: wide.yaml\n")),
                     run(self.write(flood + inline))):
            self.assertEqual(said.returncode, 1, said.stderr)

    def test_without_and_gateway_off_are_the_same(self):
        scenario = self.write(GOOD % 64)
        off = self.write(GOOD % 64 + "gateway: off\n", "off.yaml")
        lines = [json.loads(run("--json", "-", *arguments).stdout)
                 for arguments in (("--without", scenario), (off,))]
        for line in lines:
            self.assertFalse(line["symtap"])
            del line["file"]
        self.assertEqual(lines[0], lines[1])
        self.assertGreater(lines[0]["senders"][1]["first_second"], 450)

    def sender(self, scenario):
        said = run("--json", "-", scenario)
        self.assertEqual(said.returncode, 0, said.stderr)
        return json.loads(said.stdout)["senders"][-1]

    def test_restart_drops_what_waits_and_keeps_what_is_known(self):
        flood = ("about: a\nduration: 60s\nsenders:\n- {name: flood, kind:"
                 " flood, from: 10.0.0.1, to: 192.0.2.1, packets_per_s: 20}\n")
        still = self.sender(self.write(flood))
        reloaded = self.sender(self.write("reload: 3s\n" + flood))
        restarted = self.sender(self.write("restart: 3s\n" + flood))
        self.assertEqual(reloaded, still)
        self.assertGreater(restarted["dropped"], still["dropped"])
        self.assertLess(restarted["let_out"], still["let_out"] * 1.02)
        for line in ("restart: 0s\n", "reload: yes\n"):
            self.assertEqual(run(self.write(line + flood)).returncode, 3)

    def test_what_a_far_end_acknowledges_is_what_counts(self):
        flood = ("about: a\nduration: 60s\nsenders:\n- {name: f, kind: flood,"
                 " proto: %s, from: 10.0.0.1, to: 192.0.2.1, packets_per_s:"
                 " 100, reply_every: 32, acks: %s}\n")
        came, nothing, more = (
            self.sender(self.write(flood % ("tcp", acks)))["let_out"]
            for acks in ("came", "nothing", "more"))
        self.assertGreater(came, 5900)
        self.assertLess(nothing, 1500)
        self.assertEqual(nothing, more)
        self.assertEqual(run(self.write(flood % ("udp", "more"))).returncode,
                         3)

    def test_same_seed_same_bytes(self):
        scenario = self.write(GOOD % 64)
        other = self.write("seed: 2\n" + GOOD % 64, "other.yaml")
        first = run("--json", "-", scenario).stdout
        self.assertEqual(first, run("--json", "-", scenario).stdout)
        self.assertEqual(run(scenario).stdout, run(scenario).stdout)
        self.assertNotEqual(json.loads(first)["senders"],
                            json.loads(run("--json", "-",
                                           other).stdout)["senders"])

    def test_json_tells_of_each_sender_and_expectation(self):
        path = self.path / "out.json"
        said = run("--json", path, self.write(GOOD % 64),
                   SCENARIOS / "unanswered.yaml")
        self.assertEqual(said.returncode, 0)
        self.assertIn("let out", said.stdout)
        first, second = map(json.loads, path.read_text().splitlines())
        self.assertEqual([s["name"] for s in first["senders"]],
                         ["up", "flood"])
        self.assertTrue(first["expect"][0]["holds"])
        self.assertEqual(second["senders"][0]["first_second"], 12)

    def test_plots_are_svg_or_png(self):
        scenario = SCENARIOS / "unanswered.yaml"
        for name, begins in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG")):
            path = self.path / name
            self.assertEqual(run("--plot", path, scenario).returncode, 0)
            self.assertTrue(path.read_bytes().startswith(begins))
        self.assertIn(b"<path", (self.path / "a.svg").read_bytes())
        self.assertEqual(
            run("--plot", self.path / "a.gif", scenario).returncode, 1)
        self.assertEqual(
            run("--plot", self.path / "no" / "a.svg", scenario).returncode, 1)
        self.assertEqual(run("--json", "/dev/full", scenario).returncode, 1)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
