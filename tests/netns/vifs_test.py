#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Vifs by XenStore: the store is the real one, a vif is a veth of its name."""

import time

import frames
import gateway_bed as bed
import lab
import traffic
import vif_bed
from vif_bed import GUEST, INSIDE_NET, OUTER, STRANGER

MANY = 250


class Vifs(vif_bed.Case):

    def start(self, **policy):
        super().start(**policy)
        self.until("xenstored answers")

    def arrives_from(self, address):
        """One packet that claims to be of it."""
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        traffic.sender(self.net.host, address).sendto(b"it is me", (OUTER, 9))
        heard = ear.receive(0.3, 1)
        ear.socket.close()
        return bool(heard)

    def test_who_listens_to_a_vif_is_told(self):
        """Its guest does not wait then, whoever holds its packets."""
        self.start()
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.guarded()
        words = "so no guest waits"
        self.assertNotIn(words, self.symtapd.log())
        tap = traffic.Tap(self.net.gateway, "vif7.0")
        self.until(words)
        tap.socket.close()
        self.until("its packets wait by way of queue", times=3)
        self.assertEqual(self.symtapd.log().count(words), 1)

    def test_a_vif_is_bound_to_its_keys_while_it_is_there(self):
        self.start()
        self.assertTrue(self.arrives_from(STRANGER))
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.until("vif7.0 of domain 7 (web) is guarded")
        self.assertTrue(self.arrives_from(GUEST))
        self.assertFalse(self.arrives_from(STRANGER))
        self.store.key(7, "ip", f"{GUEST} {STRANGER}")
        self.until("vif7.0 of domain 7 (web) is guarded", times=2)
        self.assertTrue(self.arrives_from(STRANGER))
        self.store.key(7, "ip", GUEST)
        self.until("vif7.0 of domain 7 (web) is guarded", times=3)
        self.assertFalse(self.arrives_from(STRANGER))
        self.store.unplug(7)
        self.until("vif7.0 of domain 7 is let go")
        self.assertTrue(self.arrives_from(STRANGER))

    def frame_passes(self, mac, frame):
        tap = traffic.Tap(self.net.outside, "eth0",
                          lambda heard: heard[14:] == frame[14:])
        frames.Wire(self.net.host, "eth0").send_frame(
            frame[:6] + frames.mac_bytes(mac) + frame[12:])
        heard = tap.receive(0.3, 1)
        tap.socket.close()
        return bool(heard)

    def test_no_frame_has_anothers_mac(self):
        """Also of a vif that may have any address, and with no address."""
        self.start()
        self.store.vif(7, lab.GUARDED_MAC)
        self.until("vif7.0 of domain 7 (web) is guarded")
        for frame in (frames.udp(GUEST, OUTER, 1, 2),
                      frames.udp(STRANGER, OUTER, 1, 2)):
            frame = frames.ethernet(frames.BROADCAST, lab.GUARDED_MAC, 0x0800,
                                    frame)
            self.assertTrue(self.frame_passes(lab.GUARDED_MAC, frame))
            self.assertFalse(self.frame_passes(lab.NEIGHBOUR_MAC, frame))
        frame = frames.ethernet(frames.BROADCAST, lab.GUARDED_MAC, 0x88b5,
                                b"no address" * 5)
        self.assertTrue(self.frame_passes(lab.GUARDED_MAC, frame))
        self.assertFalse(self.frame_passes(lab.NEIGHBOUR_MAC, frame))

    def test_what_a_guest_holds_is_let_go_with_its_vif(self):
        self.start()
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.until("is guarded")
        ear = traffic.Receiver(self.net.outside, OUTER, 9)
        source = traffic.sender(self.net.host, GUEST)
        for number in range(60):
            source.sendto(traffic.numbered(number), (OUTER, 9))
        before = len(ear.receive(0.5))
        self.assertLess(before, 20)
        self.store.key(7, "state", "5")
        self.until("vif7.0 of domain 7 is let go")
        self.assertEqual(len(ear.receive(1, 60 - before)), 60 - before)

    def vif(self):
        return self.symtapd.ask("vifs")["vifs"][0]

    def published(self, key):
        return self.store.read(f"/local/domain/0/symtap/vif/7/0/{key}")

    def eventually(self, question):
        self.assertTrue(lab.eventually(question, 5), self.symtapd.log())

    def test_what_becomes_of_it_is_shown_and_published(self):
        self.start()
        self.store.key(7, "mac", "nonsense")
        self.store.key(7, "state", "4")
        self.eventually(lambda: self.published("state") == "attaching")
        self.assertIn("mac: not six", self.vif()["wrong"])
        self.assertEqual(self.published("wrong"), self.vif()["wrong"])
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.eventually(lambda: self.published("state") == "active")
        vif = self.vif()
        self.assertEqual((vif["domain"], vif["name"], vif["vif"], vif["state"],
                          vif["way"], vif["wrong"], vif["addresses"]),
                         (7, "web", "vif7.0", "active", "queue", None, [GUEST]))
        source = traffic.sender(self.net.host, GUEST)
        begin = time.time()

        def floods():
            for _ in range(10):
                source.sendto(traffic.numbered(0), (OUTER, 9))
            return (self.published("state") == "held" and
                    float(self.published("S")) > 3 and
                    int(self.published("held")) > 20)

        self.eventually(floods)
        vif = self.vif()
        self.assertEqual(vif["state"], "held")
        self.assertGreater(vif["held_packets"], 20)
        self.assertLess(abs(int(self.published("since")) - begin), 3)
        self.assertIn("1 vifs, of which 1 wait", self.symtapd.ctl("status"))
        self.assertRegex(self.symtapd.ctl("vifs"), r"\n +7 web +vif7.0 +held "
                                                   r"+queue +\d+\.\d\d +\d+ ")
        self.store.unplug(7)
        self.eventually(lambda: self.published("state") is None)
        self.assertEqual(self.symtapd.ask("vifs")["vifs"], [])

    def test_a_policy_in_xenstore_stands_below_the_operators(self):
        self.start()
        uuid = "00000000-0000-4000-8000-000000000007"
        policy = f"/local/domain/0/symtap/policy/{uuid}"
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.until("is guarded")
        self.assertFalse(self.arrives_from(STRANGER))
        self.store.write(policy, "guard: off")
        self.until("is guarded", times=2)
        self.assertTrue(self.arrives_from(STRANGER))
        self.assertEqual(self.vif()["state"], "off")
        self.symtapd.write_policy(
            bridge=True, inside=INSIDE_NET, limits=bed.ROOM,
            xen="{vifs: follow, guests: [{name: \"w*\", guard: on}]}")
        self.symtapd.reload()
        self.assertFalse(self.arrives_from(STRANGER))
        self.assertEqual(self.vif()["state"], "active")
        self.store.write(policy, "guard: of")
        self.eventually(lambda: "did you mean off" in
                        (self.vif()["wrong"] or ""))
        self.assertFalse(self.arrives_from(STRANGER))

    def test_hundreds_at_once(self):
        count = MANY // 5 if self.is_slow else MANY
        names = [f"vif{number}.0" for number in range(100, 100 + count)]
        batch = self.symtapd.path("links")
        pairs = list(zip(names[::2], names[1::2]))
        for verb, line in (("add", "link add {} type veth peer name {}\n"),
                           ("del", "link del {}\n")):
            with open(f"{batch}-{verb}", "w", encoding="utf-8") as file:
                file.writelines(line.format(*pair) for pair in pairs)
        self.net.gateway.run("ip", "-batch", f"{batch}-add")
        self.addCleanup(self.net.gateway.run, "ip", "-batch", f"{batch}-del")
        self.start()
        for number in range(100, 100 + count):
            self.store.domain(number, f"guest{number}")
            self.store.vif(number, f"00:16:3e:00:01:{number - 100:02x}",
                           f"10.20.1.{number - 100}")
        begin = time.monotonic()
        self.assertTrue(lab.eventually(
            lambda: sum(vif["state"] == "active" for vif in
                        self.symtapd.ask("vifs")["vifs"]) == count, 30),
            self.symtapd.log())
        print(f"{count} vifs guarded {time.monotonic() - begin:.2f} s after the "
              "last was written")
        self.eventually(lambda: all(
            self.store.read(f"/local/domain/0/symtap/vif/{number}/0/state") ==
            "active" for number in range(100, 100 + count)))
        begin = time.monotonic()
        self.store.key(100, "ip", "10.20.1.250")
        self.until("vif100.0 of domain 100 (guest100) is guarded", times=2)
        print(f"one of them renewed within {time.monotonic() - begin:.3f} s")
        self.store.process.kill()
        self.until("xenstored is gone")
        self.assertEqual(len(self.symtapd.ask("vifs")["vifs"]), count)

    def test_vifs_stay_through_reload_and_the_end_of_xenstored(self):
        self.start()
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.until("is guarded")
        self.symtapd.reload()
        self.assertFalse(self.arrives_from(STRANGER))
        self.store.process.kill()
        self.until("xenstored is gone")
        self.assertFalse(self.arrives_from(STRANGER))
        self.assertTrue(self.arrives_from(GUEST))
        self.store.restart()
        self.until("xenstored answers", times=2)
        self.until("vif7.0 of domain 7 is let go")
        self.store.domain(7, "web")
        self.store.vif(7, lab.GUARDED_MAC, GUEST)
        self.until("is guarded", times=2)


if __name__ == "__main__":
    bed.main()
