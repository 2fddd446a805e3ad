# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard of a vif inside of netback, by generic netlink: see
xen-hooks/netback/protocol.h."""

import ipaddress
import os
import re
import socket
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "../../xen-hooks/netback")
NETLINK_GENERIC = 16
REQUEST, ACK = 1, 4
CONTROLLER, GET_FAMILY, FAMILY_ID, FAMILY_NAME = 16, 3, 1, 2
SET, UNSET, GET = 1, 2, 3
PAIR, FLOW = 1, 2
MS = 1000000
PLAIN = {"ratio_q16": 4 << 16, "window_ns": 1000 * MS,
         "first_delay_ns": 2 * MS, "max_delay_ns": 1024 * MS, "scopes": PAIR,
         "slots": 200, "slots_per_key": 0, "other_pkts_per_s": 1000,
         "keys": 1024, "floor_pkts": 0, "patience_pkts": 0, "earned_pkts": 0,
         "first_contacts_per_s": 0, "connections_per_s": 0,
         "rate_pkts_per_s": 0, "rate_bytes_per_s": 0, "rate_burst_ns": 0}
SHIPPED = {"wants_consent": True, "floor_pkts": 10, "patience_pkts": 48,
           "earned_pkts": 12, "first_contacts_per_s": 20,
           "connections_per_s": 100}
WIDE = {"window_ns", "first_delay_ns", "max_delay_ns", "rate_bytes_per_s",
        "rate_burst_ns"}


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as header:
        return header.read()


def attribute_kinds():
    table = read("protocol.h").split("enum netguard_attribute {")[1]
    names = re.findall(r"NETGUARD_(\w+)(?= = 1,|,)", table.split("};")[0])
    return {name.lower(): number for number, name in enumerate(names, 1)}


KINDS = attribute_kinds()
VERSION = int(re.search(r"NETGUARD_VERSION = (\d+)", read("protocol.h"))[1])


def counter_names():
    table = read("guard.h").split("#define GUARD_COUNTERS(X)")[1]
    return re.findall(r"X\((\w+),", table.split("\n\n")[0])


def attribute(kind, value):
    packed = struct.pack("=HH", len(value) + 4, kind) + value
    return packed + bytes(-len(packed) % 4)


def number(name, value):
    if value is True:
        return attribute(KINDS[name], b"")
    return attribute(KINDS[name],
                     struct.pack("=Q" if name in WIDE else "=I", value))


def interface(name):
    return attribute(KINDS["interface"], name.encode() + b"\0")


def prefix(text):
    network = ipaddress.ip_network(text)
    if network.version == 6:
        return network.network_address.packed + bytes([network.prefixlen])
    return (bytes(10) + b"\xff\xff" + network.network_address.packed +
            bytes([96 + network.prefixlen]))


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3fff] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


class Netguard:
    """OSError is what the kernel said."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                    NETLINK_GENERIC)
        self.socket.settimeout(10)
        self.socket.bind((0, 0))
        self.names = counter_names()
        name = attribute(FAMILY_NAME, b"symtap_vif\0")
        answer = self.ask(CONTROLLER, GET_FAMILY, name)
        self.family, = struct.unpack("=H", answer[FAMILY_ID])

    def close(self):
        self.socket.close()

    def ask(self, family, command, body, version=VERSION):
        """The attributes of the answer, which may be none."""
        message = struct.pack("=BBH", command, version, 0) + body
        self.socket.send(struct.pack("=IHHII", len(message) + 16, family,
                                     REQUEST | ACK, 1, 0) + message)
        found = {}
        while True:
            data = self.socket.recv(65536)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == 2:
                    error, = struct.unpack_from("=i", data, 16)
                    if error:
                        raise OSError(-error, os.strerror(-error))
                    return found
                found = attributes(data[20:length])
                data = data[(length + 3) & ~3:]

    def set(self, vif, mac=None, overwrites=False, prefixes=(), **changes):
        body = interface(vif)
        body += b"".join(number(name, value)
                         for name, value in (PLAIN | changes).items())
        if mac:
            body += attribute(KINDS["mac"], bytes.fromhex(mac.replace(":", "")))
        if overwrites:
            body += attribute(KINDS["overwrites"], b"")
        if prefixes:
            body += attribute(KINDS["prefixes"], b"".join(map(prefix, prefixes)))
        self.ask(self.family, SET, body)

    def unset(self, vif):
        self.ask(self.family, UNSET, interface(vif))

    def counters(self, vif):
        found = self.ask(self.family, GET, interface(vif))
        counters = found[KINDS["counters"]]
        return dict(zip(self.names,
                        struct.unpack(f"={len(counters) // 8}Q", counters),
                        strict=True))
