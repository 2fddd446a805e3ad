#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""replay_test.py SYMTAP_SIM PACKET_LIST MAN_PAGE

What symtap-sim says of captures: against a model of the limiter, and against
what its manual promises.  Captures in SYMTAP_CAPTURES are compared as well;
without them the last line says so.  Where SYMTAP_SANITIZED is set, each capture
is compared in one way, not in all six.
"""

import glob
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import capture_file
import made_captures
import oracle
from capture_file import TCP, frame
from replay_bed import (FOLDER, MS, SCOPES, SECOND, SHAPES, SIM, START,
                        bursts_before_the_answer, key_of, make, many_keys,
                        objects, path_of, policy, sim, unanswered)

PACKET_LIST, MAN_PAGE = sys.argv[2:4]


# ------ against the model

class Comparison:
    """How far apart the two are, over all keys of a scope."""

    def __init__(self):
        self.keys = self.s_off = self.held = self.count_off = 0
        self.delay_off = 0

    def add(self, want, got):
        self.keys += 1
        if (want["out"], want["in"]) != (got["out"], got["in"]):
            raise AssertionError("counts: %s, not %s" % (got, want))
        self.s_off += abs(want["max_s"] - got["max_s"]) > 0.1
        if not want["delayed"] and not got["delayed"]:
            return
        self.held += 1
        self.count_off += (abs(want["delayed"] - got["delayed"]) >
                           max(1, 0.02 * want["delayed"]))
        self.delay_off += (abs(want["delay_ms_total"] -
                               got["delay_ms_total"]) >
                           0.05 * want["delay_ms_total"])

    def check(self, what):
        if (self.s_off > 0.01 * self.keys or
                self.count_off > 0.05 * self.held or
                self.delay_off > 0.05 * self.held):
            raise AssertionError("%s: %s" % (what, vars(self)))


def packets_of(file):
    listed = subprocess.run([PACKET_LIST, file], capture_output=True,
                            text=True, check=True).stdout.splitlines()
    return oracle.read_packets(listed)


def compare(file, packets, scope, guarded, comparison, yaml="threshold: 2.0",
            **limiter):
    config = policy("%s.yaml" % scope, "limiter: {evidence: packets, %s, "
                    "enforce: [%s]}\n" % (yaml, scope))
    want = oracle.judge(packets, scope, guarded, **limiter)
    done = subprocess.run([SIM, "replay", "-c", config, "--exact", "--inside",
                           guarded, "--json", "-", file],
                          capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise AssertionError(done.stderr)
    got = {key_of(key): key for key in json.loads(done.stdout)["keys"]
           if key["scope"] == scope}
    if set(want) != set(got):
        raise AssertionError("%s: keys %s" % (file, set(want) ^ set(got)))
    for key, values in want.items():
        comparison.add(values, got[key])


class AgainstTheModel(unittest.TestCase):
    def check_all(self, files):
        one_way_each = "SYMTAP_SANITIZED" in os.environ
        ways = [(scope, guarded) for scope in SCOPES
                for guarded in ("initiators", "responders")]
        comparisons = {way: Comparison() for way in ways}
        for number, file in enumerate(files):
            packets = packets_of(file)
            for way in [ways[number % len(ways)]] if one_way_each else ways:
                compare(file, packets, *way, comparisons[way])
        for each, comparison in comparisons.items():
            comparison.check("%s, %s" % each)
            print("%s, %s: %s" % (*each, vars(comparison)))

    def test_generated_captures_of_every_shape(self):
        self.check_all([make(shape) for shape in SHAPES])

    def test_other_thresholds_windows_and_delays(self):
        files = [make(shape) for shape in SHAPES]
        for yaml, limiter in (
                ("threshold: 3.0", {"ratio": 8.0}),
                ("threshold: 0", {"ratio": 1.0}),
                ("threshold: 2.0, window: 4s",
                 {"window_ns": 4 * SECOND, "max_ns": 4096 * MS}),
                ("threshold: 2.0, window: 100ms, first_delay: 7ms, "
                 "max_delay: 50ms", {"window_ns": 100 * MS,
                                     "first_ns": 7 * MS, "max_ns": 50 * MS})):
            comparison = Comparison()
            for file in files:
                compare(file, packets_of(file), "pair", "initiators",
                        comparison, yaml, **limiter)
            comparison.check(yaml)
            print("%s: %s" % (yaml, vars(comparison)))

    def test_captures_of_the_folder(self):
        folder = os.environ.get("SYMTAP_CAPTURES")
        if not folder:
            self.skipTest("SYMTAP_CAPTURES is not set")
        self.check_all(sorted(glob.glob(os.path.join(folder, "*", "*"))))

    def test_the_check_figures(self):
        """3,000 packets at once to nobody."""
        path = path_of("figures.pcap")
        capture_file.write(path, [(START, frame("10.0.0.1", "192.0.2.1"))] *
                           3000)
        config = policy("figures.yaml", "limiter: {evidence: packets, "
                        "threshold: 2.0, enforce: [pair]}\n"
                        "limits: {held_packets: 0, held_bytes: 0, "
                        "held_packets_per_host: 0, held_packets_per_key: 0}\n")
        found, = objects("-c", config, path)
        self.assertTrue(found["exact"])
        self.assertEqual(found["summary"]["delayed"], 2996)
        self.assertAlmostEqual(found["summary"]["delay_ms_max"] / 1000 / 334,
                               1, delta=0.01)


# ------ what the manual promises

class TheContract(unittest.TestCase):
    def test_keys_and_summary_are_as_documented(self):
        found, = objects(make(many_keys))
        with open(MAN_PAGE, encoding="utf-8") as file:
            manual = file.read()
        for name in (list(found) + list(found["keys"][0]) +
                     list(found["summary"])):
            self.assertRegex(manual, r"(?m)^\.It (Ic|Li) .*\b%s\b" % name)
        for key in found["keys"]:
            held = key["delayed"] + key["dropped"]
            self.assertEqual(sum(key["verdict_by"].values()), held)
        by_scope = {scope: [key for key in found["keys"]
                            if key["scope"] == scope] for scope in SCOPES}
        for keys in by_scope.values():
            for name in "out", "in", "delayed", "dropped":
                self.assertEqual(sum(key[name] for key in keys),
                                 found["summary"][name])
        self.assertEqual(found["keys_found"], len(found["keys"]))

    def test_every_packet_is_parsed_or_skipped(self):
        path = path_of("odd.pcap")
        capture_file.write(path, [
            (START, frame("10.0.0.1", "192.0.2.1")),
            (START + 1, b"\0" * 12 + b"\x12\x34" + b"\0" * 40),
            (START + 2, frame("10.0.0.1", "192.0.2.1")[:20]),
        ])
        found, = objects(path)
        self.assertEqual(found["packets"], 3)
        self.assertEqual(found["parsed"] + sum(found["skipped"].values()), 3)
        self.assertEqual(found["skipped"], {"not_ip": 1, "truncated": 1})
        self.assertAlmostEqual(found["duration_s"], 2e-9)

    def test_an_unknown_link_type_is_counted_and_named(self):
        path = path_of("link.pcap")
        capture_file.write(path, [(START, b"x" * 60)], 147)
        found, = objects(path)
        self.assertEqual(list(found["skipped"].values()), [1])
        self.assertRegex(list(found["skipped"])[0], "^link_type_147")

    def test_keys_limits_the_list_worst_first(self):
        path = make(many_keys)
        all_keys = objects(path)[0]["keys"]
        some = objects("--keys", "7", path)[0]
        none = objects("--keys", "0", path)[0]
        self.assertEqual(some["keys"], all_keys[:7])
        self.assertEqual(none["keys"], [])
        self.assertEqual(none["summary"], some["summary"])
        worst = [key["delayed"] + key["dropped"] for key in all_keys]
        self.assertEqual(worst, sorted(worst, reverse=True))

    def test_both_ends_are_judged_in_turn(self):
        path = make(bursts_before_the_answer)
        both = objects("--inside", "both", path)[0]
        each = [objects("--inside", end, path)[0]
                for end in ("initiators", "responders")]
        self.assertEqual(both["guarded"], ["initiators", "responders"])
        for name in "out", "in", "delayed", "dropped":
            self.assertEqual(both["summary"][name],
                             sum(one["summary"][name] for one in each))
        self.assertEqual(len(both["keys"]), sum(len(one["keys"])
                                                for one in each))
        self.assertEqual(both["summary"]["out"], both["packets"])

    def test_prefixes_say_who_is_guarded(self):
        path = path_of("prefix.pcap")
        capture_file.write(path, [
            (START, frame("192.0.2.1", "10.0.0.1")),
            (START + 1, frame("10.0.0.1", "10.0.0.2")),
            (START + 2, frame("192.0.2.1", "192.0.2.2")),
        ])
        found, = objects("--inside", "10.0.0.0/24", path)
        summary = found["summary"]
        self.assertEqual((summary["out"], summary["in"], summary["transit"]),
                         (1, 1, 1))
        hosts = {key["inside"]: (key["out"], key["in"])
                 for key in found["keys"] if key["scope"] == "host"}
        self.assertEqual(hosts, {"10.0.0.1": (1, 1), "10.0.0.2": (0, 1)})
        for more in (["--inside", "10.0.0.1", "--inside", "2001:db8::/32"],
                     ["--inside", "10.0.0.1,2001:db8::/32"],
                     ["--inside", "10.0.0.1", "2001:db8::/32"]):
            self.assertEqual(objects(*more, path)[0]["summary"]["out"], 1)

    def test_what_arrives_inside_with_a_strange_source_is_forged(self):
        path = path_of("forged.pcap")
        mac = b"\x02\0\0\0\0\x07"
        capture_file.write(path, [
            (START, frame("10.0.0.1", "192.0.2.1")),
            (START + 1, frame("198.51.100.1", "192.0.2.1")),
            (START + 2, frame("10.0.0.7", "192.0.2.1")),
            (START + 3, frame("10.0.0.7", "192.0.2.1", mac=mac)),
            (START + 4, frame("10.0.0.8", "192.0.2.1", mac=mac)),
        ])

        def forged(*arguments):
            return objects(*arguments, path)[0]["summary"]["forged"]

        self.assertEqual(forged("--inside", "10.0.0.0/8"), 0)
        self.assertEqual(forged("--inside", "10.0.0.0/8", "--arrives",
                                "inside"), 1)
        bound = policy("bound.yaml", "antispoof: {bindings: [{mac: "
                       "'02:00:00:00:00:07', addresses: [10.0.0.7]}]}\n")
        self.assertEqual(forged("-c", bound, "--arrives", "inside"), 3)
        listed = policy("listed.yaml", "antispoof: {interfaces: {lan0: "
                        "{sources: [10.0.0.8/32]}}}\n")
        self.assertEqual(forged("-c", listed, "--arrives", "inside"), 4)

    def test_rules_accept_drop_exempt_and_limit(self):
        path = path_of("rules.pcap")
        packets = [(START + i, frame("10.0.0.1", "192.0.2.%d" % host, 1000,
                                     50 + host))
                   for host in range(1, 6) for i in range(20)]
        packets += [(START + 20, frame("192.0.2.1", "10.0.0.1", 51, 1000))]
        capture_file.write(path, sorted(packets))
        config = policy("rules.yaml", "limiter: {evidence: packets, enforce: "
                        "[pair]}\nrules:\n"
                        " - {priority: 1, match: {dst_port: 51, proto: udp}, "
                        "action: accept}\n"
                        " - {priority: 2, match: {dst: 192.0.2.2}, "
                        "action: drop}\n"
                        " - {priority: 3, match: {dst: 192.0.2.3}, "
                        "action: exempt}\n"
                        " - {priority: 4, match: {dst: 192.0.2.4}, "
                        "action: limit, threshold: 3.0}\n"
                        " - {priority: 5, match: {dst: 192.0.2.3}, "
                        "action: drop}\n")
        found, = objects("-c", config, path)
        summary = found["summary"]
        self.assertEqual(summary["rule_accepted"], 21)
        self.assertEqual(summary["rule_dropped"], 20)
        self.assertEqual(summary["transit"], 0)
        delayed = {key["outside"]: key["delayed"] for key in found["keys"]
                   if key["scope"] == "pair"}
        both, = objects("-c", config, "--inside", "both", path)
        self.assertEqual(both["summary"]["rule_accepted"], 21)
        self.assertEqual(both["summary"]["transit"], 0)
        self.assertEqual(delayed, {"192.0.2.3": 0, "192.0.2.4": 12,
                                   "192.0.2.5": 16})

    def test_rules_know_tcp_flags_and_answers(self):
        path = path_of("flags.pcap")
        capture_file.write(path, [
            (START, frame("10.0.0.1", "192.0.2.1", 1, 2, TCP,
                          capture_file.SYN)),
            (START + 1, frame("192.0.2.1", "10.0.0.1", 2, 1, TCP,
                              capture_file.SYN | capture_file.ACK)),
            (START + 2, frame("10.0.0.1", "192.0.2.1", 1, 2, TCP)),
        ])
        config = policy("flags.yaml", "rules: [{priority: 1, match: {proto: "
                        "tcp, dst_port: 2, flags: syn}, action: drop}]\n")
        summary = objects("-c", config, path)[0]["summary"]
        self.assertEqual((summary["rule_dropped"], summary["out"],
                          summary["in"]), (1, 1, 1))

    def test_the_default_is_the_shipped_policy(self):
        shipped = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                               "..", "..", "contrib", "symtap.yaml")
        for shape in SHAPES:
            self.assertEqual(objects("--inside", "policy", make(shape)),
                             objects("--inside", "policy", "-c", shipped,
                                     make(shape)))

    def test_max_s_is_plain_whatever_decides(self):
        """Every packet counted as captured, by hand for the pair."""
        scan = [(number * .01 + after, made_captures.tcp(*ends))
                for number in range(200) for after, ends in (
                    (0, (made_captures.HOST, 20000 + number, "203.0.113.80",
                         number, made_captures.SYN)),
                    (.001, ("203.0.113.80", number, made_captures.HOST,
                            20000 + number, made_captures.RST)))]
        for name, packets, decides in (
                ("upload", made_captures.upload(), True),
                ("finished", made_captures.finished_flood(), False),
                ("scan", scan, True)):
            path = path_of("plain-%s.pcap" % name)
            made_captures.write(path, packets)
            told = {evidence: objects("-c", policy(
                "plain-%s.yaml" % evidence,
                "limiter: {evidence: %s}\n" % evidence), path)[0]
                for evidence in ("packets", "consent")}
            by_key = [{key_of(key): key["max_s"] for key in each["keys"]}
                      for each in told.values()]
            self.assertEqual(*by_key)
            self.assertEqual(decides, told["packets"]["summary"]["delayed"] !=
                             told["consent"]["summary"]["delayed"], name)
            pair, = {key["max_s"] for key in told["consent"]["keys"]
                     if key["scope"] == "pair"}
            inside = made_captures.ipv4(made_captures.HOST, "0.0.0.0", 0,
                                        b"")[12:16]
            self.assertAlmostEqual(pair, oracle.peak(
                [(round(at * SECOND), packet[12:16] == inside, None)
                 for at, packet in sorted(packets, key=lambda each: each[0])]),
                places=2)

    def test_a_jump_of_months_and_time_that_runs_back(self):
        path = path_of("jump.pcap")
        times = [0, 1, 200 * 86400 * SECOND, 100 * 86400 * SECOND,
                 201 * 86400 * SECOND]
        capture_file.write(path, [(START + time, frame("10.0.0.1", "192.0.2.1"))
                                  for time in times])
        found, = objects(path, timeout=5)
        self.assertEqual(found["time_ran_back"], 1)
        self.assertAlmostEqual(found["duration_s"], 201 * 86400, delta=1)
        self.assertEqual(found["summary"]["delayed"], 0)

    def test_the_answer_to_this_capture_stays_the_same(self):
        golden = os.path.join(os.path.dirname(__file__), "replay_golden.json")
        config = policy("golden.yaml", "limiter: {evidence: packets, "
                        "threshold: 2.0, enforce: [pair, flow]}\n")
        found, = objects("-c", config, make(bursts_before_the_answer))
        found["file"] = "bursts.pcap"
        text = json.dumps(found, indent=1) + "\n"
        if os.environ.get("SYMTAP_UPDATE"):
            with open(golden, "w", encoding="utf-8") as file:
                file.write(text)
        with open(golden, encoding="utf-8") as file:
            self.assertEqual(file.read(), text)


class TheCommand(unittest.TestCase):
    def test_usage_is_2(self):
        path = make(unanswered)
        for wrong in ([], ["--nonsense", path], ["--keys", "x", path],
                      ["--keys", "-1", path], ["--jobs", "0", path],
                      ["--inside", "nobody", path],
                      ["--inside", "both", "--inside", "10.0.0.0/8", path],
                      ["--arrives", "outside", path], ["-", "-"],
                      ["-c", policy("wrong.yaml", "limits: 7\n"), path]):
            self.assertNotEqual(sim(*wrong, status=2).stderr, "")
        self.assertIn("usage", sim("--help").stdout)

    def test_what_cannot_be_opened_is_1_and_the_rest_is_done(self):
        path = make(unanswered)
        done = sim("--json", "-", "/nonexistent/x.pcap", path, status=1)
        self.assertIn("/nonexistent/x.pcap", done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        sim("--json", "/nonexistent/x.json", path, status=1)

    def test_a_full_disk_is_noticed(self):
        path = make(unanswered)
        for words in ((), ("--json", "-")):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([SIM, "replay", *words, path],
                                      stdout=full, stderr=subprocess.PIPE,
                                      check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"standard output", done.stderr)

    def test_damage_is_3_with_the_results_up_to_there(self):
        whole = make(unanswered)
        cut = path_of("cut.pcap")
        with open(whole, "rb") as file:
            data = file.read()
        with open(cut, "wb") as file:
            file.write(data[:len(data) // 2])
        done = sim("--json", "-", cut, status=3)
        found = json.loads(done.stdout)
        self.assertIn("damaged at byte %d" % found["error_offset"],
                      done.stderr)
        self.assertGreater(found["packets"], 10)

    def test_standard_input_and_files_side_by_side(self):
        paths = [make(shape) for shape in SHAPES]
        one_by_one = [objects("--keys", "3", path)[0] for path in paths]
        self.assertEqual(objects("--keys", "3", "--jobs", "3", *paths),
                         one_by_one)
        with open(paths[0], "rb") as file:
            found, = objects("--keys", "3", "-", stdin=file)
        self.assertEqual(found["summary"], one_by_one[0]["summary"])

    def check_guard(self, packets, guard, sentence):
        path = path_of(guard + ".pcap")
        made_captures.write(path, packets)
        found, = objects(path)
        summary = found["summary"]
        held = summary["delayed"] + summary["dropped"]
        self.assertGreater(summary["guards"][guard], 0)
        self.assertEqual(summary["verdict_by"]["guard"],
                         sum(summary["guards"].values()))
        self.assertEqual(sum(summary["verdict_by"].values()), held)
        # Each key tells of its own, and each scope of all packets.
        for scope in SCOPES:
            keys = [key for key in found["keys"] if key["scope"] == scope]
            self.assertEqual(sum(sum(key["verdict_by"].values())
                                 for key in keys), held)
            self.assertEqual(sum(key["verdict_by"]["guard"] for key in keys),
                             summary["verdict_by"]["guard"])
            self.assertEqual(sum(key["delayed"] for key in keys),
                             summary["delayed"])
        self.assertIn(sentence, sim(path).stdout)
        return summary

    def test_what_the_guards_held_is_theirs(self):
        summary = self.check_guard(
            made_captures.sweep(), "first_contacts",
            "the host tried more than 20 others in a second")
        # 50 a second for 4 seconds; 20 in any second may leave.
        self.assertGreater(summary["delayed"], 100)
        self.assertEqual(summary["dropped"], 0)
        summary = self.check_guard(
            made_captures.finished_flood(), "new_connections",
            "more than 100 new connections in a second to one host")
        self.assertGreater(summary["guards"]["new_connections"], 300)

    def test_a_first_contact_is_the_first_in_a_minute(self):
        # 60 silent peers, met at 10 a second, then sent to every 2 seconds.
        def keepalives():
            for turn in range(6):
                for peer in range(60):
                    at = (peer / 10 if turn == 0 else
                          6 + 2 * turn + peer / 30)
                    yield at, made_captures.udp("10.0.0.1", 4000 + peer,
                                                "203.0.113.%d" % peer, 4500)

        path = path_of("keepalives.pcap")
        made_captures.write(path, list(keepalives()))
        for text in ("", "limiter: {patience: 0}\n",
                     "limiter: {evidence: packets}\n"):
            found, = objects("-c", policy("keepalives.yaml", text), path)
            self.assertEqual(found["summary"]["delayed"], 0, text)

    def test_nothing_guarded_is_said_in_words(self):
        path = make(unanswered)
        told = sim("--inside", "198.51.100.0/24", path).stdout
        self.assertIn("guarded: 198.51.100.0/24\n", told)
        self.assertIn("Nothing was judged: no guarded host sent anything.",
                      told)

    def test_the_table_names_the_worst(self):
        done = sim(make(unanswered), make(many_keys))
        self.assertIn("guarded: who sent the first packet", done.stdout)
        self.assertRegex(done.stdout, r"symtap would have held \d+ of \d+ out")
        self.assertRegex(done.stdout, r"S rose to [\d.]+, above the threshold "
                         r"of 2\.0: in 1s it had sent \d+ packets and heard 0")
        self.assertRegex(done.stdout, r"10\.0\.0\.1 +192\.0\.2\.\d")
        self.assertIn("2 captures", done.stdout)
        self.assertNotIn("\r", done.stderr)
        self.assertIn("packets", sim("--progress", make(many_keys)).stdout)

    def test_progress_is_shown_while_it_reads(self):
        with open(make(unanswered), "rb") as file:
            data = file.read()
        with subprocess.Popen([SIM, "replay", "--progress", "--json", "-",
                               "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as child:
            child.stdin.write(data)
            child.stdin.flush()
            shown = b""
            while b"MB/s" not in shown:
                shown += os.read(child.stderr.fileno(), 4096)
            child.stdin.close()
            found = json.loads(child.stdout.read())
            self.assertEqual(child.wait(), 0)
        self.assertRegex(shown.decode(), r"\d M packets, [\d.]+ M/s")
        self.assertGreater(found["packets"], 10)

    def test_plots_are_svg_or_png_and_of_one_capture(self):
        path = make(unanswered)
        for end in ("initiators", "both"):
            svg = path_of(end + ".svg")
            sim("--plot", svg, "--inside", end, path)
            with open(svg, encoding="utf-8") as file:
                self.assertIn("<svg", file.read())
        png = path_of("plot.png")
        sim("--plot", png, path)
        with open(png, "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
        sim("--plot", path_of("plot.gif"), path, status=2)
        sim("--plot", png, path, path, status=2)
        sim("--plot", "/nonexistent/plot.svg", path, status=1)
        empty = path_of("empty.pcap")
        capture_file.write(empty, [])
        sim("--plot", png, empty)

    def test_file_names_may_be_anything(self):
        odd = os.fsencode(FOLDER.name) + b"/\xff\"\n.pcap"
        os.link(make(unanswered), odd)
        done = subprocess.run([SIM, "replay", "--json", "-", odd],
                              capture_output=True, check=True)
        self.assertIn('"\n.pcap', json.loads(done.stdout)["file"])


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1] + sys.argv[4:], exit=False).result
    FOLDER.cleanup()
    if result.wasSuccessful() and not os.environ.get("SYMTAP_CAPTURES"):
        print("on generated captures only: SYMTAP_CAPTURES is not set")
    sys.exit(not result.wasSuccessful())
