# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the kernel's rules have in common: a routed network, the
driver in its gateway, and packets made by hand."""

import os
import subprocess
import sys
import tempfile
import unittest

import frames
import lab
import nfqueue

DRIVER = None

POLICY = """
mode: enforce
inside: [10.20.0.0/16, "2001:db8:20::/48"]
"""


class Driver:
    """rules_driver, running in a namespace."""

    def __init__(self, namespace, policy, shards=1, seed=1, conntrack="look"):
        self.directory = tempfile.TemporaryDirectory()
        self.process = namespace.start(
            DRIVER, self.save(policy), str(shards), str(seed), conntrack,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def save(self, policy):
        path = os.path.join(self.directory.name, "policy.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(policy)
        return path

    def ask(self, *words):
        """What it answered before its "ok"; None and the reason if "no"."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == "ok":
                return lines
            if line.startswith("no "):
                raise RuntimeError(line)
            lines.append(line)
        raise RuntimeError(f"{words[0]}: the driver has ended")

    def update(self, policy, *words):
        return self.ask("update", self.save(policy), *words)

    def counters(self):
        return {name: int(count) for count, name in
                (line.split(" ", 1) for line in self.ask("counters"))}

    def kill(self):
        """It ends without a word, and leaves what it made."""
        self.process.kill()
        self.process.wait(timeout=5)
        self.directory.cleanup()

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(timeout=10)
        self.directory.cleanup()
        if code:  # a sanitizer has found something
            raise RuntimeError(f"the driver ended with {code}")


class Case(unittest.TestCase):
    """One network for all tests of a class; rules are removed after each."""

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab("rules")
        try:
            cls.build()
        except BaseException:
            cls.lab.close()
            raise

    @classmethod
    def build(cls):
        cls.net = lab.Routed(cls.lab)
        cls.host = frames.Wire(cls.net.host, "eth0")
        cls.neighbour = frames.Wire(cls.net.neighbour, "eth0")
        cls.outside = frames.Wire(cls.net.outside, "eth0")
        cls.lan_mac = cls.net.gateway.mac("lan0")
        cls.lan1_mac = cls.net.gateway.mac("lan1")
        cls.wan_mac = cls.net.gateway.mac("wan0")
        cls.silence()
        # Nobody has to be asked for while a test counts frames.
        for interface, address, host in (
                ("wan0", lab.OUTSIDE, cls.outside),
                ("wan0", lab.OUTSIDE6, cls.outside),
                ("lan0", lab.GUARDED, cls.host),
                ("lan0", lab.GUARDED6, cls.host),
                ("lan1", lab.NEIGHBOUR, cls.neighbour),
                ("lan1", lab.NEIGHBOUR6, cls.neighbour)):
            cls.net.gateway.run("ip", "neigh", "replace", address, "lladdr",
                                host.mac, "dev", interface)

    @classmethod
    def silence(cls):
        """The hosts say nothing but what the tests say for them."""
        for host in (cls.net.host, cls.net.neighbour, cls.net.outside):
            host.nft("""
table inet silent {
    chain input { type filter hook input priority 0; policy drop; }
    chain output { type filter hook output priority 0; policy drop; }
}
""")

    @classmethod
    def tearDownClass(cls):
        cls.lab.close()

    def setUp(self):
        self.queues = []
        self.drivers = []
        for wire in (self.host, self.neighbour, self.outside):
            wire.drain()

    def tearDown(self):
        for queue in self.queues:
            queue.close()
        for driver in self.drivers:
            driver.ask("uninstall")
            driver.stop()
        self.net.gateway.run("nft", "flush", "ruleset")

    def install(self, policy=POLICY, **options):
        driver = Driver(self.net.gateway, policy, **options)
        self.drivers.append(driver)
        driver.ask("install")
        driver.ask("verify")
        return driver

    def queue(self, number=1000):
        queue = nfqueue.Queue(self.net.gateway, number)
        self.queues.append(queue)
        return queue

    def send_out(self, packet, **options):
        """As if the guarded host had sent it."""
        self.host.send(self.lan_mac, packet, **options)

    def send_in(self, packet, **options):
        self.outside.send(self.wan_mac, packet, **options)

    def arrives(self, packet, wire=None, seconds=0.5):
        """Did these addresses and ports come out at the other end?"""
        version, at = packet[0] >> 4, 12 if packet[0] >> 4 == 4 else 8
        ends = packet[at:at + (8 if version == 4 else 32)]
        rest = packet[20:] if version == 4 else packet[40:]

        def wanted(frame):
            return ends in frame and rest in frame
        return bool((wire or self.outside).receive(seconds, wanted, 1))


def main():
    global DRIVER
    lab.need_root()
    DRIVER = sys.argv.pop(1)
    unittest.main(verbosity=2)
