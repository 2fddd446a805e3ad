#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapctl_test.py CONTROL_SERVER SYMTAPCTL: every command as an operator
types it, in a pipe and in a terminal of 80 by 24."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

import control_bed
from control_bed import ServerCase, SharedCase, wait_for

CTL = ""
DONE, NO, USAGE, UNREACHABLE = range(4)


class Ctl:
    def ctl(self, *words, want=DONE, socket=None, prefix=()):
        done = subprocess.run(
            [*prefix, CTL, "-s", socket or self.path, *words],
            capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, want,
                         f"{words}: {done.stdout}{done.stderr}")
        return done.stdout if want == DONE else done.stdout + done.stderr


class Changes(Ctl, ServerCase):
    def test_words_that_change_something(self):
        self.assertRegex(self.ctl("release", "10.20.0.7"),
                         r"^10\.20\.0\.7: \d+ packets let out")
        self.assertEqual(self.ctl("exempt", "10.20.0.9", "for", "10m"),
                         "10.20.0.9: exempt for 10 min 0 s\n")
        self.assertIn("10.20.0.9 for 9 min", self.ctl("status"))
        self.assertEqual(self.ctl("exempt", "10.20.0.9", "end"),
                         "10.20.0.9: no longer exempt\n")
        self.assertIn("reloaded: ", self.ctl("reload"))
        self.assertIn("line 3: mode", self.ctl("reload", want=NO))
        self.assertIn("no vifs are followed", self.ctl("vifs", want=NO))
        self.assertIn("the last reload was refused", self.ctl("status"))

    def test_every_command_speaks_json(self):
        for words in (["status"], ["stats"], ["top"], ["reload"],
                      ["explain", "10.20.0.7"], ["release", "10.20.0.7"],
                      ["exempt", "10.20.0.7", "for", "1s"]):
            self.assertIn("ok", json.loads(self.ctl("--json", *words)))
        self.assertIn("no", json.loads(self.ctl("reload", "-j", want=NO)))


