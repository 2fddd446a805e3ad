# SPDX-License-Identifier: GPL-2.0-or-later
"""Who sends and who listens, with the kernel's own times of arrival."""

import collections
import json
import select
import socket
import struct
import subprocess
import threading
import time

import symtapd

SO_TIMESTAMPNS = 35
SO_MAX_PACING_RATE = 47
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
LARGE = 64 << 20
SO_MEMINFO, MEMINFO_WORDS = 55, 9  # the last is how many were dropped
MRT_INIT, MRT_ADD_VIF, MRT_ADD_MFC = 200, 202, 204
VIFF_USE_IFINDEX = 8

SENT = b"sent"  # and then, when
SENT_FORMAT = "=4sd"

Arrival = collections.namedtuple("Arrival", "at data peer")


def numbered(number, size=100):
    """To be sent at once."""
    return (struct.pack("!I", number) + struct.pack(SENT_FORMAT, SENT,
                                                    time.time())
            ).ljust(size, b"\0")


def underway_s(arrival):
    """How long it was on its way; 0 if it does not tell."""
    at = arrival.data.find(SENT)
    if at < 0:
        return 0
    return arrival.at - struct.unpack_from(SENT_FORMAT, arrival.data, at)[1]


def within(arrivals, seconds):
    """Those that came in the first seconds since the first was sent."""
    begin = arrivals[0].at - underway_s(arrivals[0]) if arrivals else 0
    return [each for each in arrivals if each.at < begin + seconds]


def numbers(arrivals, at=0):
    return [struct.unpack_from("!I", each.data, at)[0] for each in arrivals]


def multicast_route(gateway, coming, going, source, group):
    """Let the kernel of a gateway forward one group from one interface to
    another."""
    opened = gateway.socket(socket.AF_INET, socket.SOCK_RAW,
                            socket.IPPROTO_IGMP)
    opened.setsockopt(socket.IPPROTO_IP, MRT_INIT, 1)
    with gateway.entered():
        indexes = [socket.if_nametoindex(name) for name in (coming, going)]
    for vif, index in enumerate(indexes):
        opened.setsockopt(socket.IPPROTO_IP, MRT_ADD_VIF, struct.pack(
            "=HBBIII", vif, VIFF_USE_IFINDEX, 1, 0, index, 0))
    thresholds = bytes([0, 1]) + bytes(30)
    opened.setsockopt(socket.IPPROTO_IP, MRT_ADD_MFC, struct.pack(
        "=4s4sH32s2xIIII", socket.inet_aton(source), socket.inet_aton(group),
        0, thresholds, 0, 0, 0, 0))


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Ear:
    """A socket that knows when each packet came, in seconds."""

    def __init__(self, opened):
        self.socket = opened
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, LARGE)
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        opened.setblocking(False)

    def overflowed(self):
        """How many found no room in it."""
        words = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO,
                                       4 * MEMINFO_WORDS)
        return struct.unpack(f"{MEMINFO_WORDS}I", words)[-1]

    def _is_wanted(self, arrival):
        del arrival
        return True

    def take(self):
        """What is there now: more may come faster than it is taken."""
        taken, now, at = [], time.time(), 0
        while at <= now:
            try:
                data, notes, _, peer = self.socket.recvmsg(65536, 64)
            except BlockingIOError:
                return taken
            seconds, nanoseconds = struct.unpack("qq", notes[0][2][:16])
            at = seconds + nanoseconds * 1e-9
            arrival = Arrival(at, data, peer)
            if self._is_wanted(arrival):
                taken.append(arrival)
        return taken

    def receive(self, seconds, count=None):
        """What comes within `seconds`, or as soon as there are `count`."""
        taken = []
        deadline = time.monotonic() + seconds
        while count is None or len(taken) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            select.select([self.socket], [], [], left)
            taken += self.take()
        return taken


class Receiver(Ear):
    """Datagrams to one address and port."""

    def __init__(self, namespace, address, port):
        opened = namespace.socket(family_of(address), socket.SOCK_DGRAM)
        opened.bind((address, port))
        super().__init__(opened)

    def answer(self, arrival, data=b"yes"):
        self.socket.sendto(data, arrival.peer)


