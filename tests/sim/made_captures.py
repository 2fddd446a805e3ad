# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder like the one that SYMTAP_CAPTURES names, made here: small captures
of which everything is known, and their JUDGE.tsv."""

import ipaddress
import os
import struct
import tempfile

HOST = "10.0.0.1"
SYN, ACK, RST, PSH = 0x02, 0x10, 0x04, 0x08


def ipv4(source, target, proto, payload):
    return struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, proto, 0,
        ipaddress.ip_address(source).packed,
        ipaddress.ip_address(target).packed) + payload


def udp(source, sport, target, dport, size=100):
    return ipv4(source, target, 17,
                struct.pack(">HHHH", sport, dport, 8 + size, 0) + bytes(size))


def tcp(source, sport, target, dport, flags, seq=1, ack=0, size=0):
    return ipv4(source, target, 6, struct.pack(
        ">HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 0x50,
        flags, 65535, 0, 0) + bytes(size))


def write(path, packets):
    """Packets are (seconds, bytes of layer 3), in any order."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 101))
        for at, packet in sorted(packets, key=lambda each: each[0]):
            now_ns = 1_700_000_000_000_000_000 + round(at * 1e9)
            file.write(struct.pack("<IIII", now_ns // 10**9, now_ns % 10**9,
                                   len(packet), len(packet)) + packet)


def download():
    """A download: what the client sends is acknowledgements and requests."""
    packets, server = [], "198.51.100.10"
    for number in range(20):
        at, port = number * 0.7, 40000 + number
        packets += [
            (at, tcp(HOST, port, server, 443, SYN)),
            (at + .02, tcp(server, 443, HOST, port, SYN | ACK, 1, 2)),
            (at + .0201, tcp(HOST, port, server, 443, ACK, 2, 2)),
            (at + .021, tcp(HOST, port, server, 443, ACK | PSH, 2, 2, 300)),
        ]
        for segment in range(30):
            packets.append((at + .05 + segment * .002, tcp(
                server, 443, HOST, port, ACK, 2 + segment * 1400, 302, 1400)))
            if segment % 2:
                packets.append((at + .0501 + segment * .002, tcp(
                    HOST, port, server, 443, ACK, 302,
                    2 + (segment + 1) * 1400)))
    return packets


def questions():
    """DNS: each question has an answer."""
    packets = []
    for number in range(200):
        at = number * 0.1
        packets += [(at, udp(HOST, 30000 + number, "198.51.100.53", 53, 40)),
                    (at + .015, udp("198.51.100.53", 53, HOST,
                                    30000 + number, 120))]
    return packets


UPLOAD_SEGMENTS = 600


def upload():
    """An upload to a receiver that acknowledges every tenth segment."""
    port, server = 41000, "198.51.100.20"
    packets = [
        (0, tcp(HOST, port, server, 445, SYN)),
        (.01, tcp(server, 445, HOST, port, SYN | ACK, 1, 2)),
        (.0101, tcp(HOST, port, server, 445, ACK, 2, 2)),
    ]
    for segment in range(UPLOAD_SEGMENTS):
        at, sent = .02 + segment * .001, 2 + segment * 1400
        packets.append((at, tcp(HOST, port, server, 445, ACK, sent, 2, 1400)))
        if segment % 10 == 9:
            packets.append((at + .0005, tcp(server, 445, HOST, port, ACK, 2,
                                            sent + 1400)))
    return packets


def silent(per_s=200, seconds=6):
    return [(number / per_s, udp(HOST, 5000, "203.0.113.9", 9999, 800))
            for number in range(per_s * seconds)]


SWEEP_PER_S = 50


