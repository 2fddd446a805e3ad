#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""profiles_test.py SYMTAP-SIM: each of contrib/profiles does what it is for.

What it is for is held by the default and not by the profile; and attacks are
held all the same, up to what the profile's comments say they gain."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import made_captures
from made_captures import ACK, HOST, SYN, tcp, udp

SIM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "symtap-sim"
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "..", "..", "contrib", "profiles")
DEFAULT = "inside: [10.0.0.0/8]\n"


def profiles():
    return sorted(name[:-5] for name in os.listdir(FOLDER))


def sim(*words):
    return subprocess.run([SIM, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120,
                          check=False)


def text_of(profile, addresses):
    """A profile as an operator puts it to use: with addresses of their own."""
    if profile is None:
        return DEFAULT
    with open(os.path.join(FOLDER, profile + ".yaml")) as file:
        text = file.read()
    for there, ours in addresses.items():
        text, places = re.subn(r"(?<=[ \[])%s(?=[,}])" % re.escape(there),
                               ours, text)
        if places == 0:
            raise ValueError("%s: no %s" % (profile, there))
    return text


class Place:
    """A folder with a policy in it."""

    def __init__(self, profile, addresses):
        self.folder = tempfile.TemporaryDirectory(prefix="symtap-profiles-")
        self.policy = self.put("policy.yaml", text_of(profile, addresses))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def put(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)


def run(profile, senders, addresses=None, duration="60s"):
    """What became of each sender, by its name."""
    with Place(profile, addresses or {}) as place:
        world = place.put("world.yaml", (
            "about: profiles\nduration: %s\n"
            "links: {host: {rate: 1Gbit/s}, out: {rate: 1Gbit/s, delay: 15ms},"
            " back: {rate: 1Gbit/s, delay: 15ms}}\nsenders:\n" % duration)
            + "".join("  - {name: %s, %s}\n" % each
                      for each in senders.items()))
        ran = sim("run", "-c", place.policy, "--json", "-", world)
    if ran.returncode != 0:
        raise AssertionError(ran.stdout + ran.stderr)
    return {each["name"]: each for each in json.loads(ran.stdout)["senders"]}


def replay(profile, packets, addresses=None):
    """The summary of a capture that is made of these packets."""
    with Place(profile, addresses or {}) as place:
        made_captures.write(place.path("made.pcap"), packets)
        ran = sim("replay", "-c", place.policy, "--inside", "policy",
                  "--keys", "0", "--json", "-", place.path("made.pcap"))
    if ran.returncode != 0:
        raise AssertionError(ran.stdout + ran.stderr)
    return json.loads(ran.stdout)["summary"]


class Profiles(unittest.TestCase):
    def held(self, sender):
        self.assertGreater(sender["delay_max_ms"], 100, sender)

    def not_held(self, sender):
        self.assertEqual((0, 0), (sender["delay_max_ms"], sender["dropped"]),
                         sender)
        self.assertEqual(sender["offered"], sender["let_out"])

    def silent_target_is_held(self, sender):
        self.assertGreater(sender["offered"], 10000)
        self.assertLessEqual(sender["any_second"], 64, sender)
        self.assertLessEqual(sender["let_out_per_s"], 12, sender)

    def test_there_are_seven(self):
        self.assertEqual(["campus", "flow-exporters-and-syslog",
                          "games-and-voice", "hosting", "literal",
                          "peer-to-peer", "seven-to-one"], profiles())

    def test_no_profile_lets_a_flood_of_a_silent_target_pass(self):
        flood = {"flood": "kind: flood, from: 10.0.0.1, to: 192.0.2.99, "
                          "packets_per_s: 500",
                 "ports": "kind: flood, from: 10.0.0.2, to: 192.0.2.99, "
                          "packets_per_s: 500, ports: next, proto: syn"}
        for profile in profiles():
            with self.subTest(profile):
                for sender in run(profile, flood).values():
                    self.silent_target_is_held(sender)

    # ------ campus

    @staticmethod
    def resolver():
        """Sixty questions a second, each to another server; a third of them
        answers."""
        packets = []
        for number in range(1200):
            at, server = number / 60, "198.18.%d.%d" % divmod(number, 250)
            packets.append((at, udp(HOST, 20000 + number, server, 53, 40)))
            if number % 3 == 0:
                packets.append((at + .03, udp(server, 53, HOST, 20000 + number,
                                              120)))
        return packets

    def test_campus_lets_resolvers_ask(self):
        asked = self.resolver()
        self.assertGreater(replay(None, asked)["delayed"], 100)
        self.assertEqual(0, replay("campus", asked,
                                   {"192.0.2.53": HOST})["delayed"])

    def test_campus_holds_who_asks_like_a_resolver(self):
        told = replay("campus", self.resolver(), {"192.0.2.53": "10.0.0.53"})
        self.assertGreater(told["delayed"], 100)

    def test_campus_holds_worms_and_floods_of_students(self):
        found = run("campus", {
            "worm": "kind: flood, proto: syn, from: 10.0.0.1, "
                    "to: 198.18.0.0/15, pick: next, packets_per_s: 500",
            "connections": "kind: flood, proto: syn, from: 10.0.0.2, "
                           "to: '192.0.2.1:80', from_ports: next, "
                           "packets_per_s: 1000, answered: true, "
                           "completes: true",
            "group": "kind: flood, from: 10.0.0.3, to: 239.1.1.1, "
                     "packets_per_s: 1000"})
        self.assertLessEqual(found["worm"]["contacts_any_second"], 20)
        self.assertLessEqual(found["connections"]["connections_any_second"], 50)
        self.assertLessEqual(found["group"]["let_out_per_s"], 200.1)
        self.assertEqual(0, found["group"]["delay_max_ms"])

    def test_campus_notices_no_speed_test(self):
        found = run("campus", {
            "test": "kind: flood, proto: syn, from: 10.0.0.1, "
                    "to: '192.0.2.1:443', from_ports: next, "
                    "packets_per_s: 1000, burst: 32, pause: 2s, "
                    "answered: true, completes: true"})
        self.not_held(found["test"])

    # ------ hosting

    PROXY = ("kind: flood, proto: syn, from: 10.0.0.1, to: '192.0.2.1:80', "
             "from_ports: next, answered: true, completes: true, "
             "packets_per_s: %d")

    def test_hosting_lets_proxies_connect(self):
        proxy = {"proxy": self.PROXY % 400}
        self.held(run(None, proxy)["proxy"])
        self.not_held(run("hosting", proxy)["proxy"])

    def test_hosting_drops_nothing_of_a_proxy_that_starts(self):
        start = {"proxy": self.PROXY % 100000 + ", burst: 4000, pause: 1h"}
        self.assertGreater(run(None, start)["proxy"]["dropped"], 0)
        found = run("hosting", start)["proxy"]
        self.assertEqual(0, found["dropped"])
        self.assertLess(found["delay_max_ms"], 5000)

    def test_hosting_lets_logs_leave(self):
        log = {"log": "kind: flood, from: 10.0.0.2, to: '192.0.2.1:514', "
                      "packets_per_s: 200"}
        self.held(run(None, log)["log"])
        self.not_held(run("hosting", log,
                          {"192.0.2.10": "192.0.2.1"})["log"])

    def test_hosting_paces_a_server_that_was_taken_over(self):
        found = run("hosting", {
            "connections": self.PROXY % 3000,
            "sweep": "kind: flood, from: 10.0.0.2, to: 198.18.0.0/15, "
                     "pick: next, packets_per_s: 1000"})
        self.assertLessEqual(found["connections"]["connections_any_second"],
                             1000)
        self.assertLessEqual(found["sweep"]["contacts_any_second"], 100)

    def test_hosting_holds_no_server_that_answers(self):
        packets = []
        for number in range(2000):
            at, client = number / 200, "198.18.%d.%d" % divmod(number, 250)
            packets += [
                (at, tcp(client, 4000, HOST, 443, SYN)),
                (at + .001, tcp(HOST, 443, client, 4000, SYN | ACK, 1, 2)),
                (at + .05, tcp(client, 4000, HOST, 443, ACK, 2, 2)),
                (at + .051, tcp(client, 4000, HOST, 443, ACK, 2, 2, 300)),
            ] + [(at + .06 + segment / 10000,
                  tcp(HOST, 443, client, 4000, ACK, 2 + segment * 1400, 302,
                      1400)) for segment in range(10)]
        self.assertEqual(0, replay("hosting", packets)["delayed"])

    # ------ games and voice

    SERVERS = {"192.0.2.16/28": "10.0.7.16/28"}

    def test_games_and_voice_lets_streams_go_on(self):
        streams = {
            "call": "kind: rtp, from: 10.0.0.1, to: 192.0.2.1, one_way: true",
            "upload": "kind: quic, from: 10.0.0.2, to: 192.0.2.2, bytes: 20MiB,"
                      " pause: 10s, ack_every: 256",
            "announcement": "kind: rtp, from: 10.0.7.16, to: 192.0.2.3, "
                            "one_way: true, report: 1h"}
        before = run(None, streams, duration="120s")
        found = run("games-and-voice", streams, self.SERVERS, "120s")
        for name, sender in before.items():
            with self.subTest(name):
                self.held(sender)
        self.not_held(found["announcement"])
        # After three reports a call is known to be answered.
        self.assertLess(before["call"]["let_out_per_s"], 15)
        self.assertGreater(found["call"]["let_out_per_s"], 47)
        self.assertEqual(0, found["call"]["delay_p50_ms"])
        self.assertGreater(found["upload"]["good_bytes"],
                           1.5 * before["upload"]["good_bytes"])

    def test_games_and_voice_bounds_what_an_accomplice_buys(self):
        for every in (16, 64, 256):
            friend = run("games-and-voice", {
                "friend": "kind: flood, from: 10.0.0.1, to: 192.0.2.1, "
                          "packets_per_s: 2000, reply_every: %d" % every},
                duration="300s")["friend"]
            bought = friend["let_out"] - 64 - 12 * 300
            self.assertLessEqual(bought, 254 * friend["heard"], friend)
            self.assertLessEqual(friend["any_second"], 2048 + 64 + 12 + 254
                                 * (2000 // every + 1), friend)

    def test_games_and_voice_bounds_its_own_media_servers(self):
        found = run("games-and-voice", {
            "taken": "kind: flood, from: 10.0.7.17, to: 192.0.2.1, "
                     "packets_per_s: 2000"}, self.SERVERS)["taken"]
        self.assertLessEqual(found["let_out_per_s"], 264)

    # ------ peer-to-peer

    SEARCH = ("kind: flood, from: 10.0.0.1, to: 198.18.0.0/15, pick: next, "
              "packets_per_s: %d")

    def test_peer_to_peer_lets_programs_search(self):
        for answers in (", reply_every: 5", ""):
            search = {"search": self.SEARCH % 100 + answers}
            self.held(run(None, search)["search"])
            self.not_held(run("peer-to-peer", search)["search"])

    def test_peer_to_peer_paces_a_sweep(self):
        found = run("peer-to-peer", {"sweep": self.SEARCH % 2000})["sweep"]
        self.assertLessEqual(found["contacts_any_second"], 200)

    # ------ flow exporters and syslog

    ONE_WAY = {
        "log": "kind: flood, from: 10.0.0.1, to: '198.18.0.10:514', "
               "packets_per_s: 100",
        "netflow": "kind: flood, from: 10.0.0.2, to: '198.18.0.10:2055', "
                   "packets_per_s: 300",
        "ipfix": "kind: flood, from: 10.0.0.3, to: '198.18.0.10:4739', "
                 "packets_per_s: 300",
        "sflow": "kind: flood, from: 10.0.0.4, to: '198.18.0.10:6343', "
                 "packets_per_s: 300",
        "time": "kind: flood, from: 10.0.0.20, to: '198.18.0.7:319', "
                "packets_per_s: 128",
        "studio": "kind: rtp, from: 10.0.0.30, to: 198.18.0.30, "
                  "packets_per_s: 1000, size: 1344, one_way: true, report: 1h",
        "srt": "kind: flood, from: 10.0.0.31, to: 198.18.0.30, "
               "packets_per_s: 2000, reply_every: 20",
    }
    ADDRESSES = {"192.0.2.10": "198.18.0.10", "192.0.2.20": "10.0.0.20",
                 "192.0.2.30": "10.0.0.30", "192.0.2.31": "10.0.0.31",
                 "198.51.100.30": "198.18.0.30"}

    def test_exporters_are_not_held(self):
        for sender in run(None, self.ONE_WAY).values():
            self.held(sender)
        found = run("flow-exporters-and-syslog", self.ONE_WAY, self.ADDRESSES)
        self.assertEqual(0, found["srt"]["dropped"])
        self.assertLess(found.pop("srt")["delay_max_ms"], 10)
        for sender in found.values():
            self.not_held(sender)

    def test_exporters_without_addresses_are_as_by_default(self):
        for sender in run("flow-exporters-and-syslog",
                          self.ONE_WAY).values():
            self.held(sender)

    def test_exporters_open_no_other_way(self):
        flood = "kind: flood, packets_per_s: 300, from: %s, to: %s"
        found = run("flow-exporters-and-syslog", {
            "port": flood % ("10.0.0.1", "'198.18.0.10:9'"),
            "collector": flood % ("10.0.0.2", "'198.18.0.11:2055'"),
            "clock": flood % ("10.0.0.21", "'198.18.0.7:319'"),
            "encoder": flood % ("10.0.0.30", "198.18.0.31")},
            self.ADDRESSES)
        for name, sender in found.items():
            with self.subTest(name):
                self.silent_target_is_held(sender)

    # ------ the plain ones

    def test_plain_ones_hold_the_fifth_or_the_eighth(self):
        packets = [(number / 1000, udp(HOST, 5000, "198.18.0.1", 9))
                   for number in range(10)]
        for profile, delayed in ((None, 0), ("literal", 6),
                                 ("seven-to-one", 3)):
            with self.subTest(profile or "default"):
                self.assertEqual(delayed, replay(profile, packets)["delayed"])

    def test_seven_to_one_lets_six_for_one_pass(self):
        packets = []
        for number in range(1200):
            packets.append((number / 100, udp(HOST, 5000, "198.18.0.1", 9)))
            if number % 6 == 0:
                packets.append((number / 100 + .005,
                                udp("198.18.0.1", 9, HOST, 5000)))
        self.assertGreater(replay("literal", packets)["delayed"], 500)
        self.assertEqual(0, replay("seven-to-one", packets)["delayed"])


if __name__ == "__main__":
    unittest.main()
