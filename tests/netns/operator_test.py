#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator sees and does at a gateway, with real packets.

    operator_test.py --build BUILD [NAME...]
"""

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import time
import unittest

from gateway_lab import Lab, finish, until

SKIPPED = 77
OPTIONS = None
SENDER = "10.20.0.2"
RECEIVER = "10.99.0.2"


class OperatorTest(unittest.TestCase):
    """A gateway for each test."""

    def setUp(self):
        self.lab = Lab(OPTIONS)
        self.lab.__enter__()
        self.addCleanup(self.lab.__exit__, None, None, None)

    def ctl(self, *words, path=None):
        """The "ok" part of symtapctl's answer."""
        answer = json.loads(self.lab.exec(
            "gw", OPTIONS.symtapctl, "--json", "-s",
            path or os.path.join(self.lab.folder, "control.sock"), *words,
            check=False))
        self.assertIn("ok", answer)
        return answer["ok"]

    def found(self, *words, **options):
        return [finding["id"]
                for finding in self.ctl("doctor", *words, **options)["findings"]]

    def hold(self, count=40):
        """A sender of whom packets wait, and its port."""
        sender = self.lab.socket("in", port=5001)
        for _ in range(count):
            sender.sendto(b"x" * 100, (RECEIVER, 53))
        until(lambda: self.held() > 0, 5, "packets wait")
        return sender

    def held(self):
        rows = self.ctl("top", "--scope", "flow", "--by", "held")["rows"]
        return rows[0]["held_packets"] if rows else 0

    def test_a_healthy_gateway_has_no_findings(self):
        self.lab.start()
        finish(self.lab.talk(1.5))
        self.assertEqual(self.found(), [])

    def test_forwarding_that_is_off_is_found(self):
        self.lab.start()
        self.lab.exec("gw", "sysctl", "-qw", "net.ipv4.ip_forward=0")
        self.assertIn("forwarding-ipv4", self.found())

    def test_a_queue_that_another_uses_is_found(self):
        self.lab.start()
        policy = os.path.join(self.lab.folder, "symtap.yaml")
        nobody = os.path.join(self.lab.folder, "nobody.sock")
        self.assertEqual(self.found("--config", policy, path=nobody),
                         ["not-running", "queue-taken"])

    def test_explain_says_how_many_replies_free_it(self):
        self.lab.start()
        self.hold()
        body = self.ctl("explain", SENDER)
        self.assertIn("is held", body["says"])
        flow = next(row for row in body["rows"] if row["scope"] == "flow")
        self.assertEqual((flow["inside_port"], flow["outside_port"]),
                         (5001, 53))
        self.assertGreater(flow["replies_needed"], 0)
        answers = self.lab.socket("out", port=53)
        for _ in range(20):
            answers.sendto(b"y", (SENDER, 5001))
        until(lambda: self.held() == 0, 5, "nothing waits")

    def test_release_lets_out_what_waits(self):
        self.lab.start()
        listener = self.lab.socket("out", port=53)
        self.hold(count=30)
        released = self.ctl("release", SENDER)["released_packets"]
        self.assertGreater(released, 10)
        listener.settimeout(2)
        for _ in range(30):
            listener.recv(2048)

    def test_an_exempt_sender_is_not_held_until_the_end(self):
        self.lab.start()
        listener = self.lab.socket("out", port=53)
        self.ctl("exempt", SENDER, "for", "10m")
        sender = self.lab.socket("in", port=5001)
        for _ in range(200):
            sender.sendto(b"x" * 100, (RECEIVER, 53))
        listener.settimeout(2)
        for _ in range(200):
            listener.recv(2048)
        self.ctl("exempt", SENDER, "end")
        time.sleep(1.1)
        for _ in range(40):
            sender.sendto(b"x" * 100, (RECEIVER, 53))
        until(lambda: self.held() > 0, 5, "packets wait again")

    def test_what_the_kernel_refuses_is_offered_all_the_same(self):
        self.lab.start()
        flood = self.lab.flood(5)

        def flooding():
            rows = self.ctl("top", "--limit", "1")["rows"]
            return rows and rows[0]["offered_per_s"] > 2000 and rows[0]

        row = until(flooding, 5, "the flood is seen in full")
        self.assertLess(row["let_out_per_s"], 20)
        self.assertGreater(row["S_offered"], 10)
        flood.kill()

    def test_uninstall_lifts_what_a_killed_daemon_left(self):
        self.lab.start(fail="closed")
        answer = self.lab.exec("gw", OPTIONS.symtapctl, "-s",
                               os.path.join(self.lab.folder, "control.sock"),
                               "uninstall", check=False)
        self.assertEqual(answer, "")
        self.lab.stop(signal.SIGKILL)
        listener = self.lab.socket("out", port=53)
        listener.settimeout(0.5)
        sender = self.lab.socket("in")
        sender.sendto(b"blocked", (RECEIVER, 53))
        with self.assertRaises(socket.timeout):
            listener.recv(2048)
        self.ctl("uninstall", path=os.path.join(self.lab.folder, "none"))
        sender.sendto(b"free", (RECEIVER, 53))
        self.assertEqual(listener.recv(2048), b"free")
        self.assertNotIn("symtap", self.lab.exec("gw", "nft", "list",
                                                 "tables"))


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    OPTIONS, names = parser.parse_known_args()
    OPTIONS.symtapd = os.path.join(OPTIONS.build, "shaper/daemon/symtapd")
    OPTIONS.symtapctl = os.path.join(OPTIONS.build, "shaper/ctl/symtapctl")
    OPTIONS.traffic = os.path.join(
        OPTIONS.build, "tests/bench/gateway.parts/bench-gateway-traffic")
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("needs root and iproute2 for network namespaces")
        return SKIPPED
    unittest.main(argv=[sys.argv[0], *names], verbosity=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
