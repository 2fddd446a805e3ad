#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator sees and does at a gateway, with real packets."""

import json
import signal
import socket
import threading
import time

import gateway_bed as bed
import lab
import traffic

OFFERED_PER_S = 10000
OFFERED_BACK = 3  # half seconds; who sent or counted late caught up within
SWEPT = 120
SO_MAX_PACING_RATE = 47
UPLOAD_BYTES_PER_S = 4 << 20


class OperatorTest(bed.Case):

    def ctl(self, *words, path=None):
        """The "ok" part of symtapctl's answer."""
        if path:
            words = ("-s", path, *words)
        answer = json.loads(self.symtapd.ctl("--json", *words, check=False))
        self.assertIn("ok", answer)
        return answer["ok"]

    def found(self, *words, **options):
        return [finding["id"]
                for finding in self.ctl("doctor", *words, **options)["findings"]]

    def hold(self, count=40):
        """A sender of whom packets wait, and its port."""
        sender = traffic.sender(self.net.host, lab.GUARDED, 5001)
        self.send(sender, count)
        self.assertTrue(lab.eventually(lambda: self.held() > 0))
        return sender

    @staticmethod
    def send(sender, count):
        for number in range(count):
            sender.sendto(traffic.numbered(number), (lab.OUTSIDE, 53))

    def held(self):
        rows = self.ctl("top", "--scope", "flow", "--by", "held")["rows"]
        return rows[0]["held_packets"] if rows else 0

    def test_a_healthy_gateway_has_no_findings(self):
        self.start()
        self.check_whole(self.talk(seconds=1.5).finish())
        self.assertEqual(self.found(), [])

    def test_forwarding_that_is_off_is_found(self):
        self.start()
        self.net.gateway.write("/proc/sys/net/ipv4/ip_forward", 0)
        try:
            self.assertIn("forwarding-ipv4", self.found())
        finally:
            self.net.gateway.write("/proc/sys/net/ipv4/ip_forward", 1)

    def test_a_queue_that_another_uses_is_found(self):
        self.start()
        self.assertEqual(self.found("--config",
                                    self.symtapd.path("symtap.yaml"),
                                    path=self.symtapd.path("nobody.sock")),
                         ["not-running", "queue-taken"])

    def test_explain_says_how_many_replies_free_it(self):
        self.start()
        self.hold()
        body = self.ctl("explain", lab.GUARDED)
        self.assertIn("is held", body["says"])
        flow = next(row for row in body["rows"] if row["scope"] == "flow")
        self.assertEqual((flow["inside_port"], flow["outside_port"]),
                         (5001, 53))
        self.assertGreater(flow["replies_needed"], 0)
        answers = traffic.sender(self.net.outside, lab.OUTSIDE, 53)
        for _ in range(20):
            answers.sendto(b"y", (lab.GUARDED, 5001))
        self.assertTrue(lab.eventually(lambda: self.held() == 0))

    def test_release_lets_out_what_waits(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 53)
        self.hold(count=30)
        released = self.ctl("release", lab.GUARDED)["released_packets"]
        self.assertGreater(released, 10)
        self.assertEqual(traffic.numbers(ear.receive(5, 30)), list(range(30)))

    def test_an_exempt_sender_is_not_held_until_the_end(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 53)
        self.ctl("exempt", lab.GUARDED, "for", "10m")
        sender = traffic.sender(self.net.host, lab.GUARDED, 5001)
        self.send(sender, 200)
        self.assertEqual(traffic.numbers(ear.receive(5, 200)),
                         list(range(200)))
        self.ctl("exempt", lab.GUARDED, "end")
        self.assertTrue(lab.eventually(self.is_held_after_sending))

    def is_held_after_sending(self):
        sender = traffic.sender(self.net.host, lab.GUARDED)
        self.send(sender, 40)
        return self.held() > 0

    def test_what_the_kernel_refuses_is_offered_all_the_same(self):
        self.start()
        traffic.Blast(self.net.host, "eth0", self.flood_frame(), bed.BUILD,
                      seconds=20, pkts_per_s=OFFERED_PER_S)

        def flooding():
            rows = self.ctl("top", "--by", "rate", "--limit", "1")["rows"]
            return (rows and rows[0]["offered_per_s"] > OFFERED_PER_S / 2 and
                    rows[0])

        self.assertTrue(lab.eventually(flooding, 10))
        # And it stays so, also while a refusal ends and the next begins.
        came = [0] * OFFERED_BACK
        for _ in range(8):
            before = self.symtapd.ask("status")["uptime_s"]
            lab.eventually(lambda past=before: self.symtapd.ask("status")
                           ["uptime_s"] > past + 0.5)
            row = flooding()
            self.assertTrue(row)
            came.append(int(self.net.gateway.read(
                "/sys/class/net/lan0/statistics/rx_packets")))
            self.assertLess(row["offered_per_s"],
                            came[-1] - came[-1 - OFFERED_BACK])
            self.assertLess(row["let_out_per_s"], 20)
            self.assertGreater(row["S_offered"], 12.5)

    def test_uninstall_lifts_what_a_killed_daemon_left(self):
        self.start(fail="closed")
        self.assertIn("stop it first",
                      self.symtapd.ctl("uninstall", check=False))
        self.symtapd.stop(signal.SIGKILL)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 53)
        sender = traffic.sender(self.net.host, lab.GUARDED)
        sender.sendto(b"blocked", (lab.OUTSIDE, 53))
        self.assertEqual(ear.receive(0.5), [])
        self.ctl("uninstall", path=self.symtapd.path("none"))
        sender.sendto(b"free", (lab.OUTSIDE, 53))
        self.assertEqual(ear.receive(5, 1)[0].data, b"free")
        self.assertNotIn("symtap", self.net.gateway.run("nft", "list",
                                                        "tables"))