class Commands(Ctl, SharedCase):
    def test_a_dumb_terminal_gets_one_table(self):
        for kind in ("dumb", ""):
            ours, its = os.openpty()
            with open(ours, "rb", buffering=0) as page, open(its) as end:
                subprocess.run([CTL, "-s", self.path, "top"], stdin=end,
                               stdout=end, env={**os.environ, "TERM": kind},
                               timeout=30, check=True)
                text = page.read(4096)
            self.assertIn(b"INSIDE", text)
            self.assertNotIn(b"\x1b", text)

    def test_status_reads_well(self):
        text = self.ctl("status")
        self.assertRegex(text, r"^symtapd \d+\.\d+\.\d+, up \d+ s, ")
        self.assertIn("policy symtap.yaml, enforce, fail open", text)
        self.assertLessEqual(max(map(len, text.split("\n"))), 80)

    def test_stats_lists_counters(self):
        self.assertRegex(self.ctl("stats"),
                         r"core +sent_pkts +\d+ packets +let out")

    def test_top_is_one_table_in_a_pipe(self):
        lines = self.ctl("top", "--limit", "3").split("\n")
        self.assertEqual(len(lines), 5)
        self.assertRegex(lines[0], r"^INSIDE +OUTSIDE +S off S out S dec OFF/s")
        # A thousand a second are offered, or fewer on a busy machine.
        self.assertRegex(lines[1], r"^10\.20\.0\.7 +192\.0\.2\.7 +"
                                   r"([7-9]|1\d)\.\d\d +[23]\.\d\d ")
        flows = self.ctl("top", "--scope", "flow", "--by", "held")
        # 64 may wait; the next take the place of those that just left.
        self.assertRegex(flows, r"\n10\.20\.0\.7:5001 +192\.0\.2\.7:53/udp "
                                r".* 6[0-4] +(\d+ms|\d\.\d\ds|-|over)\n")
        self.assertNotIn("OUTSIDE", self.ctl("top", "--scope", "host"))

    def test_top_goes_on_in_a_pipe_when_asked_to(self):
        with subprocess.Popen([CTL, "-s", self.path, "top", "--json",
                               "--interval", "100ms"],
                              stdout=subprocess.PIPE) as top:
            seen = [json.loads(top.stdout.readline()) for _ in range(5)]
            top.stdout.close()
            top.wait(10)
        self.assertTrue(all("rows" in answer["ok"] for answer in seen))

    def test_explain_is_in_sentences(self):
        text = self.ctl("explain", "10.20.0.7")
        self.assertRegex(text, r"^10\.20\.0\.7 is held in \d of 3 keys\.\n")
        words = " ".join(text.split())
        self.assertRegex(words, r"\d repl(y|ies) from 192\.0\.2\.7 port 53 "
                                r"within 1 s would free it\.")
        self.assertLessEqual(max(map(len, text.split("\n"))), 80)

    def test_every_command_has_help(self):
        every = self.ctl("--help")
        for name in ("status", "stats", "top", "explain", "release", "exempt",
                     "reload", "doctor", "uninstall"):
            self.assertIn(f"\n  {name} ", every)
            self.assertIn(f"] {name}", self.ctl(name, "--help"))
        self.assertRegex(self.ctl("--version"), r"^symtapctl \d+\.\d+\.\d+\n$")

    def test_exit_codes_tell_what_happened(self):
        nowhere = f"{self.folder}/nothing.sock"
        self.assertIn("does not answer",
                      self.ctl("status", want=UNREACHABLE, socket=nowhere))
        self.assertIn("does not answer",
                      self.ctl("top", want=UNREACHABLE, socket=nowhere))
        for words in ([], ["bogus"], ["explain"], ["explain", "x"],
                      ["top", "--by", "x"], ["--bogus"], ["status", "x"]):
            self.ctl(*words, want=USAGE)

    def test_a_full_disk_is_noticed(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([CTL, "-s", self.path, "status"],
                                  stdout=full, timeout=20, check=False)
        self.assertEqual(done.returncode, NO)


class InNamespace(Ctl):
    """In a network namespace of its own, whose sysctls may be set."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root for a network namespace")
        super().setUp()


class Doctor(InNamespace, SharedCase):
    def doctor(self, setup, want):
        text = self.ctl("doctor", "--json", want=want, prefix=(
            "unshare", "-n", "sh", "-ec", f'{setup}; exec "$0" "$@"'))
        return [finding["id"]
                for finding in json.loads(text)["ok"]["findings"]]

    FORWARDS = ("sysctl -qw net.ipv4.ip_forward=1 "
                "net.ipv6.conf.all.forwarding=1")

    def test_a_healthy_gateway_has_no_findings(self):
        self.assertEqual(self.doctor(self.FORWARDS, DONE), [])

    def test_forwarding_that_is_off_is_found(self):
        self.assertEqual(
            self.doctor("sysctl -qw net.ipv4.ip_forward=0 "
                        "net.ipv6.conf.all.forwarding=0", NO),
            ["forwarding-ipv4", "forwarding-ipv6"])

    def test_flow_offload_is_found(self):
        if shutil.which("nft") is None:
            self.skipTest("nft is not installed")
        flowtable = ("nft 'add table inet f; add flowtable inet f ft "
                     "{ hook ingress priority 0; devices = { lo }; }'")
        if subprocess.run(["unshare", "-n", "sh", "-c", flowtable],
                          capture_output=True, check=False).returncode != 0:
            self.skipTest("this kernel has no flow tables")
        self.assertEqual(self.doctor(f"{self.FORWARDS}; {flowtable}", NO),
                         ["flow-offload"])

    def test_uninstall_waits_for_the_daemon_to_end(self):
        self.assertIn("stop it first", self.ctl("uninstall", want=NO))
        text = self.ctl("uninstall", socket=f"{self.folder}/none",
                        prefix=("unshare", "-n"))
        self.assertIn("No rule", text)


class DoctorAlone(InNamespace, ServerCase):
    def test_without_a_daemon_it_looks_at_the_policy(self):
        self.stop(self.server)
        policy = f"{self.folder}/symtap.yaml"
        with open(policy, "w", encoding="ascii") as file:
            file.write("inside: [10.0.0.0/8]\n")
        text = self.ctl("doctor", "--config", policy, want=NO, prefix=(
            "unshare", "-n", "sh", "-ec",
            'sysctl -qw net.ipv4.ip_forward=0; exec "$0" "$@"'))
        self.assertIn("not-running", text)
        self.assertIn("forwarding-ipv4", text)
        self.assertNotIn("forwarding-ipv6", text)
        with open(policy, "w", encoding="ascii") as file:
            file.write("inside: nonsense\n")
        text = self.ctl("doctor", "--config", policy, want=NO)
        self.assertIn("is not good", text)
        self.server = self.start()


class Screen:
    """A terminal of 80 by 24, by tmux."""

    def __init__(self, name, *command):
        # A sanitizer that looks for leaks stops who is at a terminal, and
        # now and then for good; the same is looked at in a pipe.
        self.tmux = ["env", "ASAN_OPTIONS=detect_leaks=0", "tmux", "-L", name,
                     "-f", "/dev/null"]
        subprocess.run([*self.tmux, "new-session", "-d", "-x", "80", "-y",
                        "24", "-s", "t", "sh", "-c",
                        f"trap : INT; {' '.join(command)}; "
                        "echo ended $?; sleep 60"],
                       check=True)

    def text(self):
        return subprocess.run([*self.tmux, "capture-pane", "-p", "-t", "t"],
                              capture_output=True, text=True,
                              check=True).stdout

    def keys(self, *keys):
        subprocess.run([*self.tmux, "send-keys", "-t", "t", *keys],
                       check=True)

    def resize(self, width, height):
        subprocess.run([*self.tmux, "resize-window", "-t", "t", "-x",
                        str(width), "-y", str(height)], check=True)

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False)


class OnScreen(Ctl):
    def setUp(self):
        if shutil.which("tmux") is None:
            self.skipTest("tmux is not installed")
        super().setUp()
        self.screen = Screen(
            f"{os.path.basename(self.folder)}-{self._testMethodName}", CTL,
            "-s", self.path, "top", "--interval", "200ms")

    def tearDown(self):
        self.screen.close()
        super().tearDown()

    def shows(self, pattern, within_s=20):
        wait_for(lambda: self.find(pattern), within_s,
                 f"{pattern} in\n{self.screen.text()}")

    def find(self, pattern):
        return re.search(pattern, self.screen.text())


class Live(OnScreen, SharedCase):
    def test_the_page_fits_and_follows_the_keys(self):
        self.shows(r"symtap .* pairs by S ")
        self.shows(r"\n10\.20\.0\.7 +192\.0\.2\.7 +([7-9]|1\d)\.\d\d ")
        lines = self.screen.text().rstrip("\n").split("\n")
        self.assertEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertTrue(lines[23].startswith("q quit"), lines[23])
        self.assertTrue(lines[23].endswith("pace"), lines[23])
        self.screen.keys("f", "h")
        self.shows(r"flows by held")
        self.shows(r"\n10\.20\.0\.7:5001 +192\.0\.2\.7:53/udp ")
        self.screen.keys("Tab")
        self.shows(r"pairs by held")
        self.screen.keys("g", "r")
        self.shows(r"hosts by rate")
        self.shows(r"\n2001:db8:20:: ")
        self.screen.keys("+")
        self.shows(r"every 0\.1 s")
        self.screen.keys("q")
        self.shows(r"ended 0")
        self.assertNotIn("INSIDE", self.screen.text())

    def test_it_follows_the_size_of_the_window(self):
        self.shows(r"pairs by S ")
        self.screen.resize(120, 10)
        wait_for(lambda: len(self.screen.text().rstrip("\n").split("\n")) ==
                 10 and self.screen.text().rstrip("\n").endswith("pace"),
                 20, "ten lines")
        self.screen.resize(40, 5)
        time.sleep(0.5)
        self.screen.resize(80, 24)
        self.shows(r"\n10\.20\.0\.7 +192\.0\.2\.7 ")

    def test_a_signal_gives_the_terminal_back(self):
        self.shows(r"pairs by S ")
        self.screen.keys("C-c")
        self.shows(r"ended 0")


class LiveAgain(OnScreen, ServerCase):
    def test_a_daemon_that_went_away_is_waited_for(self):
        self.shows(r"pairs by S ")
        self.stop(self.server)
        self.shows(r"symtapd does not answer at ")
        self.server = self.start()
        self.shows(r"pairs by S ")


if __name__ == "__main__":
    control_bed.SERVER = sys.argv.pop(1)
    CTL = sys.argv.pop(1)
    unittest.main(verbosity=2)
