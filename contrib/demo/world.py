# SPDX-License-Identifier: GPL-2.0-or-later
"""Three namespaces: a college, its gateway and the Internet.

    college  lan0 ------ lan0  gateway  wan0 ------ wan0  internet
      good host 10.20.0.10                            server 198.51.100.10
      bad host  10.20.0.66                            silent 203.0.113.66

The uplink (the gateway's wan0) carries 100 Mbit/s.  Names carry our process
id; everything ends with the namespaces.
"""

import json
import os
import subprocess

GOOD = "10.20.0.10"
GOOD6 = "2001:db8:20::10"
BAD = "10.20.0.66"
BAD6 = "2001:db8:20::66"
SERVER = "198.51.100.10"
SERVER6 = "2001:db8:51::10"
SILENT = "203.0.113.66"
GOOD_MAC = "02:00:00:00:00:10"
BAD_MAC = "02:00:00:00:00:66"
GATEWAY_MAC = "02:00:00:00:00:01"
UPLINK_MBIT_PER_S = 100

FLOOD_PORT, FORGED_PORT = 9, 10

# What arrives is counted by the kernel, where it arrives, and then dropped:
# the victims of this world do not answer.
ARRIVALS = f"""
table inet arrivals {{
    counter flood {{}}
    counter forged4 {{}}
    counter forged6 {{}}
    counter scan {{}}
    chain prerouting {{
        type filter hook prerouting priority -300; policy accept;
        udp dport {FLOOD_PORT} counter name "flood" drop
        meta nfproto ipv4 udp dport {FORGED_PORT} counter name "forged4" drop
        meta nfproto ipv6 udp dport {FORGED_PORT} counter name "forged6" drop
        ip daddr {SILENT} counter name "scan" drop
    }}
}}
"""


class WorldError(Exception):
    """Something that the world needs cannot be had."""


def call(argv, text=None):
    done = subprocess.run(argv, input=text, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise WorldError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def alive(pid):
    return os.path.isdir(f"/proc/{pid}")


class World:
    PREFIX = "symtap-demo-"

    def __init__(self):
        self.names = {part: f"{self.PREFIX}{os.getpid()}-{part}"
                      for part in ("college", "gateway", "internet")}
        self.uplink_is_shaped = False

    def sweep(self):
        """Remove what a demo that was killed outright could not."""
        for line in call(["ip", "netns", "list"]).splitlines():
            name = line.split()[0]
            pid = name.removeprefix(self.PREFIX).split("-")[0]
            if name.startswith(self.PREFIX) and not alive(pid):
                call(["ip", "netns", "delete", name])

    def create(self):
        self.sweep()
        for name in self.names.values():
            call(["ip", "netns", "add", name])
        for part in self.names:
            self.ip(part, "link set lo up")
            for family in ("all", "default"):
                self.sysctl(part, f"ipv6/conf/{family}/accept_dad", 0)
                self.sysctl(part, f"ipv6/conf/{family}/accept_ra", 0)
        self.cable("college", "gateway", "lan0")
        self.cable("gateway", "internet", "wan0")
        self.addresses()
        call(self.inside("internet", ["nft", "-f", "-"]), ARRIVALS)
        self.shape_uplink()

    def cable(self, left, right, interface):
        self.ip(left, f"link add {interface} type veth peer name {interface} "
                      f"netns {self.names[right]}")

    def addresses(self):
        self.ip("college", f"link set lan0 address {GOOD_MAC}")
        self.ip("gateway", f"link set lan0 address {GATEWAY_MAC}")
        for part, interface, addresses in (
                ("college", "lan0", (f"{GOOD}/16", f"{BAD}/16",
                                     f"{GOOD6}/48", f"{BAD6}/48")),
                ("gateway", "lan0", ("10.20.0.1/16", "2001:db8:20::1/48")),
                ("gateway", "wan0", ("198.51.100.1/24", "2001:db8:51::1/48")),
                ("internet", "wan0", (f"{SERVER}/24", f"{SERVER6}/48"))):
            for address in addresses:
                self.ip(part, f"address add {address} dev {interface}")
            self.ip(part, f"link set {interface} up")
        for part, via4, via6 in (
                ("college", "10.20.0.1", "2001:db8:20::1"),
                ("gateway", SERVER, SERVER6),
                ("internet", "198.51.100.1", "2001:db8:51::1")):
            self.ip(part, f"route add default via {via4}")
            self.ip(part, f"-6 route add default via {via6}")
        self.sysctl("gateway", "ipv4/ip_forward", 1)
        self.sysctl("gateway", "ipv6/conf/all/forwarding", 1)

    def shape_uplink(self):
        """As slow as an Ethernet of 100 Mbit/s and, as there, one segment at
        a time: the burst is smaller than a super-packet.  A kernel without
        the token bucket has a faster uplink."""
        try:
            call(self.inside("gateway", [
                "tc", "qdisc", "add", "dev", "wan0", "root", "tbf", "rate",
                f"{UPLINK_MBIT_PER_S}mbit", "burst", "5kb", "latency",
                "50ms"]))
            self.uplink_is_shaped = True
        except WorldError:
            self.uplink_is_shaped = False

    def inside(self, part, argv):
        return ["ip", "netns", "exec", self.names[part], *argv]

    def ip(self, part, words):
        call(["ip", "-n", self.names[part], *words.split()])

    def sysctl(self, part, name, value):
        call(self.inside(part, ["sh", "-c",
                                f"echo {value} >/proc/sys/net/{name}"]))

    def arrivals(self):
        """Packets that came through so far, by kind."""
        text = call(self.inside("internet", ["nft", "-j", "list", "counters"]))
        return {item["counter"]["name"]: item["counter"]["packets"]
                for item in json.loads(text)["nftables"] if "counter" in item}

    def delete(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False,
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