class Tap(Ear):
    """Frames that come in at an interface and are wanted."""

    def __init__(self, namespace, interface, wanted=lambda frame: True):
        opened = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        super().__init__(opened)
        opened.bind((interface, ETH_P_ALL))
        self.wanted = wanted

    def _is_wanted(self, arrival):
        return (arrival.peer[2] != socket.PACKET_OUTGOING and
                self.wanted(arrival.data))


def sender(namespace, address, port=0):
    """A socket for datagrams from there."""
    opened = namespace.socket(family_of(address), socket.SOCK_DGRAM)
    opened.bind((address, port))
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return opened


def flood(source, to, ear, seconds, at_once=100, pkts_per_s=500, size=100):
    """Numbered datagrams, some at once and more later; what arrived.  Their
    number, and the arrivals."""
    sent = 0
    arrived = []
    begin = time.monotonic()
    while (past := time.monotonic() - begin) < seconds:
        while sent < at_once + past * pkts_per_s:
            try:
                source.sendto(numbered(sent, size), to)
            except BlockingIOError:
                break
            sent += 1
        arrived += ear.receive(0.004)
    return sent, arrived


class Program:
    """One of the traffic programs; `finish` is what it reported."""

    def __init__(self, namespace, name, words, build):
        self.process = subprocess.Popen(
            namespace.argv(symtapd.find(build, name), *map(str, words)),
            stdout=subprocess.PIPE, bufsize=0)
        namespace.lab.programs.append(self.process)

    def finish(self, seconds=60):
        printed, _ = self.process.communicate(timeout=seconds)
        if self.process.returncode != 0:
            raise RuntimeError(f"{self.process.args}: failed")
        return json.loads(printed)

    def end(self):
        """Before its seconds are over; what it reported."""
        self.process.terminate()
        return self.finish()


class Talk(Program):
    """A conversation over UDP between two namespaces, answer for answer."""

    def __init__(self, inside, outside, addresses, build, pkts_per_s=200,
                 seconds=1.0, size=100, port=7):
        super().__init__(inside, "symtap-test-talk", [
            f"/run/netns/{inside.name}", f"/run/netns/{outside.name}",
            *addresses, port, pkts_per_s, seconds, size], build)
        if self.process.stdout.readline() != b"talking\n":
            raise RuntimeError("nobody answers")


class Blast(Program):
    """One frame over and over; 0 for no limit."""

    def __init__(self, namespace, interface, frame, build, *changes,
                 pkts_per_s=0, seconds=60, count=0):
        super().__init__(namespace, "symtap-test-blast", [
            interface, pkts_per_s, seconds, count, frame.hex(), *changes],
                         build)


class Crowd(Program):
    """Many hosts, 10.20.1.x, that talk to many others, 10.96.x.x, as fast as
    they can or at a rate; `sent` and `got` count both directions."""

    def __init__(self, inside, outside, build, pairs=16, pkts_per_s=0,
                 seconds=1.0, size=100):
        super().__init__(inside, "bench-gateway-traffic", [
            "talk", f"/run/netns/{inside.name}", f"/run/netns/{outside.name}",
            seconds, size, pairs, pkts_per_s], build)


def stream(source, target, address, size, bytes_per_s=None):
    """So much over TCP, to its end: the sockets of who gave and who took."""
    listener = target.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 8080))
    listener.listen()
    client = source.socket(socket.AF_INET, socket.SOCK_STREAM)
    if bytes_per_s:
        client.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, bytes_per_s)
    client.settimeout(30)
    client.connect((address, 8080))
    server = listener.accept()[0]
    listener.close()
    server.settimeout(30)
    sender = threading.Thread(target=client.sendall, args=(bytes(size),))
    sender.start()
    while size > 0:
        got = len(server.recv(1 << 20))
        if got == 0:
            raise ConnectionError(f"it ended {size} bytes too soon")
        size -= got
    sender.join()
    return client, server
