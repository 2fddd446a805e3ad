# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest consumer of an NFQUEUE: what came, and a verdict when asked."""

import socket
import struct
import time

NETLINK_NETFILTER = 12
SUBSYSTEM = 3 << 8
PACKET, VERDICT, CONFIG = 0, 1, 2
ACCEPT, DROP = 1, 0
F_GSO = 4


def attribute(kind, payload):
    pad = -len(payload) % 4
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * pad


class Packet:
    def __init__(self, identity, payload, hook):
        self.identity = identity
        self.payload = payload
        self.hook = hook
        if payload[0] >> 4 == 4:
            at = (payload[0] & 15) * 4
            family, ends = socket.AF_INET, (payload[12:16], payload[16:20])
            self.protocol = payload[9]
        else:
            at = 40
            family, ends = socket.AF_INET6, (payload[8:24], payload[24:40])
            self.protocol = payload[6]
        self.source, self.destination = (
            socket.inet_ntop(family, end) for end in ends)
        self.ports = struct.unpack("!HH", payload[at:at + 4].ljust(4, b"\0"))

    def __repr__(self):
        return (f"{self.source}:{self.ports[0]} > "
                f"{self.destination}:{self.ports[1]}")


class Queue:
    def __init__(self, namespace, number):
        self.number = number
        self.socket = namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                       NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self._config(attribute(1, struct.pack("!BBH", 1, 0, 2)))  # bind
        self._config(attribute(2, struct.pack("!IB", 65531, 2)))  # copy all
        self._config(attribute(5, struct.pack("!I", F_GSO)) +
                     attribute(4, struct.pack("!I", F_GSO)))
        self._config(attribute(3, struct.pack("!I", 65536)))      # its length

    def _send(self, kind, body, flags=1):
        message = struct.pack("=BBH", 0, 0, socket.htons(self.number)) + body
        self.socket.send(struct.pack("=IHHII", 16 + len(message),
                                     SUBSYSTEM | kind, flags, 1, 0) + message)

    def _config(self, body):
        self._send(CONFIG, body, flags=5)
        while True:
            answer = self.socket.recv(65536)
            kind, = struct.unpack_from("=H", answer, 4)
            if kind == 2:
                error, = struct.unpack_from("=i", answer, 16)
                if error:
                    raise OSError(-error, f"queue {self.number}")
                return

    def verdict(self, packet, verdict=ACCEPT):
        self._send(VERDICT, attribute(2, struct.pack("!II", verdict,
                                                     packet.identity)))

    def packets(self, seconds=0.5, count=None):
        """What comes within `seconds`, or as soon as there are `count`."""
        found = []
        deadline = time.monotonic() + seconds
        while count is None or len(found) < count:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.000001))
            try:
                message = self.socket.recv(70000)
            except (TimeoutError, BlockingIOError):
                break
            found.extend(self._parse(message))
        return found

    def pass_all(self, seconds=0.5, count=None):
        found = self.packets(seconds, count)
        for packet in found:
            self.verdict(packet)
        return found

    @staticmethod
    def _parse(message):
        while len(message) >= 16:
            length, kind = struct.unpack_from("=IH", message)
            if kind == SUBSYSTEM | PACKET:
                yield Queue._packet(message[20:length])
            message = message[(length + 3) & ~3:]

    @staticmethod
    def _packet(body):
        identity = hook = payload = None
        while len(body) >= 4:
            length, kind = struct.unpack_from("=HH", body)
            if kind == 1:
                identity, _, hook = struct.unpack_from("!IHB", body, 4)
            elif kind == 10:
                payload = body[4:length]
            body = body[(length + 3) & ~3:]
        return Packet(identity, payload, hook)

    def close(self):
        self.socket.close()
