/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/packet_samples.h"

#define HOST4 "0a140007" /* 10.20.0.7 */
#define FAR4  "c6336401" /* 198.51.100.1 */
#define HOST6 "20010db8 0020 0000 0000 0000 0000 0007"
#define FAR6  "20010db8 ffff 0000 0000 0000 0000 0001"
#define V4MAP "00000000 0000 0000 0000 ffff " HOST4
#define MC6   "ff020000 0000 0000 0000 0000 0001 0002"

/* lengths, ids and offsets, protocols: hex digits of the whole field */
#define V4_TO(total, id_offset, proto, dst) \
	"4500" total id_offset "40" proto "0000" HOST4 dst
#define V4(total, id_offset, proto)     V4_TO(total, id_offset, proto, FAR4)
#define V6_TO(payload, next, hops, dst) "60000000" payload next hops HOST6 dst
#define V6(payload, next)               V6_TO(payload, next, "40", FAR6)
#define TCP(offset_flags) \
	"9c400050 00000001 00000002" offset_flags "ffff0000 0000"
#define UDP(ports, bytes)       ports bytes "0000"
#define ICMP(type_code, rest)   type_code "0000" rest
#define ETHERNET(dst_mac, type) dst_mac "525400123456" type
#define MAC                     "5254000a0b0c"
#define PAD8                    "0000000000000000"
#define QUOTE4                  V4("0054", "12344000", "11")
#define HBH(next) \
	next "00" \
	     "0104 00000000"

#define OK4(bytes)                                                       \
	.ethertype = 0x0800, .addressed = true, .needed_bytes = (bytes), \
	.header_bytes = (bytes)
#define OK6(bytes)                                                       \
	.ethertype = 0x86dd, .addressed = true, .needed_bytes = (bytes), \
	.header_bytes = (bytes)
#define OK_ETHERNET(link, bytes)                             \
	.addressed = true, .needed_bytes = (link) + (bytes), \
	.header_bytes = (bytes)