class Judgement(bed.Case):
    """What decides beside S, as it comes."""

    @classmethod
    def build(cls):
        super().build()
        cls.build_crowd()

    def ask(self, *words):
        return json.loads(self.symtapd.ctl("--json", *words))["ok"]

    def row(self, scope):
        rows = self.ask("explain", lab.GUARDED)["rows"]
        return next((row for row in rows if row["scope"] == scope), None)

    def upload(self, seconds):
        """From the guarded host, in threads of its own; ends by itself."""
        server = self.net.outside.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.bind((lab.OUTSIDE, 8080))
        server.listen()
        client = self.net.host.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.bind((lab.GUARDED, 0))
        client.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE,
                          UPLOAD_BYTES_PER_S)

        def receive():
            peer, _ = server.accept()
            with peer:
                while peer.recv(1 << 20):
                    pass

        def send():
            client.connect((lab.OUTSIDE, 8080))
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                client.send(bytes(1 << 16))
            client.close()

        threads = [threading.Thread(target=each) for each in (receive, send)]
        for thread in threads:
            thread.start()
        return threads

    def test_an_upload_is_not_held_and_explain_says_why(self):
        self.start(shipped=True)
        threads = self.upload(4)

        def seen():
            row = self.row("pair")
            return row and row["reason"] == "evidence" and row

        row = lab.eventually(seen, 4)
        self.assertTrue(row, self.row("pair"))
        for name in ("S_offered", "S_let_out"):
            self.assertGreater(row[name], 2)
        self.assertLess(row["S_decides"], 2)
        self.assertGreater(row["replies_per_s"], row["heard_per_s"])
        self.assertEqual((row["state"], row["held_packets"]), ("quiet", 0))
        self.assertRegex(row["says"], r"is not held although S is \d\.\d\d: "
                         r"\d+ packets that came back count for \d+, ")
        print(f"\nS {row['S_let_out']}, {row['S_decides']} decides")
        for scope in ("flow", "host"):
            self.assertGreater(self.row(scope)["S_let_out"], 2, scope)
        self.assertIn("S dec", self.symtapd.ctl("top", "--once"))
        for thread in threads:
            thread.join(20)
            self.assertFalse(thread.is_alive())

    def test_a_sweep_waits_for_its_pace_and_explain_says_so(self):
        self.start(shipped=True)
        sender = traffic.sender(self.net.host, lab.GUARDED, 5001)
        for number in range(SWEPT):
            sender.sendto(b"x", (f"10.96.1.{number}", 9))
        host = lab.eventually(
            lambda: (row := self.row("host")) and row["line"] > 0 and row)
        self.assertTrue(host)
        self.assertEqual((host["reason"], host["pace_per_s"]),
                         ("first-contacts", 20))
        self.assertRegex(host["says"], r"\(host, .*\) is held.*: 20 first "
                         r"contacts a second, \d+ wait in line\.")
        flow = self.row("flow")
        self.assertEqual(flow["state"], "held")
        self.assertRegex(flow["says"], r"is held, for .*: 20 first contacts a "
                         r"second, \d+ before it\. .*It leaves within about .*"
                         r" An answer from a host that was tried makes room")
        self.assertTrue(lab.eventually(
            lambda: self.ask("status")["judgement"]["waited_contact_packets"]
            > 0))
        self.assertIn("first contacts", self.symtapd.ctl("status"))

    def spend_patience(self, to):
        """The row of the pair within its first second; None: too slow."""
        sender = traffic.sender(self.net.host, lab.GUARDED, 5001)
        for number in range(20):
            sender.sendto(traffic.numbered(number), (to, 53))
        rows = self.ask("explain", to)["rows"]
        return next((row for row in rows if row["scope"] == "pair" and
                     row["reason"] == "patience"), None)

    def test_a_flood_passes_on_patience_first(self):
        self.start(shipped=True)
        rows = (self.spend_patience(f"10.96.2.{number}")
                for number in range(10))
        row = next(filter(None, rows))
        self.assertEqual(row["state"], "passes")
        self.assertRegex(row["says"], r"passes for .* on patience: \d+ of 48 "
                         "packets of its first second are left")
        self.assertTrue(lab.eventually(
            lambda: self.ask("status")["judgement"]["paid_packets"] >= 10))


if __name__ == "__main__":
    bed.main()
