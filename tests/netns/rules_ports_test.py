#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports that come and go by hundreds, each with an owner and addresses of its
own: rules_ports_test.py DRIVER"""

import json
import os
import random
import re
import socket
import threading
import time

import frames
import rules_bed
from lab import GUARDED, GUARDED_MAC, NEIGHBOUR_MAC, OUTSIDE

STEPS, CHECKED_EVERY = 40, 8
LISTED = ('antispoof:\n  interfaces:\n'
          '    lan9: {sources: [10.20.9.0/24, "2001:db8:20:9::/64"]}\n')
MANY = 250
JUDGED = "d00000"  # by the mark as it comes
SO_RCVBUFFORCE = 33
TIMES = 5


def mac_of(number):
    return f"00:16:3e:00:{number >> 8:02x}:{number & 255:02x}"


def binding(mac, addresses, port=None):
    quoted = ", ".join(f'"{address}"' for address in addresses)
    return (f'    - {{mac: "{mac}", addresses: [{quoted}]' +
            (f", interface: {port}" if port else "") + "}\n")


def policy(ports, listed=False, anywhere=(), bridge=False):
    """`ports`: number and addresses."""
    text = rules_bed.POLICY + f"datapath: {{nfqueue: {{bridge: {bridge}}}}}\n"
    text += LISTED if listed else "antispoof:\n"
    text += "  bindings:\n"
    text += binding(GUARDED_MAC, [GUARDED], "lan0")
    for number, addresses in sorted(ports.items()):
        text += binding(mac_of(number), addresses, f"vif{number}.0")
    for number in anywhere:
        text += binding(mac_of(number), [f"10.20.8.{number % 250}"])
    return text.replace("False", "false").replace("True", "true")


def addresses_of(dice, number):
    kinds = (f"10.20.3.{number}", f"10.20.4.{number}",
             f"10.20.{16 + number}.0/28", f"10.20.5.{number & ~1}/31",
             f"2001:db8:20:3::{number:x}", f"2001:db8:20:{number + 16:x}::/64")
    return dice.sample(kinds, dice.randint(1, 3))


class Ports(rules_bed.Case):

    @classmethod
    def build(cls):
        super().build()
        cls.net.gateway.run("ip", "link", "add", "br0", "type", "bridge")

    def dump(self):
        """All that is there, and in what order rules are; sets have none."""
        things = {}
        for thing in json.loads(self.net.gateway.run(
                "nft", "-j", "list", "ruleset"))["nftables"]:
            (kind, body), = thing.items()
            for name in "handle", "packets", "bytes":
                body.pop(name, None)
            if "elem" in body:
                body["elem"] = sorted(map(json.dumps, body["elem"]))
            place = (kind, body.get("family"), body.get("chain"),
                     body.get("name"))
            things.setdefault(place, []).append(body)
        return things

    def rules(self):
        return [(thing["rule"]["family"], thing["rule"]["handle"])
                for thing in json.loads(self.net.gateway.run(
                    "nft", "-j", "list", "ruleset"))["nftables"]
                if "rule" in thing]

    def comes_and_goes(self, bridge):
        seed = int(os.environ.get("SYMTAP_SEED", random.randrange(1 << 32)))
        print(f"seed {seed}", end=" ", flush=True)
        dice = random.Random(seed)
        driver = self.install(policy({}, bridge=bridge), shards=2, seed=7)
        ports = {}
        for step in range(1, STEPS + 1):
            for _ in range(dice.randint(1, 4)):
                number = dice.randint(1, 30)
                if number in ports and dice.random() < 0.6:
                    del ports[number]
                else:
                    ports[number] = addresses_of(dice, number)
            driver.update(policy(
                ports, listed=dice.random() < 0.2, bridge=bridge,
                anywhere=dice.sample(range(60, 70), dice.randint(0, 2))),
                "owners")
            driver.ask("verify")
            if step % CHECKED_EVERY == 0:
                bit_by_bit = self.dump()
                driver.ask("install")
                self.assertEqual(bit_by_bit, self.dump())

    def test_bit_by_bit_comes_to_the_same_as_at_once(self):
        self.comes_and_goes(bridge=False)

    def test_bit_by_bit_comes_to_the_same_on_a_bridge(self):
        self.comes_and_goes(bridge=True)

    def test_one_more_among_many_is_no_rule(self):
        ports = {number: [f"10.20.{64 + (number >> 8)}.{number & 255}"]
                 for number in range(1, MANY + 1)}
        driver = self.install(policy({}))
        driver.update(policy(ports), "owners")
        before = self.rules()
        took_ms = {"update": [], "install": []}
        for number in range(TIMES):
            ports[1000 + number] = [f"10.20.96.{number}"]
            path = driver.save(policy(ports))
            for words in ("update", path, "owners"), ("install",):
                begin = time.monotonic()
                driver.ask(*words)
                took_ms[words[0]].append((time.monotonic() - begin) * 1e3)
                if words[0] == "update":
                    self.assertEqual(before, self.rules())
            before = self.rules()
        update, install = (min(took_ms[name]) for name in took_ms)
        print(f"{MANY} ports and one more: {update:.1f} ms, all written anew "
              f"{install:.1f} ms")
        driver.ask("verify")

    def test_who_netback_judges_is_asked_for_no_other_mark(self):
        """The program is attached nowhere, so nobody bears its mark."""
        driver = self.install(policy({}))
        driver.update(policy({1: ["10.20.3.1"]}), "owners", "judged")
        for chain in "early", "forward":
            text = self.net.gateway.run("nft", "list", "chain", "inet",
                                        "symtap", chain)
            self.assertEqual({JUDGED}, set(re.findall(
                r"mark & 0x0*f00000 == 0x0*(\w+)", text)), chain)
        driver.ask("verify")
        driver.update(policy({}), "owners")
        driver.ask("verify")

    def test_what_else_comes_and_goes_opens_nothing(self):
        """A forged frame never passes, an honest one always."""
        self.outside.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE,
                                       1 << 24)
        driver = self.install(policy({}))
        driver.update(policy({}), "owners")
        ended = threading.Event()
        sent = []

        def send():
            while not ended.is_set():
                number = len(sent)
                self.send_out(frames.udp(GUARDED, OUTSIDE, 7, 8,
                                         b"honest %d" % number))
                self.send_out(frames.udp("10.20.0.9", OUTSIDE, 7, 8, b"forged"))
                self.send_out(frames.udp(GUARDED, OUTSIDE, 7, 8, b"forged"),
                              from_mac=NEIGHBOUR_MAC)
                sent.append(number)
                time.sleep(0.0005)

        sender = threading.Thread(target=send)
        sender.start()
        dice = random.Random(1)
        for step in range(30):
            driver.update(policy({number: addresses_of(dice, number) for number
                                  in dice.sample(range(1, 60), 20)}), "owners")
            if step % 10 == 9:
                driver.ask("install")
        ended.set()
        sender.join()
        time.sleep(0.2)
        heard = [frame for frame in self.outside.receive(
            0.3, lambda frame: b"honest" in frame or b"forged" in frame)]
        self.assertEqual([], [frame for frame in heard if b"forged" in frame])
        self.assertEqual(len(sent), len(heard))


if __name__ == "__main__":
    rules_bed.main()