const struct packet_sample packet_samples[] = {
	/* IPv4 */
	{ "tcp4", OK4(40), .hex = V4("0028", "12344000", "06") TCP("5018"),
	  .length_bytes = 40, .tcp_flags = 0x18,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-syn-mss", OK4(52),
	  .hex = V4("0034", "12344000", "06")
		  TCP("8002") "020405b4 01010402 01030307",
	  .length_bytes = 52, .tcp_flags = 0x02, .mss = 1460,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-synack-mss-last", OK4(60),
	  .hex = V4("003c", "12344000", "06") TCP(
		  "a012") "080a 00000001 00000002 01 01 0402 01 01 020423b4",
	  .length_bytes = 60, .tcp_flags = 0x12, .mss = 9140,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-syn-all-nops", OK4(80),
	  .hex = V4("0050", "12344000", "06")
		  TCP("f002") "0101010101010101010101010101010101010101"
			      "0101010101010101010101010101010101010101",
	  .length_bytes = 80, .tcp_flags = 0x02,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-syn-mss-tenth", OK4(56),
	  .hex = V4("0038", "12344000", "06")
		  TCP("9002") "01010101 01010101 01 020405b4 010101",
	  .length_bytes = 56, .tcp_flags = 0x02, .mss = 1460,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-syn-mss-eleventh", OK4(56),
	  .hex = V4("0038", "12344000", "06")
		  TCP("9002") "01010101 01010101 0101 020405b4 0101",
	  .length_bytes = 56, .tcp_flags = 0x02,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-syn-option-of-length-0", OK4(48),
	  .hex = V4("0030", "12344000", "06") TCP("7002") "0800 0000 020405b4",
	  .length_bytes = 48, .tcp_flags = 0x02,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-syn-mss-of-length-3", OK4(44),
	  .hex = V4("002c", "12344000", "06") TCP("6002") "020305b4",
	  .length_bytes = 44, .tcp_flags = 0x02,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-syn-mss-cut-by-its-header", OK4(44),
	  .hex = V4("0030", "12344000", "06") TCP("6002") "0101 0204 05b4 0000",
	  .length_bytes = 48, .tcp_flags = 0x02,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-mss-without-syn", OK4(44),
	  .hex = V4("002c", "12344000", "06") TCP("6010") "020405b4",
	  .length_bytes = 44, .tcp_flags = 0x10,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-ip-options", OK4(80),
	  .hex = "4f00 0050 1234 4000 40 06 0000" HOST4 FAR4
		 "0101010101010101010101010101010101010101"
		 "0101010101010101010101010101010101010101" TCP("5010"),
	  .length_bytes = 80, .tcp_flags = 0x10,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-super-packet-of-length-0", OK4(40), .wire_bytes = 180040,
	  .hex = V4("0000", "12344000", "06") TCP("5010"),
	  .length_bytes = 180040, .tcp_flags = 0x10,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp4-super-packet", OK4(40), .wire_bytes = 64040,
	  .hex = V4("fa28", "12344000", "06") TCP("5010"),
	  .length_bytes = 64040, .tcp_flags = 0x10,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "udp4-padded", OK4(28),
	  .hex = V4("001e", "12340000", "11")
		  UDP("003514e9", "000a") "aaaa" PAD8 PAD8,
	  .length_bytes = 30,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "udp4-of-length-0", OK4(28),
	  .hex = V4("001c", "12340000", "11") UDP("003514e9", "0000"),
	  .length_bytes = 28,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "icmp4-echo", OK4(28),
	  .hex = V4("0020", "12344000", "01")
		  ICMP("0800", "beef0001") "00000000",
	  .length_bytes = 32,
	  .ends = { .src_port = 0xbeef, .dst_port = 0xbeef, .proto = 1 } },
	{ "icmp4-echo-reply", OK4(28),
	  .hex = V4("001c", "12344000", "01") ICMP("0000", "beef0001"),
	  .length_bytes = 28,
	  .ends = { .src_port = 0xbeef, .dst_port = 0xbeef, .proto = 1 } },
	{ "icmp4-timestamp", OK4(28),
	  .hex = V4("0028", "12344000", "01")
		  ICMP("0d00", "00070001") "00000001 00000000 00000000",
	  .length_bytes = 40,
	  .ends = { .src_port = 7, .dst_port = 7, .proto = 1 } },
	{ "icmp4-router-advertisement", OK4(28),
	  .hex = V4("001c", "12344000", "01") ICMP("0900", "01020003"),
	  .length_bytes = 28, .ends = { .proto = 1 } },
	{ "sctp4", OK4(32),
	  .hex = V4("0020", "12344000", "84") "0b590b5a 00000000 00000000",
	  .length_bytes = 32,
	  .ends = { .src_port = 2905, .dst_port = 2906, .proto = 132 } },
	{ "esp4", OK4(20), .hex = V4("001c", "12344000", "32") PAD8,
	  .length_bytes = 28, .ends = { .proto = 50 } },
	{ "ah4", OK4(20), .hex = V4("001c", "12344000", "33") PAD8,
	  .length_bytes = 28, .ends = { .proto = 51 } },
	{ "gre4", OK4(20), .hex = V4("001c", "12344000", "2f") PAD8,
	  .length_bytes = 28, .ends = { .proto = 47 } },
	{ "unknown4", OK4(20), .hex = V4("0014", "12344000", "fd"),
	  .length_bytes = 20, .ends = { .proto = 253 } },
	{ "icmpv6-in-ipv4-is-no-echo", OK4(20),
	  .hex = V4("001c", "12344000", "3a") ICMP("8000", "beef0001"),
	  .length_bytes = 28, .ends = { .proto = 58 } },

	/* ICMP errors */
	{ "icmp4-unreachable", OK4(28),
	  .hex = V4("0038", "12340000", "01") ICMP("0303", "00000000")
		  QUOTE4 UDP("003514e9", "0040"),
	  .length_bytes = 56, .kind = PACKET_ICMP_ERROR, .ends = { .proto = 1 },
	  .quoted = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "icmp4-quench-quotes-tcp", OK4(28),
	  .hex = V4("0038", "12340000", "01") ICMP("0400", "00000000")
		  V4("05dc", "12344000", "06") "9c400050 00000001",
	  .length_bytes = 56, .kind = PACKET_ICMP_ERROR, .ends = { .proto = 1 },
	  .quoted = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "icmp4-redirect-quotes-echo", OK4(28),
	  .hex = V4("0038", "12340000", "01") ICMP("0501", "0a140001")
		  V4("0054", "12344000", "01") ICMP("0800", "beef0001"),
	  .length_bytes = 56, .kind = PACKET_ICMP_ERROR, .ends = { .proto = 1 },
	  .quoted = { .src_port = 0xbeef, .dst_port = 0xbeef, .proto = 1 } },
	{ "icmp4-exceeded-quotes-options", OK4(28),
	  .hex = V4("003c", "12340000", "01")
		  ICMP("0b00",
		       "00000000") "4600 0058 1234 0000 40 84 0000" HOST4 FAR4
				   "01010101"
				   "0b590b5a 00000000",
	  .length_bytes = 60, .kind = PACKET_ICMP_ERROR, .ends = { .proto = 1 },
	  .quoted = { .src_port = 2905, .dst_port = 2906, .proto = 132 } },
	{ "icmp4-parameter-quotes-later-fragment", OK4(28),
	  .hex = V4("0038", "12340000", "01") ICMP("0c00", "00000000")
		  V4("0054", "12340001", "11") "003514e9 00080000",
	  .length_bytes = 56, .kind = PACKET_ICMP_ERROR, .ends = { .proto = 1 },
	  .quoted = { .proto = 17 } },
	{ "icmp4-error-quotes-too-little-of-udp", OK4(28),
	  .hex = V4("0037", "12340000", "01") ICMP("0303", "00000000") QUOTE4
	  "003514e9 004000",
	  .length_bytes = 55, .kind = PACKET_ICMP_ERROR, .ends = { .proto = 1 },
	  .quoted = { .proto = 17 } },
	{ "icmp4-error-quotes-version-6", OK4(28),
	  .hex = V4("0030", "12340000", "01") ICMP(
		  "0303", "00000000") "65"
				      "00 0054 1234 0000 40 11 0000" HOST4 FAR4,
	  .length_bytes = 48, .kind = PACKET_ICMP_ERROR,
	  .ends = { .proto = 1 } },
	{ "icmp4-error-quotes-header-of-16-bytes", OK4(28),
	  .hex = V4("0030", "12340000", "01") ICMP(
		  "0303", "00000000") "44"
				      "00 0054 1234 0000 40 11 0000" HOST4 FAR4,
	  .length_bytes = 48, .kind = PACKET_ICMP_ERROR,
	  .ends = { .proto = 1 } },
	{ "icmp4-error-quotes-an-error", OK4(28),
	  .hex = V4("0038", "12340000", "01") ICMP("0303", "00000000")
		  V4("0054", "12344000", "01") ICMP("0303", "beef0001"),
	  .length_bytes = 56, .kind = PACKET_ICMP_ERROR, .ends = { .proto = 1 },
	  .quoted = { .proto = 1 } },
	{ "icmp4-error-in-padding-quotes-nothing", OK4(28),
	  .hex = V4("001c", "12340000", "01") ICMP("0303", "00000000") QUOTE4,
	  .length_bytes = 28, .kind = PACKET_ICMP_ERROR,
	  .ends = { .proto = 1 } },
	{ "icmp6-unreachable", OK6(48),
	  .hex = V6("0038", "3a") ICMP("0104", "00000000") V6("0008", "11")
		  UDP("003514e9", "0008"),
	  .length_bytes = 96, .kind = PACKET_ICMP_ERROR,
	  .ends = { .proto = 58 },
	  .quoted = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "icmp6-too-big-quotes-extensions", OK6(48),
	  .hex = V6("0048", "3a") ICMP("0200", "00000500") V6("1000", "00")
		  HBH("2c") "3a000001 00000007" ICMP("8000", "beef0001"),
	  .length_bytes = 112, .kind = PACKET_ICMP_ERROR,
	  .ends = { .proto = 58 },
	  .quoted = { .src_port = 0xbeef, .dst_port = 0xbeef, .proto = 58 } },
	{ "icmp6-exceeded-quotes-later-fragment", OK6(48),
	  .hex = V6("0040", "3a") ICMP("0301", "00000000")
		  V6("0010", "2c") "11000008 00000007" PAD8,
	  .length_bytes = 104, .kind = PACKET_ICMP_ERROR,
	  .ends = { .proto = 58 }, .quoted = { .proto = 17 } },
	{ "icmp6-parameter-quotes-mapped-address", OK6(48),
	  .hex = V6("0030", "3a")
		  ICMP("0400", "00000000") "60000000 0008 11 40" V4MAP FAR6,
	  .length_bytes = 88, .kind = PACKET_ICMP_ERROR,
	  .ends = { .proto = 58 } },
	{ "icmp6-private-error", OK6(48),
	  .hex = V6("0008", "3a") ICMP("6400", "00000000"), .length_bytes = 48,
	  .ends = { .proto = 58 } },

	/* Fragments */
	{ "udp4-first-fragment", OK4(28),
	  .hex = V4("0024", "12342000", "11") UDP("003514e9", "0bb8") PAD8,
	  .length_bytes = 36, .fragment = PACKET_FIRST_FRAGMENT,
	  .fragment_id = 0x1234,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "udp4-middle-fragment", OK4(20),
	  .hex = V4("001c", "12342002", "11") "003514e9 0bb80000",
	  .length_bytes = 28, .fragment = PACKET_LATER_FRAGMENT,
	  .fragment_id = 0x1234, .ends = { .proto = 17 } },
	{ "udp4-last-fragment", OK4(20),
	  .hex = V4("0015", "12341fff", "11") "00", .length_bytes = 21,
	  .fragment = PACKET_LATER_FRAGMENT, .fragment_id = 0x1234,
	  .ends = { .proto = 17 } },
	{ "udp6-first-fragment", OK6(56),
	  .hex = V6("0018", "2c") "11000001 89abcdef" UDP("003514e9", "0bb8")
		  PAD8,
	  .length_bytes = 64, .fragment = PACKET_FIRST_FRAGMENT,
	  .fragment_id = 0x89abcdef,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "udp6-last-fragment", OK6(48),
	  .hex = V6("0010", "2c") "11000008 89abcdef 003514e9 0bb80000",
	  .length_bytes = 56, .fragment = PACKET_LATER_FRAGMENT,
	  .fragment_id = 0x89abcdef, .ends = { .proto = 17 } },
	{ "ipv6-later-fragment-with-high-offset-bits", OK6(48),
	  .hex = V6("0010", "2c") "3c000101 89abcdef" PAD8, .length_bytes = 56,
	  .fragment = PACKET_LATER_FRAGMENT, .fragment_id = 0x89abcdef,
	  .ends = { .proto = 60 } },
	{ "udp6-atomic-fragment", OK6(56),
	  .hex = V6("0010", "2c") "11000006 89abcdef" UDP("003514e9", "0008"),
	  .length_bytes = 56,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },

	/* IPv6 */
	{ "tcp6", OK6(60), .hex = V6("0014", "06") TCP("5018"),
	  .length_bytes = 60, .tcp_flags = 0x18,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp6-syn-mss", OK6(64),
	  .hex = V6("0018", "06") TCP("6002") "020405a0", .length_bytes = 64,
	  .tcp_flags = 0x02, .mss = 1440,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "udp6", OK6(48), .hex = V6("0008", "11") UDP("003514e9", "0008"),
	  .length_bytes = 48,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "rtp6", OK6(48),
	  .hex = V6("0014", "11")
		  UDP("40004002", "0014") "8000 00ff 000000a0 11223344",
	  .length_bytes = 60, .rtp_seq = 255, .rtp_ssrc = 0x11223344,
	  .ends = { .src_port = 0x4000, .dst_port = 0x4002, .proto = 17 } },
	{ "rtp6-marked", OK6(48),
	  .hex = V6("0014", "11")
		  UDP("40004002", "0014") "9fff ffff 000000a0 00000001",
	  .length_bytes = 60, .rtp_seq = 0xffff, .rtp_ssrc = 1,
	  .ends = { .src_port = 0x4000, .dst_port = 0x4002, .proto = 17 } },
	{ "rtcp6-is-no-rtp", OK6(48),
	  .hex = V6("0014", "11")
		  UDP("40004002", "0014") "80c8 0006 000000a0 11223344",
	  .length_bytes = 60,
	  .ends = { .src_port = 0x4000, .dst_port = 0x4002, .proto = 17 } },
	{ "udp6-of-another-version-is-no-rtp", OK6(48),
	  .hex = V6("0014", "11")
		  UDP("40004002", "0014") "4000 00ff 000000a0 11223344",
	  .length_bytes = 60,
	  .ends = { .src_port = 0x4000, .dst_port = 0x4002, .proto = 17 } },
	{ "udp6-too-short-for-rtp", OK6(48),
	  .hex = V6("0013", "11")
		  UDP("40004002", "0013") "8000 00ff 000000a0 112233",
	  .length_bytes = 59,
	  .ends = { .src_port = 0x4000, .dst_port = 0x4002, .proto = 17 } },
	{ "icmp6-echo", OK6(48),
	  .hex = V6("0008", "3a") ICMP("8000", "beef0001"), .length_bytes = 48,
	  .ends = { .src_port = 0xbeef, .dst_port = 0xbeef, .proto = 58 } },
	{ "icmp6-echo-reply", OK6(48),
	  .hex = V6("0008", "3a") ICMP("8100", "beef0001"), .length_bytes = 48,
	  .ends = { .src_port = 0xbeef, .dst_port = 0xbeef, .proto = 58 } },
	{ "icmp-in-ipv6-is-no-echo", OK6(40),
	  .hex = V6("0008", "01") ICMP("0800", "beef0001"), .length_bytes = 48,
	  .ends = { .proto = 1 } },
	{ "udp6-every-extension", OK6(104),
	  .hex = V6("0040", "00")
		  HBH("2b") "3c00 0400 00000000"
			    "3301 0104 00000000 0000000000000000"
			    "2c02 0000 00000000 00000000 00000000"
			    "1100 0000 00000007" UDP("003514e9", "0008"),
	  .length_bytes = 104,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "udp6-six-extensions", OK6(96),
	  .hex = V6("0038", "3c") HBH("3c") HBH("3c") HBH("3c") HBH("3c")
		  HBH("3c") HBH("11") UDP("003514e9", "0008"),
	  .length_bytes = 96,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "ipv6-no-next-header", OK6(40), .hex = V6("0000", "3b") PAD8,
	  .length_bytes = 40, .ends = { .proto = 59 } },
	{ "esp6", OK6(40), .hex = V6("0008", "32") PAD8, .length_bytes = 48,
	  .ends = { .proto = 50 } },
	{ "tcp6-jumbo", OK6(68), .wire_bytes = 180068,
	  .hex = V6("0000", "00") "0600 c204 0002bf3c" TCP("5010"),
	  .length_bytes = 180068, .tcp_flags = 0x10,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tcp6-super-packet-of-length-0", OK6(60), .wire_bytes = 180060,
	  .hex = V6("0000", "06") TCP("5010"), .length_bytes = 180060,
	  .tcp_flags = 0x10,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },

	/* Kinds */
	{ "udp4-multicast", OK4(28),
	  .hex = V4_TO("001c", "12340000", "11", "efffffff")
		  UDP("003514e9", "0008"),
	  .length_bytes = 28, .kind = PACKET_MULTICAST,
	  .ends = { .dst = "239.255.255.255",
		    .src_port = 53,
		    .dst_port = 5353,
		    .proto = 17 } },
	{ "udp4-beyond-multicast", OK4(28),
	  .hex = V4_TO("001c", "12340000", "11", "f0000000")
		  UDP("003514e9", "0008"),
	  .length_bytes = 28,
	  .ends = { .dst = "240.0.0.0",
		    .src_port = 53,
		    .dst_port = 5353,
		    .proto = 17 } },
	{ "udp4-before-multicast", OK4(28),
	  .hex = V4_TO("001c", "12340000", "11", "dfffffff")
		  UDP("003514e9", "0008"),
	  .length_bytes = 28,
	  .ends = { .dst = "223.255.255.255",
		    .src_port = 53,
		    .dst_port = 5353,
		    .proto = 17 } },
	{ "udp4-broadcast", OK4(28),
	  .hex = V4_TO("001c", "12340000", "11", "ffffffff")
		  UDP("003514e9", "0008"),
	  .length_bytes = 28, .kind = PACKET_MULTICAST,
	  .ends = { .dst = "255.255.255.255",
		    .src_port = 53,
		    .dst_port = 5353,
		    .proto = 17 } },
	{ "icmp4-error-to-multicast", OK4(28),
	  .hex = V4_TO("001c", "12340000", "01", "e0000001")
		  ICMP("0303", "00000000"),
	  .length_bytes = 28, .kind = PACKET_MULTICAST,
	  .ends = { .dst = "224.0.0.1", .proto = 1 } },
	{ "udp6-multicast", OK6(48),
	  .hex = V6_TO("0008", "11", "01", MC6) UDP("003514e9", "0008"),
	  .length_bytes = 48, .kind = PACKET_MULTICAST,
	  .ends = { .dst = "ff02::1:2",
		    .src_port = 53,
		    .dst_port = 5353,
		    .proto = 17 } },
	{ "dhcp4-discover", OK4(28),
	  .hex = V4_TO("001c", "12340000", "11", "ffffffff")
		  UDP("00440043", "0008"),
	  .length_bytes = 28, .kind = PACKET_DHCP,
	  .ends = { .dst = "255.255.255.255",
		    .src_port = 68,
		    .dst_port = 67,
		    .proto = 17 } },
	{ "dhcp4-relay", OK4(28),
	  .hex = V4("001c", "12340000", "11") UDP("00430043", "0008"),
	  .length_bytes = 28, .kind = PACKET_DHCP,
	  .ends = { .src_port = 67, .dst_port = 67, .proto = 17 } },
	{ "udp4-one-dhcp-port-is-not-dhcp", OK4(28),
	  .hex = V4("001c", "12340000", "11") UDP("00440042", "0008"),
	  .length_bytes = 28,
	  .ends = { .src_port = 68, .dst_port = 66, .proto = 17 } },
	{ "udp4-port-past-dhcp-is-not-dhcp", OK4(28),
	  .hex = V4("001c", "12340000", "11") UDP("00450044", "0008"),
	  .length_bytes = 28,
	  .ends = { .src_port = 69, .dst_port = 68, .proto = 17 } },
	{ "dhcp6-solicit", OK6(48),
	  .hex = V6_TO("0008", "11", "01", MC6) UDP("02220223", "0008"),
	  .length_bytes = 48, .kind = PACKET_DHCP,
	  .ends = { .dst = "ff02::1:2",
		    .src_port = 546,
		    .dst_port = 547,
		    .proto = 17 } },
	{ "udp6-dhcp4-ports-are-not-dhcp", OK6(48),
	  .hex = V6("0008", "11") UDP("00440043", "0008"), .length_bytes = 48,
	  .ends = { .src_port = 68, .dst_port = 67, .proto = 17 } },
	{ "icmp6-router-solicitation", OK6(48),
	  .hex = V6_TO("0008", "3a", "ff", MC6) ICMP("8500", "00000000"),
	  .length_bytes = 48, .kind = PACKET_NEIGHBOUR,
	  .ends = { .dst = "ff02::1:2", .proto = 58 } },
	{ "icmp6-neighbour-solicitation", OK6(48),
	  .hex = V6_TO("0018", "3a", "ff", FAR6) ICMP("8700", "00000000") FAR6,
	  .length_bytes = 64, .kind = PACKET_NEIGHBOUR,
	  .ends = { .proto = 58 } },
	{ "icmp6-redirect", OK6(48),
	  .hex = V6_TO("0008", "3a", "ff", FAR6) ICMP("8900", "00000000"),
	  .length_bytes = 48, .kind = PACKET_NEIGHBOUR,
	  .ends = { .proto = 58 } },
	{ "icmp6-neighbour-that-was-routed", OK6(48),
	  .hex = V6_TO("0008", "3a", "fe", FAR6) ICMP("8700", "00000000"),
	  .length_bytes = 48, .ends = { .proto = 58 } },
	{ "icmp6-neighbour-of-a-strange-code", OK6(48),
	  .hex = V6_TO("0008", "3a", "ff", FAR6) ICMP("8701", "00000000"),
	  .length_bytes = 48, .ends = { .proto = 58 } },
	{ "icmp6-neighbour-in-a-fragment", OK6(56),
	  .hex = V6_TO("0010", "2c", "ff",
		       FAR6) "3a000001 00000007" ICMP("8700", "00000000"),
	  .length_bytes = 56, .fragment = PACKET_FIRST_FRAGMENT,
	  .fragment_id = 7, .ends = { .proto = 58 } },
	{ "icmp6-multicast-listener", OK6(48),
	  .hex = V6_TO("0008", "3a", "01", MC6) ICMP("8f00", "00000000"),
	  .length_bytes = 48, .kind = PACKET_MULTICAST,
	  .ends = { .dst = "ff02::1:2", .proto = 58 } },
	{ "arp", .ethertype = 0x0806, .needed_bytes = 28, .header_bytes = 28,
	  .addressed = true,
	  .hex = "0001 0800 06 04 0001 525400123456" HOST4
		 "000000000000" FAR4 PAD8,
	  .length_bytes = 28, .kind = PACKET_NEIGHBOUR },

	/* Frames */
	{ "ethernet-udp4", OK_ETHERNET(14, 28), .family = 0x0800,
	  .hex = ETHERNET(MAC, "0800") V4("001c", "12340000", "11")
		  UDP("003514e9", "0008") PAD8 PAD8,
	  .length_bytes = 28,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "ethernet-udp4-to-everybody", OK_ETHERNET(14, 28), .family = 0x0800,
	  .hex = ETHERNET("ffffffffffff", "0800") V4_TO(
		  "001c", "12340000", "11", "0a14ffff") UDP("003514e9", "0008"),
	  .length_bytes = 28, .link_group = true,
	  .ends = { .dst = "10.20.255.255",
		    .src_port = 53,
		    .dst_port = 5353,
		    .proto = 17 } },
	{ "ethernet-arp", OK_ETHERNET(14, 28), .family = 0x0806,
	  .hex = ETHERNET("ffffffffffff",
			  "0806") "0001 0800 06 04 0001 525400123456" HOST4
				  "000000000000" FAR4,
	  .length_bytes = 28, .kind = PACKET_NEIGHBOUR, .link_group = true },
	{ "vlan-tcp6", OK_ETHERNET(18, 60), .family = 0x86dd,
	  .hex = ETHERNET(MAC, "8100") "a011 86dd" V6("0014", "06") TCP("5010"),
	  .length_bytes = 60, .vlan = { 17 }, .tcp_flags = 0x10,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "qinq-udp4", OK_ETHERNET(22, 28), .family = 0x0800,
	  .hex = ETHERNET(MAC, "88a8") "0064 8100 0fff 0800" V4(
		  "001c", "12340000", "11") UDP("003514e9", "0008"),
	  .length_bytes = 28, .vlan = { 100, 4095 },
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "priority-tag-in-front", OK_ETHERNET(22, 28), .family = 0x0800,
	  .hex = ETHERNET(MAC, "8100") "e000 8100 0011 0800" V4(
		  "001c", "12340000", "11") UDP("003514e9", "0008"),
	  .length_bytes = 28, .vlan = { 17 },
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "pppoe-udp4", OK_ETHERNET(22, 28), .family = 0x0800,
	  .hex = ETHERNET(MAC, "8864") "1100 0001 001e 0021" V4(
		  "001c", "12340000", "11") UDP("003514e9", "0008"),
	  .length_bytes = 28,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "pppoe-with-compressed-protocol", OK_ETHERNET(21, 28),
	  .family = 0x0800,
	  .hex = ETHERNET(MAC, "8864") "1100 0001 001d 21" V4(
		  "001c", "12340000", "11") UDP("003514e9", "0008"),
	  .length_bytes = 28,
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },
	{ "pppoe-over-qinq-tcp6", OK_ETHERNET(30, 60), .family = 0x86dd,
	  .hex = ETHERNET(MAC, "88a8") "0064 8100 0011 8864"
				       "1100 0001 003e 0057" V6("0014", "06")
					       TCP("5010"),
	  .length_bytes = 60, .vlan = { 100, 17 }, .tcp_flags = 0x10,
	  .ends = { .src_port = 40000, .dst_port = 80, .proto = 6 } },
	{ "tag-without-its-frame", .ethertype = 0x8100, .family = 0x0800,
	  .addressed = true, .needed_bytes = 32, .header_bytes = 28,
	  .hex = "0011 0800" V4("001c", "12340000", "11")
		  UDP("003514e9", "0008"),
	  .length_bytes = 28, .vlan = { 17 },
	  .ends = { .src_port = 53, .dst_port = 5353, .proto = 17 } },

	/* What is refused before it has addresses */
	{ "lldp", .hex = ETHERNET(MAC, "88cc") PAD8, .error = PACKET_NOT_IP },
	{ "802.3", .hex = ETHERNET(MAC, "0008") PAD8, .error = PACKET_NOT_IP },
	{ "pppoe-lcp", .hex = ETHERNET(MAC, "8864") "1100 0001 0004 c021 0101",
	  .error = PACKET_NOT_IP },
	{ "pppoe-of-a-strange-code", .ethertype = 0x8864,
	  .hex = "1101 0001 001e 0021" V4("001c", "12340000", "11")
		  UDP("003514e9", "0008"),
	  .error = PACKET_NOT_IP },
	{ "arp-of-another-link", .ethertype = 0x0806,
	  .hex = "0006 0800 06 04 0001" PAD8 PAD8 PAD8,
	  .error = PACKET_NOT_IP },
	{ "arp-of-long-addresses", .ethertype = 0x0806,
	  .hex = "0001 0800 06 10 0001" PAD8 PAD8 PAD8,
	  .error = PACKET_BAD_LENGTH },
	{ "ipv4-version-6", .ethertype = 0x0800,
	  .hex = V6("0008", "11") UDP("003514e9", "0008"),
	  .error = PACKET_BAD_VERSION },
	{ "ipv6-version-4", .ethertype = 0x86dd,
	  .hex = V4("0030", "12340000", "11") PAD8 PAD8 PAD8 PAD8,
	  .error = PACKET_BAD_VERSION },
	{ "ipv4-header-of-16-bytes", .ethertype = 0x0800,
	  .hex = "4400 001c 1234 0000 40 11 0000" HOST4 FAR4 PAD8,
	  .error = PACKET_BAD_LENGTH },
	{ "ipv4-shorter-than-its-header", .ethertype = 0x0800,
	  .hex = V4("0013", "12340000", "11") PAD8,
	  .error = PACKET_BAD_LENGTH },
	{ "ipv4-longer-than-the-wire", .ethertype = 0x0800,
	  .hex = V4("001d", "12340000", "11") UDP("003514e9", "0008"),
	  .error = PACKET_BAD_LENGTH },
	{ "ipv6-longer-than-the-wire", .ethertype = 0x86dd,
	  .hex = V6("0009", "11") UDP("003514e9", "0008"),
	  .error = PACKET_BAD_LENGTH },
	{ "ipv6-length-0-without-jumbo", .ethertype = 0x86dd,
	  .hex = V6("0000", "00") HBH("11") UDP("003514e9", "0008"),
	  .error = PACKET_BAD_LENGTH },
	{ "ipv6-mapped-source", .ethertype = 0x86dd,
	  .hex = "60000000 0008 11 40" V4MAP FAR6 UDP("003514e9", "0008"),
	  .error = PACKET_BAD_ADDRESS },
	{ "ipv6-mapped-destination", .ethertype = 0x86dd,
	  .hex = V6_TO("0008", "11", "40", V4MAP) UDP("003514e9", "0008"),
	  .error = PACKET_BAD_ADDRESS },
	{ "three-vlans",
	  .hex = ETHERNET(MAC, "88a8") "0064 8100 0011 8100 0012 0800" V4(
		  "001c", "12340000", "11") UDP("003514e9", "0008"),
	  .vlan = { 100, 17 }, .error = PACKET_TOO_MANY_HEADERS },
	{ "five-priority-tags",
	  .hex = ETHERNET(MAC, "8100") "0000 8100 0000 8100 0000 8100 0000 8100"
				       "0000 0800" V4("001c", "12340000", "11")
					       UDP("003514e9", "0008"),
	  .error = PACKET_TOO_MANY_HEADERS },

	/* What is refused behind its addresses: the pair is known */
	{ "tcp4-header-of-16-bytes", .ethertype = 0x0800, .addressed = true,
	  .hex = V4("0028", "12344000", "06") TCP("4010"), .length_bytes = 40,
	  .error = PACKET_BAD_LENGTH, .ends = { .proto = 6 } },
	{ "udp4-of-length-7", .ethertype = 0x0800, .addressed = true,
	  .hex = V4("001c", "12340000", "11") UDP("003514e9", "0007"),
	  .length_bytes = 28, .error = PACKET_BAD_LENGTH,
	  .ends = { .proto = 17 } },
	{ "udp4-in-padding", .ethertype = 0x0800, .addressed = true,
	  .hex = V4("0014", "12340000", "11") UDP("003514e9", "0008"),
	  .length_bytes = 20, .error = PACKET_TRUNCATED,
	  .ends = { .proto = 17 } },
	{ "tcp4-tiny-first-fragment", .ethertype = 0x0800, .addressed = true,
	  .hex = V4("001c", "12342000", "06") "9c400050 00000001",
	  .length_bytes = 28, .fragment = PACKET_FIRST_FRAGMENT,
	  .fragment_id = 0x1234, .error = PACKET_TRUNCATED,
	  .ends = { .proto = 6 } },
	{ "ipv6-seven-extensions", .ethertype = 0x86dd, .addressed = true,
	  .hex = V6("0040", "3c") HBH("3c") HBH("3c") HBH("3c") HBH("3c")
		  HBH("3c") HBH("3c") HBH("11") UDP("003514e9", "0008"),
	  .length_bytes = 104, .error = PACKET_TOO_MANY_HEADERS,
	  .ends = { .proto = 60 } },
	{ "ipv6-two-fragment-headers", .ethertype = 0x86dd, .addressed = true,
	  .hex = V6("0018", "2c") "2c000000 00000007"
				  "11000000 00000008" UDP("003514e9", "0008"),
	  .length_bytes = 64, .error = PACKET_TOO_MANY_HEADERS,
	  .ends = { .proto = 44 } },
	{ "ipv6-extension-past-the-end", .ethertype = 0x86dd, .addressed = true,
	  .hex = V6("0010", "3c") "11ff 0104 00000000" UDP("003514e9", "0008"),
	  .length_bytes = 56, .error = PACKET_TRUNCATED,
	  .ends = { .proto = 60 } },
};

const size_t packet_samples_count =
	sizeof(packet_samples) / sizeof(packet_samples[0]);
