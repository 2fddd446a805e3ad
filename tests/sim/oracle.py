#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The limiter as its specification says it, packet by packet: the model that
symtap-sim is compared with.  Slow and plain on purpose; nothing of the
program's arithmetic is repeated, and nothing is bounded.

A key's gate: packets in the last window, (now - W, now]; over when
(sent + 1) > 2^T (heard + 1), without the packet that asks.  Over, one packet
leaves each time the timer fires; the n-th time in a row it runs for
2^(n-1) first delays, at most max_delay.  At equal times: the window slides,
then timers fire, then packets arrive.
"""

import collections
import math

UNICAST, FIRST_FRAGMENT, LATER_FRAGMENT = 0, 1, 2
TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132

Packet = collections.namedtuple(
    "Packet", "time_ns kind proto src sport dst dport fragment fragment_id")


def read_packets(lines):
    packets = []
    for line in lines:
        time, kind, proto, src, sport, dst, dport, fragment, ident = line.split()
        packets.append(Packet(int(time), int(kind), int(proto), src, int(sport),
                              dst, int(dport), int(fragment), int(ident)))
    return packets


class Window:
    """Times of what was sent and heard, oldest first."""

    def __init__(self, window_ns):
        self.window_ns = window_ns
        self.sent = collections.deque()
        self.heard = collections.deque()

    def slide(self, now):
        for times in self.sent, self.heard:
            while times and times[0] + self.window_ns <= now:
                times.popleft()

    def next_slide(self):
        return min((times[0] + self.window_ns
                    for times in (self.sent, self.heard) if times),
                   default=None)


class Gate:
    """One key: its packets as (time, is_out, id), in order of time."""

    def __init__(self, ratio=4.0, window_ns=10**9, first_ns=2 * 10**6,
                 max_ns=1024 * 10**6):
        self.ratio = ratio
        self.window = Window(window_ns)
        self.first_ns, self.max_ns = first_ns, max_ns
        self.n = 0
        self.armed = None
        self.owed = False
        self.waiting = collections.deque()
        self.left = {}

    def over(self):
        return (len(self.window.sent) + 1 >
                self.ratio * (len(self.window.heard) + 1))

    def ask(self, now):
        """May one leave?  Only asked when one wants to."""
        if not self.over():
            self.n, self.armed, self.owed = 0, None, False
            return True
        if self.owed:
            return True
        if self.armed is None:
            self.n += 1
            self.armed = now + min(self.first_ns * 2 ** min(self.n - 1, 40),
                                   self.max_ns)
        return False

    def send(self, ident, now):
        if self.over():
            self.owed = False
        self.window.sent.append(now)
        self.left[ident] = now

    def let_out(self, now):
        while self.waiting and self.ask(now):
            self.send(self.waiting.popleft(), now)
        if not self.waiting:
            self.owed = False

    def run_until(self, end):
        """Everything that happens up to `end` (None: until nothing waits)."""
        while True:
            times = [] if self.armed is None else [self.armed]
            slide = self.window.next_slide()
            if slide is not None:
                times.append(slide)
            if not times or (end is None and not self.waiting):
                return
            now = min(times)
            if end is not None and now > end:
                return
            self.window.slide(now)
            if not self.over():
                self.n, self.armed, self.owed = 0, None, False
            if self.armed is not None and self.armed <= now:
                self.armed = None
                self.owed = bool(self.waiting)
            self.let_out(now)

    def run(self, packets):
        for now, is_out, ident in packets:
            self.run_until(now)
            if is_out:
                if self.waiting or not self.ask(now):
                    self.waiting.append(ident)
                    self.let_out(now)
                else:
                    self.send(ident, now)
            else:
                self.window.heard.append(now)
                if not self.over():
                    self.n, self.armed, self.owed = 0, None, False
                self.let_out(now)
        self.run_until(None)
        return self.left


def peak(packets, window_ns=10**9):
    """The largest S at any packet, nothing held; 0 at the least."""
    window = Window(window_ns)
    most = 0.0
    for now, is_out, _ in packets:
        window.slide(now)
        (window.sent if is_out else window.heard).append(now)
        most = max(most, math.log2((len(window.sent) + 1) /
                                   (len(window.heard) + 1)))
    return most


def follow_fragments(packets):
    """Later fragments have the ports, and the kind, of their first."""
    firsts = {}
    result = []
    for packet in packets:
        whose = (packet.src, packet.dst, packet.fragment_id)
        if packet.fragment == FIRST_FRAGMENT:
            firsts[whose] = packet
        elif packet.fragment == LATER_FRAGMENT and whose in firsts:
            first = firsts[whose]
            packet = packet._replace(proto=first.proto, sport=first.sport,
                                     dport=first.dport, kind=first.kind)
        result.append(packet)
    return result


def host_of(address):
    """IPv6 hosts are one for each /64."""
    if ":" not in address:
        return address
    import ipaddress
    return str(ipaddress.ip_network(address + "/64", strict=False)
               .network_address)


def key_of(packet, is_out, scope):
    inside, outside = ((packet.src, packet.dst) if is_out
                       else (packet.dst, packet.src))
    ports = ((packet.sport, packet.dport) if is_out
             else (packet.dport, packet.sport))
    if packet.proto in (ICMP, ICMPV6):
        ports = (ports[0], 0)
    elif packet.proto not in (TCP, UDP, SCTP):
        ports = (0, 0)
    if scope == "flow":
        return (inside, outside, packet.proto) + ports
    if scope == "pair":
        return (inside, outside)
    return (host_of(inside),)


def split(packets, scope, guarded="initiators"):
    """Key > its packets as Gate.run wants them; time never runs back."""
    began = {}
    keys = collections.defaultdict(list)
    now = None
    for ident, packet in enumerate(follow_fragments(packets)):
        now = packet.time_ns if now is None else max(now, packet.time_ns)
        if packet.kind != UNICAST:
            continue
        pair = frozenset((packet.src, packet.dst))
        began.setdefault(pair, packet.src)
        is_out = (began[pair] == packet.src) == (guarded == "initiators")
        keys[key_of(packet, is_out, scope)].append((now, is_out, ident))
    return keys


def judge(packets, scope, guarded="initiators", **limiter):
    """Key > what symtap-sim's JSON must say of it."""
    result = {}
    for key, own in split(packets, scope, guarded).items():
        left = Gate(**limiter).run(own)
        delays = [left[ident] - now for now, is_out, ident in own
                  if is_out and left[ident] > now]
        result[key] = {
            "out": sum(is_out for _, is_out, _ in own),
            "in": sum(not is_out for _, is_out, _ in own),
            "max_s": peak(own, limiter.get("window_ns", 10**9)),
            "delayed": len(delays),
            "delay_ms_total": sum(delays) / 1e6,
            "delay_ms_max": max(delays, default=0) / 1e6,
        }
    return result
