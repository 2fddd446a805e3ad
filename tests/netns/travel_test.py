#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that come and go, and a symtapd that is killed: vifs by a real
XenStore, a vif is a veth."""

import glob
import json
import os
import signal
import socket
import stat
import subprocess
import time

import gateway_bed as bed
import lab
import symtapd
import traffic
import vif_bed
import xenstore
from vif_bed import GUEST, OUTER

UUID = "00000000-0000-4000-8000-000000000007"
MAC = bytes.fromhex(lab.GUARDED_MAC.replace(":", ""))
GUEST6 = "2001:db8:20::7"
SECOND, SECOND_MAC = "10.20.0.4", "52:54:00:12:34:58"
FLOOD_PKTS = 60
WINDOW_S = 1.0


class Travel(vif_bed.Case):

    def setUp(self):
        super().setUp()
        self.ear = traffic.Receiver(self.net.outside, OUTER, 9)

    def start(self, **policy):
        super().start(**policy)
        self.until("xenstored answers")

    def guard(self, domain=7):
        self.store.vif(domain, lab.GUARDED_MAC, GUEST)
        self.guarded(domain)

    def come_back(self, domain):
        """The same guest in another domain, whose vif has the same name here,
        since it is the same interface."""
        self.store.domain(domain, "web")
        self.store.write(f"/local/domain/{domain}/vm", f"/vm/{UUID}")
        self.store.key(domain, "vifname", "vif7.0")
        self.guard(domain)

    def send(self, pkts=FLOOD_PKTS, seconds=0.5):
        """How many of them arrive."""
        source = traffic.sender(self.net.host, GUEST)
        for number in range(pkts):
            source.sendto(traffic.numbered(number), (OUTER, 9))
        return len(self.ear.receive(seconds))

    def is_held_at_once(self):
        self.ear.take()
        return self.send(20, 0.1) < bed.BURST

    def exported(self, *words):
        return json.loads(self.symtapd.ctl("state", "export", *words))

    def imported(self, document, *words):
        """Its exit status, and what it printed."""
        with self.net.gateway.entered():
            done = subprocess.run(
                [symtapd.find(bed.BUILD, "symtapctl"), "-s",
                 self.symtapd.path("control.sock"), *words, "state", "import"],
                input=document, text=True, capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def penalties(self, document):
        return [key["penalty"] for guest in document["guests"]
                for key in guest["keys"] if key["scope"] == "pair"]

    def test_a_guest_that_comes_back_is_held_as_it_was(self):
        self.start(zones="{tenants: [vif7.0]}")
        self.guard()
        before = self.send()
        self.assertLess(before, 20)
        left = time.monotonic()
        self.store.key(7, "state", "5")
        # Nine a second would be five seconds.
        self.assertEqual(len(self.ear.receive(1, FLOOD_PKTS - before)),
                         FLOOD_PKTS - before)
        took = time.monotonic() - left
        print(f"what it held left within {1000 * took:.0f} ms")
        self.until("vif7.0 of domain 7 is let go")
        self.store.unplug(7)
        file = self.symtapd.path("state.guests")
        self.assertTrue(lab.eventually(lambda: os.path.exists(file), 20))
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        time.sleep(WINDOW_S + 0.2)
        document = self.exported("--uuid", UUID)
        penalty, = self.penalties(document)
        self.assertGreater(penalty, 4)
        # Where it comes to there may be no such zone.
        self.assertNotIn("tenants", str(document))
        self.come_back(8)
        self.until("vif7.0 of domain 8 is known: ")
        self.assertTrue(self.is_held_at_once())

    def test_who_was_silent_before_it_left_is_held_without_a_state_file(self):
        self.start(state="{file: none}")
        self.guard()
        # So many that it is seen to wait; then it is silent.
        before = self.send(40)
        self.assertEqual(len(self.ear.receive(20, 40 - before)), 40 - before)
        time.sleep(WINDOW_S + 0.2)
        self.store.key(7, "state", "5")
        self.until("vif7.0 of domain 7 is let go")
        self.store.unplug(7)
        self.come_back(8)
        self.until("vif7.0 of domain 8 is known: ")
        self.ear.take()
        self.assertTrue(self.is_held_at_once())

    def second_vif(self):
        """The same guest's, with an address of its own; who sends by it."""
        dom0, host = self.net.gateway, self.net.host
        self.lab.wire(dom0, "vif7.1", host, "eth1", right_mac=SECOND_MAC)
        self.addCleanup(dom0.run, "ip", "link", "del", "vif7.1")
        self.net.add_port("vif7.1")
        for key, value in (("mac", SECOND_MAC), ("ip", SECOND),
                           ("bridge", "br0"), ("state", "4")):
            self.store.write(f"{xenstore.BACKEND}/7/1/{key}", value)
        self.until("vif7.1 of domain 7 (web) is guarded")
        host.address("eth1", f"{SECOND}/32")
        source = traffic.sender(host, SECOND)
        source.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth1")
        return source

    def test_a_guest_is_exported_with_all_its_vifs(self):
        self.start()
        self.guard()
        second = self.second_vif()
        first = traffic.sender(self.net.host, GUEST)
        for number in range(FLOOD_PKTS):
            for source in (first, second):
                source.sendto(traffic.numbered(number), (OUTER, 9))
        self.ear.receive(0.5)
        guest, = self.exported("--uuid", UUID)["guests"]
        held = {key["inside"] for key in guest["keys"]
                if key["scope"] == "pair" and key["penalty"] > 4}
        self.assertEqual(held, {GUEST, SECOND})

    def test_another_guest_is_not_held_for_it(self):
        self.start()
        self.guard()
        self.send()
        self.store.key(7, "state", "5")
        self.until("vif7.0 of domain 7 is let go")
        self.ear.receive(0.2)
        self.store.unplug(7)
        time.sleep(WINDOW_S + 0.2)
        self.store.domain(9, "web")
        self.store.key(9, "vifname", "vif7.0")
        self.guard(9)
        # Of one who was held three would have left by now.
        self.assertGreaterEqual(self.send(20, 0.4), bed.BURST)

    def test_a_penalty_moves_to_another_host(self):
        self.start()
        self.guard()
        self.send()
        document = self.exported("--uuid", UUID)
        self.assertGreater(self.penalties(document)[0], 4)
        self.assertNotIn("vif7.0", json.dumps(document))
        self.assertEqual(self.symtapd.stop(), 0)
        for path in glob.glob(self.symtapd.path("state*")):
            os.unlink(path)
        self.ear.receive(0.5)
        self.store.unplug(7)
        self.symtapd.restart()
        status, said = self.imported(json.dumps(document), "--json")
        self.assertEqual(status, 0, said)
        self.assertGreater(json.loads(said)["ok"]["remembered"], 1)
        self.come_back(8)
        self.assertTrue(self.is_held_at_once())
        # A milder document lifts nothing.
        for key in document["guests"][0]["keys"]:
            key.update(penalty=0, wait_ns=0, window=[[0, 0, 1000]])
        status, said = self.imported(json.dumps(document))
        self.assertEqual(status, 0, said)
        self.assertGreater(max(self.penalties(self.exported())), 4)

    def test_who_comes_is_announced_once(self):
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        heard = traffic.Tap(self.net.outside, "eth0", lambda frame: (
            frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" or
            frame[12:14] == b"\x86\xdd" and frame[54] == 136) and
            frame[6:12] == MAC)
        # Who was here before symtapd is not new.
        self.start(xen="{vifs: follow, announce: true}")
        self.until("is guarded")
        self.store.key(7, "state", "5")
        self.until("vif7.0 of domain 7 is let go")
        self.store.unplug(7)
        self.store.domain(8, "web")
        self.store.key(8, "vifname", "vif7.0")
        self.store.key(8, "state", "2")
        self.store.vif(8, lab.GUARDED_MAC, GUEST, GUEST6)
        self.until("vif7.0 of domain 8: 2 addresses announced on br0")
        frames = [each.data for each in
                  heard.receive(5, 2) + heard.receive(0.2)]
        arp, = (frame for frame in frames if frame[12:14] == b"\x08\x06")
        self.assertEqual(arp[28:32], socket.inet_aton(GUEST))
        self.assertEqual(arp[38:42], socket.inet_aton(GUEST))
        nd, = (frame for frame in frames if frame[12:14] == b"\x86\xdd")
        self.assertEqual(nd[62:78], socket.inet_pton(socket.AF_INET6, GUEST6))
        self.store.key(8, "ip", GUEST)
        self.until("is guarded", times=3)
        self.assertFalse(heard.receive(0.2))

    def test_mistakes_are_told_with_what_is_wrong(self):
        self.start()
        document = {"symtap_state": 1, "guests": [], "keys": [{
            "scope": "host", "inside": "192.0.2.1", "penalty": 1,
            "wait_ns": 0, "window": [[0, 1, 0]]}]}
        status, said = self.imported(json.dumps(document))
        self.assertEqual(status, 1)
        self.assertIn("1 keys were refused: no place for that key", said)
        document["keys"].append({"scope": "host"})
        status, said = self.imported(json.dumps(document))
        self.assertEqual(status, 2)
        self.assertIn("keys[1]: import needs scope=", said)

    def killed_while_it_waits(self, fail):
        # So long that nothing is forgotten while it is away.
        self.start(fail=fail, limiter="{window: 4s}")
        self.guard()
        source = traffic.sender(self.net.host, GUEST)
        for number in range(200):
            source.sendto(traffic.numbered(number), (OUTER, 9))
        # Who is held is written every other second.
        self.assertTrue(lab.eventually(
            lambda: os.path.exists(self.symtapd.path("state")), 6))
        self.symtapd.process.send_signal(signal.SIGKILL)
        self.symtapd.process.wait()
        self.ear.take()
        begin = time.monotonic()
        other = traffic.Receiver(self.net.outside, OUTER, 10)
        for _ in range(10):
            traffic.sender(self.net.host, GUEST).sendto(b"on", (OUTER, 10))
            if other.receive(0.1, 1):
                return time.monotonic() - begin
        return None

    def found_again(self):
        begin = time.monotonic()
        self.symtapd.restart()
        self.until("vif7.0 of domain 7 (web) is guarded", times=2)
        took = time.monotonic() - begin
        print(f"guarded {1000 * took:.0f} ms after it was started anew")
        self.assertNotIn(" 0 keys taken up", self.symtapd.log().split(
            "is guarded")[1])
        self.assertTrue(self.is_held_at_once())

    def test_killed_it_is_open_and_finds_all_again(self):
        took = self.killed_while_it_waits("open")
        self.assertIsNotNone(took)
        print(f"open {1000 * took:.0f} ms after it was killed")
        self.found_again()

    def test_killed_it_is_closed_and_finds_all_again(self):
        self.assertIsNone(self.killed_while_it_waits("closed"))
        self.found_again()


if __name__ == "__main__":
    bed.main()