def sweep():
    """Unanswered SYNs to ever new targets, beside a conversation that is
    answered."""
    packets = []
    for number in range(SWEEP_PER_S * 4):
        target = str(ipaddress.ip_address("203.0.113.1") + number)
        packets.append((1 + number / SWEEP_PER_S,
                        tcp(HOST, 2000 + number, target, 23, SYN)))
    for number in range(300):
        at = number * .02
        packets += [(at, udp(HOST, 7000, "198.51.100.7", 7000)),
                    (at + .003, udp("198.51.100.7", 7000, HOST, 7000))]
    return packets


FLOOD_PER_S = 150


def answered_flood():
    packets = []
    for number in range(FLOOD_PER_S * 3):
        at, port = number / FLOOD_PER_S, 10000 + number
        packets += [
            (at, tcp(HOST, port, "203.0.113.80", 80, SYN)),
            (at + .001, tcp("203.0.113.80", 80, HOST, port, SYN | ACK, 7, 2)),
        ]
    return packets


FINISHED_PER_S = 300


def finished_flood():
    """New connections, each of them finished, which S finds nothing in."""
    packets = []
    for number in range(FINISHED_PER_S * 3):
        at, port = number / FINISHED_PER_S, 10000 + number
        packets += [
            (at, tcp(HOST, port, "203.0.113.80", 80, SYN)),
            (at + .001, tcp("203.0.113.80", 80, HOST, port, SYN | ACK, 7, 2)),
            (at + .002, tcp(HOST, port, "203.0.113.80", 80, ACK, 2, 8)),
            (at + .003, tcp("203.0.113.80", 80, HOST, port, ACK | PSH, 8, 2,
                            500)),
        ]
    return packets


def forged():
    return [(number / 100, tcp("198.18.%d.%d" % (number // 250, number % 250),
                               1000, "203.0.113.80", 80, SYN))
            for number in range(500)]


def broadcast():
    return [(number / 50, udp(HOST, 3000, "255.255.255.255", 3000))
            for number in range(200)]


def reflected():
    return [(number / 500, udp("203.0.113.53", 53, HOST, 4444, 1200))
            for number in range(1000)]


def answered():
    packets = []
    for number in range(50):
        at = number * .2
        packets += [(at, udp(HOST, 6000 + number, "203.0.113.22", 22)),
                    (at + .01, udp("203.0.113.22", 22, HOST, 6000 + number))]
    return packets


ROWS = [
    ("legit/download.pcap", "legit", "legit", "initiators", download),
    ("legit/questions.pcap", "legit", "legit", "initiators", questions),
    ("legit/upload.pcap", "legit", "legit", "initiators", upload),
    ("attack/silent.pcap", "attack", "silent-target", HOST + "/32", silent),
    ("attack/sweep.pcap", "attack", "sweep", HOST + "/32", sweep),
    ("attack/flood.pcap", "attack", "answered-flood", "10.0.0.0/24",
     answered_flood),
    ("attack/forged.pcap", "attack", "forged", "10.0.0.0/24", forged),
    ("attack/broadcast.pcap", "attack", "broadcast", "10.0.0.0/24", broadcast),
    ("attack/reflected.pcap", "attack", "reflected-at-victim", "10.0.0.0/24",
     reflected),
    ("attack/answered.pcap", "attack", "answered", "10.0.0.0/24", answered),
]


def make(folder):
    lines = ["file\tclass\tfamily\tguarded"]
    for name, class_name, family, guarded, packets in ROWS:
        write(os.path.join(folder, name), packets())
        lines.append("\t".join((name, class_name, family, guarded)))
    with open(os.path.join(folder, "JUDGE.tsv"), "w") as file:
        file.write("\n".join(lines) + "\n")


def judged(judge):
    """What `judge` says of the folder that SYMTAP_CAPTURES names, or of one
    that is made here."""
    captures = os.environ.get("SYMTAP_CAPTURES")
    if captures:
        good = judge(captures)
        print("judged on " + captures)
        return good
    with tempfile.TemporaryDirectory(prefix="symtap-judge-") as folder:
        make(folder)
        good = judge(folder)
    print("SYMTAP_CAPTURES names no folder: judged on captures made here")
    return good
