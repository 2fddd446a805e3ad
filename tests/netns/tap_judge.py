# SPDX-License-Identifier: GPL-2.0-or-later
"""A judge of a tap that does what a test wants: it speaks as
xen-hooks/tap_message.h says."""

import collections
import socket
import struct
import threading
import time

HELLO, BEAT, MODE, PACKET, VERDICT, FRAME, STATS = range(7)
OBSERVE, INTERPOSE, INTERCEPT = range(3)
PASS, DROP, REPLACE = range(3)
FIRST_VERSION, VERSION = 1, 2
BEAT_S = 0.2
PACKET_FORMAT = "=QIIHH6sBB16s16sI"

Packet = collections.namedtuple(
    "Packet", "id wire_bytes mtu_bytes ethertype vlan mac has_mac mode "
    "came_by goes_by super_pkts data")


def name(field):
    return field.rstrip(b"\0").decode()


class Judge:
    """`answer(judge, packet)` is asked of each packet: what say_verdict takes,
    or None.  `packets` are those that were shown, `modes` what was granted.
    Of the first version it has no super-packets."""

    def __init__(self, path, mode, answer=lambda judge, packet: (PASS, b""),
                 version=FIRST_VERSION):
        self.version, self.answer, self.packets, self.modes = (
            version, answer, [], [])
        self.counters = ()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)
        self.socket.settimeout(BEAT_S / 4)
        self.lock = threading.Lock()
        self.ending = False
        self.say(HELLO, struct.pack("=II", self.version, mode))
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def say(self, kind, body=b""):
        with self.lock:
            self.socket.send(struct.pack("=II", 8 + len(body), kind) + body)

    def ask_mode(self, mode):
        self.say(MODE, struct.pack("=II", self.version, mode))

    def say_verdict(self, number, verdict, other=b""):
        self.say(VERDICT, struct.pack("=QII", number, verdict, 0) + other)

    def send_frame(self, interface, frame):
        self.say(FRAME, struct.pack("=16s", interface.encode()) + frame)

    def _hear(self, kind, body):
        if kind in (HELLO, MODE):
            self.modes.append(struct.unpack("=II", body)[1])
        elif kind == STATS:
            self.counters = struct.unpack(f"={len(body) // 8}Q", body)
        elif kind == PACKET:
            head = list(struct.unpack_from(PACKET_FORMAT, body))
            head[8:10] = name(head[8]), name(head[9])
            packet = Packet(*head, body[struct.calcsize(PACKET_FORMAT):])
            self.packets.append(packet)
            said = self.answer(self, packet)
            if packet.id and said:
                self.say_verdict(packet.id, *said)

    def _run(self):
        beat = 0.0
        while not self.ending:
            if time.monotonic() > beat + BEAT_S:
                beat = time.monotonic()
                self.say(BEAT)
            try:
                message = self.socket.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                return
            if not message:
                return
            self._hear(struct.unpack_from("=II", message)[1], message[8:])

    def close(self):
        self.ending = True
        self.thread.join()
        self.socket.close()
