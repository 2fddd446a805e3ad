# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures made of nothing: Ethernet, IP, UDP or TCP, as pcap files."""

import ipaddress
import struct

TCP, UDP = 6, 17
SYN, ACK, RST = 2, 16, 4


def ip_packet(src, dst, proto, payload):
    a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if a.version == 4:
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0,
                             64, proto, 0, a.packed, b.packed)
        return 0x0800, header + payload
    header = struct.pack("!IHBB16s16s", 6 << 28, len(payload), proto, 64,
                         a.packed, b.packed)
    return 0x86dd, header + payload


def frame(src, dst, sport=1000, dport=2000, proto=UDP, flags=ACK, size=64,
          mac=b"\x02\0\0\0\0\1"):
    if proto == UDP:
        payload = struct.pack("!HHHH", sport, dport, 8 + size, 0)
    elif proto == TCP:
        payload = struct.pack("!HHIIBBHHH", sport, dport, 0, 0, 0x50, flags,
                              8192, 0, 0)
    else:
        payload = b""
    ethertype, packet = ip_packet(src, dst, proto, payload + bytes(size))
    return b"\x02\0\0\0\0\2" + mac + struct.pack("!H", ethertype) + packet


def write(path, packets, link_type=1):
    """`packets`: (time_ns, frame)."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 1 << 18,
                               link_type))
        for time_ns, data in packets:
            file.write(struct.pack("<IIII", time_ns // 10**9, time_ns % 10**9,
                                   len(data), len(data)) + data)
