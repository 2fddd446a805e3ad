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
(INTERFACE, MAC, OVERWRITES, PREFIXES, RATIO_Q16, WINDOW_NS, FIRST_DELAY_NS,
 MAX_DELAY_NS, SCOPES, SLOTS, SLOTS_PER_KEY, OTHER_PKTS_PER_S, KEYS,
 COUNTERS) = range(1, 15)
PAIR, FLOW = 1, 2
MS = 1000000
DEFAULTS = {RATIO_Q16: 4 << 16, WINDOW_NS: 1000 * MS, FIRST_DELAY_NS: 2 * MS,
            MAX_DELAY_NS: 1024 * MS, SCOPES: PAIR, SLOTS: 200,
            SLOTS_PER_KEY: 0, OTHER_PKTS_PER_S: 1000, KEYS: 1024}
WIDE = {WINDOW_NS, FIRST_DELAY_NS, MAX_DELAY_NS}


def counter_names():
    with open(os.path.join(SOURCE, "guard.h"), encoding="utf-8") as header:
        table = header.read().split("#define GUARD_COUNTERS(X)")[1]
    return re.findall(r"X\((\w+),", table.split("\n\n")[0])


def attribute(kind, value):
    packed = struct.pack("=HH", len(value) + 4, kind) + value
    return packed + bytes(-len(packed) % 4)


def number(kind, value):
    return attribute(kind, struct.pack("=Q" if kind in WIDE else "=I", value))


def interface(name):
    return attribute(INTERFACE, name.encode() + b"\0")


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

    def ask(self, family, command, body):
        """The attributes of the answer, which may be none."""
        message = struct.pack("=BBH", command, 1, 0) + body
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
        values = DEFAULTS | {globals()[name.upper()]: value
                             for name, value in changes.items()}
        body = interface(vif)
        body += b"".join(number(kind, value)
                         for kind, value in values.items())
        if mac:
            body += attribute(MAC, bytes.fromhex(mac.replace(":", "")))
        if overwrites:
            body += attribute(OVERWRITES, b"")
        if prefixes:
            body += attribute(PREFIXES, b"".join(map(prefix, prefixes)))
        self.ask(self.family, SET, body)

    def unset(self, vif):
        self.ask(self.family, UNSET, interface(vif))

    def counters(self, vif):
        found = self.ask(self.family, GET, interface(vif))
        count = len(found[COUNTERS]) // 8
        return dict(zip(self.names,
                        struct.unpack(f"={count}Q", found[COUNTERS]),
                        strict=True))
