# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames made by hand, honest and forged, and a socket to send and see them."""

import socket
import struct
import time

ETH_P_ALL = 3
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_bytes(text):
    return bytes(int(part, 16) for part in text.split(":"))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def is_ipv6(address):
    return ":" in address


def packed(address):
    return socket.inet_pton(
        socket.AF_INET6 if is_ipv6(address) else socket.AF_INET, address)


def ethernet(destination, source, kind, payload):
    return (mac_bytes(destination) + mac_bytes(source) +
            struct.pack("!H", kind) + payload)


def vlan(frame, number, kind=0x8100):
    """The frame with one more tag."""
    return frame[:12] + struct.pack("!HH", kind, number) + frame[12:]


def ipv4(source, destination, protocol, payload, *, offset=0, more=False,
         identification=0):
    flags = (0x2000 if more else 0) | offset // 8
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload),
                         identification, flags, 64, protocol, 0,
                         packed(source), packed(destination))
    return (header[:10] + struct.pack("!H", checksum(header)) + header[12:] +
            payload)


def ipv6(source, destination, protocol, payload, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, hops,
                       packed(source), packed(destination)) + payload


def ip(source, destination, protocol, payload, **more):
    make = ipv6 if is_ipv6(source) else ipv4
    return make(source, destination, protocol, payload, **more)


def kind_of(source):
    return 0x86dd if is_ipv6(source) else 0x0800


def with_checksum(source, destination, protocol, segment, at):
    if is_ipv6(source):
        pseudo = packed(source) + packed(destination) + struct.pack(
            "!II", len(segment), protocol)
    else:
        pseudo = packed(source) + packed(destination) + struct.pack(
            "!HH", protocol, len(segment))
    value = checksum(pseudo + segment)
    return segment[:at] + struct.pack("!H", value) + segment[at + 2:]


def udp(source, destination, source_port, destination_port, data=b"x"):
    segment = struct.pack("!HHHH", source_port, destination_port,
                          8 + len(data), 0) + data
    segment = with_checksum(source, destination, 17, segment, 6)
    return ip(source, destination, 17, segment)


def tcp(source, destination, source_port, destination_port, flags=2):
    segment = struct.pack("!HHIIBBHHH", source_port, destination_port, 1, 0,
                          5 << 4, flags, 1024, 0, 0)
    segment = with_checksum(source, destination, 6, segment, 16)
    return ip(source, destination, 6, segment)


def icmp6(source, destination, kind, body, hops=255):
    segment = with_checksum(source, destination, 58,
                            struct.pack("!BBH", kind, 0, 0) + body, 2)
    return ipv6(source, destination, 58, segment, hops=hops)


def echo(source, destination, identifier, sequence=1):
    if is_ipv6(source):
        return icmp6(source, destination, 128,
                     struct.pack("!HH", identifier, sequence), hops=64)
    body = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence)
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ipv4(source, destination, 1, body)


def arp(operation, sender_mac, sender, target_mac, target):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation,
                       mac_bytes(sender_mac), packed(sender),
                       mac_bytes(target_mac), packed(target))


def solicitation(source, target, mac=None, destination="ff02::1:ff00:1"):
    option = struct.pack("!BB6s", 1, 1, mac_bytes(mac)) if mac else b""
    return icmp6(source, destination, 135,
                 struct.pack("!I16s", 0, packed(target)) + option)


def advertisement(source, target, mac=None, destination="ff02::1"):
    option = struct.pack("!BB6s", 2, 1, mac_bytes(mac)) if mac else b""
    return icmp6(source, destination, 136,
                 struct.pack("!I16s", 0x20000000, packed(target)) + option)


class Wire:
    """A packet socket on one interface of a namespace."""

    def __init__(self, namespace, interface):
        self.namespace = namespace
        self.mac = namespace.mac(interface)
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                       socket.htons(ETH_P_ALL))
        self.socket.bind((interface, ETH_P_ALL))

    def send(self, to_mac, payload, *, from_mac=None, kind=None):
        """A packet, or with `kind` any payload, in a frame of its own."""
        if kind is None:
            kind = 0x86dd if payload[0] >> 4 == 6 else 0x0800
        self.socket.send(ethernet(to_mac, from_mac or self.mac, kind, payload))

    def send_frame(self, frame):
        self.socket.send(frame)

    def drain(self):
        self.receive(0)

    def receive(self, seconds, wanted=lambda frame: True, count=None):
        """Frames that came in (not those sent) within `seconds`, or as soon as
        there are `count`."""
        found = []
        deadline = time.monotonic() + seconds
        while count is None or len(found) < count:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.000001))
            try:
                frame, address = self.socket.recvfrom(65536)
            except (TimeoutError, BlockingIOError):
                break
            if address[2] != socket.PACKET_OUTGOING and wanted(frame):
                found.append(frame)
        return found
