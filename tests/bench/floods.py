# SPDX-License-Identifier: GPL-2.0-or-later
"""A flood's first packets through a gateway, and the same through symtap-sim."""
import ipaddress
import json
import os
import struct

from gateways import run

SOURCE, SOURCE_PORT, TARGET_PORT = "10.20.2.0", 40000, 9
PKTS = 400
PASSED = ("fast_out_pkts", "passed_pkts")  # at once: by the kernel, by the daemon


def frame(inside, outside, out):
    """An Ethernet frame with a datagram of four bytes."""
    ends = [(ipaddress.IPv4Address(inside).packed, SOURCE_PORT),
            (ipaddress.IPv4Address(outside).packed, TARGET_PORT)]
    (source, source_port), (target, target_port) = ends if out else reversed(ends)
    return (bytes(12) + struct.pack(">HBBHHHBBH4s4s", 0x800, 0x45, 0, 32, 0, 0, 64, 17, 0, source,
                                    target) +
            struct.pack(">HHHHI", source_port, target_port, 12, 0, 0))


class Flood:
    """PKTS packets at once to a target that answered as many as `answered` before, and has been
    silent for longer than a window."""

    def __init__(self, gateway, target, answered):
        self.gateway, self.target, self.answered = gateway, target, answered
        self.packets, self.at_once = [], 0

    def run(self, program):
        before = self.gateway.counters()
        self.packets = json.loads(run(program, self.gateway.path("in"), self.gateway.path("out"),
                                      self.target, str(PKTS), str(self.answered)))
        after = self.gateway.counters()
        self.at_once = sum(after[each] - before[each] for each in PASSED)

    def first_held(self):
        """Its number: the daemon counts what leaves at once, and behind one that waits all do."""
        return self.at_once - self.answered + 1

    def first_simulated(self, sim):
        """The same as symtap-sim says of these packets, at the times when they were sent."""
        capture = os.path.join(self.gateway.folder, "flood.pcap")
        with open(capture, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
            for at_ns, out in self.packets:
                one = frame(SOURCE, self.target, out)
                file.write(struct.pack("<IIII", *divmod(at_ns, 10**9), len(one), len(one)))
                file.write(one)
        told = json.loads(run(sim, "replay", "-c", self.gateway.policy, "--inside", "policy",
                              "--json", "-", "--keys", "0", capture))["summary"]
        return PKTS - told["delayed"] - told["dropped"] + 1
