/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/link_samples.h"

#include <assert.h>
#include <ctype.h>

#define HOST6 "20010db8 0020 0000 0000 0000 0000 0007"
#define FAR6  "20010db8 ffff 0000 0000 0000 0000 0001"
#define DNS   "9c40 0035 0008 0000"
#define IP4   "4500001c 12344000 40110000 0a140007 c6336401" DNS
#define IP6   "60000000 0008 1140" HOST6 FAR6 DNS
#define ARP   "0001080006040001 5254000a0b0c 0a140007 000000000000 c6336401"

#define TO_US   "5254000a0b0c 525400123456"
#define TO_ALL  "ffffffffffff 525400123456"
#define SNAP    "aaaa03 000000"
#define LABEL   "00010040" /* more follow */
#define BOTTOM  "00011140"
#define TSFT    "0102030405060708"
#define WIFI_TO "5254000a0b0c 525400123456 020000000001 1000"
#define PPPOE   "1100 0001 0000"

#define OK4   .ethertype = 0x0800
#define OK6   .ethertype = 0x86dd
#define NO_IP .status = LINK_NO_IP
#define BAD   .status = LINK_BAD

const struct link_sample link_samples[] = {
	{ "ethernet4", TO_US "0800" IP4, 1, OK4 },
	{ "ethernet6", TO_US "86dd" IP6, 1, OK6 },
	{ "ethernet-to-all", TO_ALL "0800" IP4, 1, OK4, .link_group = true },
	{ "ethernet-arp", TO_ALL "0806" ARP, 1, .ethertype = 0x0806,
	  .link_group = true },
	{ "ethernet-padded", TO_US "0800" IP4 "0000000000000000", 1, OK4 },
	{ "ethernet-vlan", TO_US "8100 0007 0800" IP4, 1, OK4, .vlan = { 7 } },
	{ "ethernet-qinq", TO_US "88a8 0007 8100 2008 86dd" IP6, 1, OK6,
	  .vlan = { 7, 8 } },
	{ "ethernet-pppoe", TO_US "8864" PPPOE "0021" IP4, 1, OK4 },
	{ "ethernet-vlan-pppoe", TO_US "8100 0007 8864" PPPOE "0057" IP6, 1,
	  OK6, .vlan = { 7 } },
	{ "ethernet-snap", TO_US "0024" SNAP "0800" IP4, 1, OK4 },
	{ "ethernet-vlan-snap", TO_US "8100 0007 0024" SNAP "86dd" IP6, 1, OK6,
	  .vlan = { 7 } },
	{ "ethernet-stp", TO_US "0026 424203 0000000000", 1,
	  .error = PACKET_NOT_IP },
	{ "ethernet-lldp", TO_US "88cc 0207", 1, .error = PACKET_NOT_IP },
	{ "ethernet-cut", TO_US "08", 1, .error = PACKET_TRUNCATED },

	{ "mpls4", TO_US "8847" BOTTOM IP4, 1, OK4 },
	{ "mpls6", TO_US "8847" LABEL LABEL BOTTOM IP6, 1, OK6 },
	{ "mpls-multicast", TO_ALL "8848" BOTTOM IP4, 1, OK4,
	  .link_group = true },
	{ "mpls-vlan", TO_US "8100 0007 8847" BOTTOM IP4, 1, OK4,
	  .vlan = { 7 } },
	{ "mpls-pseudowire",
	  TO_US "8847" LABEL BOTTOM "00000000" TO_US "0800" IP4, 1, OK4 },
	{ "mpls-pseudowire-vlan",
	  TO_US "8847" BOTTOM "00001234" TO_ALL "8100 0009 86dd" IP6, 1, OK6,
	  .vlan = { 9 }, .link_group = true },
	{ "mpls-pseudowire-fragment",
	  TO_US "8847" BOTTOM "00400000" TO_US "0800" IP4, 1, NO_IP },
	{ "mpls-pseudowire-doubtful",
	  TO_US "8847" BOTTOM "00000000" TO_US "0800"
		"55" IP4,
	  1, NO_IP },
	{ "mpls-channel", TO_US "8847" BOTTOM "10000021" IP4, 1, NO_IP },
	{ "mpls-nothing", TO_US "8847" BOTTOM, 1, BAD },
	{ "mpls-no-bottom", TO_US "8847" LABEL LABEL, 1, BAD },
	{ "mpls-endless",
	  TO_US "8847" LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL
		  LABEL LABEL LABEL LABEL LABEL LABEL LABEL BOTTOM IP4,
	  1, BAD },

	{ "sll4", "0000 0001 0006 5254000a0b0c0000 0800" IP4, 113, OK4 },
	{ "sll6-out", "0004 0001 0006 5254000a0b0c0000 86dd" IP6, 113, OK6 },
	{ "sll-broadcast", "0001 0001 0006 5254000a0b0c0000 0800" IP4, 113, OK4,
	  .link_group = true },
	{ "sll-vlan", "0000 0001 0006 5254000a0b0c0000 8100 0007 0800" IP4, 113,
	  OK4, .vlan = { 7 } },
	{ "sll-mpls", "0000 0001 0006 5254000a0b0c0000 8847" BOTTOM IP4, 113,
	  OK4 },
	{ "sll-tunnel", "0000 0300 0000 0000000000000000 0800" IP4, 113, OK4 },
	{ "sll-llc", "0000 0001 0006 5254000a0b0c0000 0004" SNAP "0800" IP4,
	  113, OK4 },
	{ "sll-802.3", "0000 0001 0006 5254000a0b0c0000 0001 ffff", 113,
	  NO_IP },
	{ "sll-netlink", "0004 0338 0000 0000000000000000 0800" IP4, 113,
	  NO_IP },
	{ "sll-cut", "0000 0001 0006 5254000a0b0c0000 08", 113, BAD },
	{ "sll2-4", "0800 0000 00000002 0001 00 06 5254000a0b0c0000" IP4, 276,
	  OK4 },
	{ "sll2-6-multicast",
	  "86dd 0000 00000002 0001 02 06 5254000a0b0c0000" IP6, 276, OK6,
	  .link_group = true },
	{ "sll2-cut", "0800 0000 00000002 0001 00 06 5254000a0b0c00", 276,
	  BAD },

	{ "raw4", IP4, 101, OK4 },
	{ "raw6", IP6, 101, OK6 },
	{ "raw-bsd", IP4, 12, OK4 },
	{ "raw-openbsd", IP6, 14, OK6 },
	{ "raw-neither", "55", 101, NO_IP },
	{ "raw-empty", "", 101, BAD },
	{ "ipv4", IP4, 228, OK4 },
	{ "ipv6", IP6, 229, OK6 },
	{ "ipv4-is-6", IP6, 228, .error = PACKET_BAD_VERSION },
	{ "null-le", "02000000" IP4, 0, OK4 },
	{ "null-be", "00000002" IP4, 0, OK4 },
	{ "null-darwin6", "1e000000" IP6, 0, OK6 },
	{ "null-linux6", "0000000a" IP6, 0, OK6 },
	{ "null-windows6", "17000000" IP6, 0, OK6 },
	{ "null-ipx", "17010000" IP6, 0, NO_IP },
	{ "null-cut", "020000", 0, BAD },
	{ "loop4", "00000002" IP4, 108, OK4 },
	{ "loop6", "00000018" IP6, 108, OK6 },

	{ "ppp4", "ff03 0021" IP4, 9, OK4 },
	{ "ppp6-bare", "0057" IP6, 9, OK6 },
	{ "ppp4-compressed", "21" IP4, 9, OK4 },
	{ "ppp-mpls", "ff03 0281" LABEL BOTTOM IP4, 9, OK4 },
	{ "ppp-mpls-multicast", "0283" BOTTOM IP6, 9, OK6 },
	{ "ppp-lcp", "ff03 c021 01010004", 9, NO_IP },
	{ "ppp-cut", "ff03", 9, BAD },
	{ "ppp-cut-protocol", "ff03 00", 9, BAD },
	{ "ppp-hdlc", "ff03 0021" IP4, 50, OK4 },
	{ "ppp-hdlc-cisco", "0f00 86dd" IP6, 50, OK6 },
	{ "ppp-hdlc-empty", "", 50, BAD },
	{ "ppp-ether", PPPOE "0021" IP4, 51, OK4 },
	{ "ppp-pppd", "0003 0021" IP4, 166, OK4 },
	{ "ppp-direction", "01 ff03 0057" IP6, 204, OK6 },
	{ "c-hdlc4", "0f00 0800" IP4, 104, OK4 },
	{ "c-hdlc6-multicast", "8f00 86dd" IP6, 104, OK6 },
	{ "c-hdlc-mpls", "0f00 8847" BOTTOM IP4, 104, OK4 },
	{ "c-hdlc-slarp", "8f00 8035 00000002", 104, .error = PACKET_NOT_IP },
	{ "c-hdlc-cut", "0f00 08", 104, BAD },
	{ "atm-llc", SNAP "0800" IP4, 100, OK4 },
	{ "atm-llc-isis", "fefe03 83", 100, NO_IP },

	{ "wifi4", "0802 0000" WIFI_TO SNAP "0800" IP4, 105, OK4 },
	{ "wifi-group",
	  "0802 0000 ffffffffffff 525400123456 020000000001 1000" SNAP
	  "0800" IP4,
	  105, OK4, .link_group = true },
	{ "wifi-to-group",
	  "0801 0000 020000000001 525400123456 01005e000001 1000" SNAP
	  "0800" IP4,
	  105, OK4, .link_group = true },
	{ "wifi-qos6", "8801 0000" WIFI_TO "0000" SNAP "86dd" IP6, 105, OK6 },
	{ "wifi-qos-ht", "8881 0000" WIFI_TO "0000 00000000" SNAP "0800" IP4,
	  105, OK4 },
	{ "wifi-four", "0803 0000" WIFI_TO "020000000009" SNAP "0800" IP4, 105,
	  OK4 },
	{ "wifi-four-qos",
	  "8803 0000" WIFI_TO "020000000009 0000" SNAP "0800" IP4, 105, OK4 },
	{ "wifi-amsdu", "8801 0000" WIFI_TO "8000" SNAP "0800" IP4, 105,
	  NO_IP },
	{ "wifi-later-fragment",
	  "0802 0000 5254000a0b0c 525400123456 020000000001 1100" SNAP
	  "0800" IP4,
	  105, NO_IP },
	{ "wifi-protected", "0842 0000" WIFI_TO SNAP "0800" IP4, 105, NO_IP },
	{ "wifi-null", "4801 0000" WIFI_TO, 105, NO_IP },
	{ "wifi-beacon", "8000 0000" WIFI_TO SNAP "0800" IP4, 105, NO_IP },
	{ "wifi-ack", "d400 0000 5254000a0b0c", 105, NO_IP },
	{ "wifi-eapol", "0802 0000" WIFI_TO SNAP "888e 0103", 105,
	  .error = PACKET_NOT_IP },
	{ "wifi-cut", "0802 0000 5254000a0b0c", 105, BAD },
	{ "wifi-qos-cut", "8801 0000" WIFI_TO "00", 105, BAD },
	{ "radiotap", "0000 0800 00000000 0802 0000" WIFI_TO SNAP "0800" IP4,
	  127, OK4 },
	{ "radiotap-time",
	  "0000 1100 03000000" TSFT "00 0802 0000" WIFI_TO SNAP "0800" IP4, 127,
	  OK4 },
	{ "radiotap-padded",
	  "0000 1100 03000000" TSFT "20 8801 0000" WIFI_TO "0000 0000" SNAP
	  "0800" IP4,
	  127, OK4 },
	{ "radiotap-two-words-padded",
	  "0000 1900 03000080 00000000 00000000" TSFT "20 8801 0000" WIFI_TO
	  "0000 0000" SNAP "0800" IP4,
	  127, OK4 },
	{ "radiotap-two-words-bad",
	  "0000 0d00 02000080 00000000 40 0802 0000" WIFI_TO SNAP "0800" IP4,
	  127, BAD },
	{ "radiotap-all-words",
	  "0000 0c00 ffffffff ffffffff 0802 0000" WIFI_TO SNAP "0800" IP4, 127,
	  OK4 },
	{ "radiotap-short", "0000 0700 00000000", 127, BAD },
	{ "radiotap-long", "0000 4000 00000000 0802", 127, BAD },
	{ "radiotap-version", "0100 0800 00000000 0802 0000" WIFI_TO, 127,
	  BAD },
	{ "avs",
	  "80211001 00000010 0000000000000000 0802 0000" WIFI_TO SNAP
	  "0800" IP4,
	  163, OK4 },
	{ "avs-version", "00000044 00000010 0000000000000000 0802 0000", 163,
	  BAD },
	{ "prism-le",
	  "44000000 18000000 00000000000000000000000000000000"
	  "0802 0000" WIFI_TO SNAP "0800" IP4,
	  119, OK4 },
	{ "prism-be",
	  "00000044 00000018 00000000000000000000000000000000"
	  "0802 0000" WIFI_TO SNAP "86dd" IP6,
	  119, OK6 },
	{ "prism-avs",
	  "80211001 00000010 0000000000000000 0802 0000" WIFI_TO SNAP
	  "0800" IP4,
	  119, OK4 },
	{ "prism-short", "44000000 17000000 00000000000000000000000000000000",
	  119, BAD },
	{ "ppi-wifi", "0000 0800 69000000 0802 0000" WIFI_TO SNAP "0800" IP4,
	  192, OK4 },
	{ "ppi-ethernet",
	  "0000 1000 01000000 0200040000000000" TO_US "0800" IP4, 192, OK4 },
	{ "ppi-ppi", "0000 0800 c0000000 0000 0800 01000000", 192,
	  .status = LINK_UNKNOWN },
	{ "ppi-short", "0000 0700 01000000" TO_US "0800" IP4, 192, BAD },

	{ "arcnet", "0102 d4 00 0001" IP4, 7, OK4 },
	{ "arcnet-linux6", "0102 0000 c4 00 0001" IP6, 129, OK6 },
	{ "arcnet-to-all", "0100 0000 d4 00 0001" IP4, 129, OK4,
	  .link_group = true },
	{ "arcnet-old", "0102 0000 f0" IP4, 129, OK4 },
	{ "arcnet-first-part", "0102 0000 d4 03 0001" IP4, 129, OK4 },
	{ "arcnet-later-part", "0102 0000 d4 02 0001" IP4, 129, NO_IP },
	{ "arcnet-exception", "0102 0000 d4 ff ffff d4 00 0001" IP4, 129, OK4 },
	{ "arcnet-arp", "0102 0000 d5 00 0001", 129, NO_IP },
	{ "arcnet-cut", "0102 0000 d4 00 00", 129, BAD },

	{ "nflog4-le", "0200 0000 0800 0100 08000300 2000 0900" IP4, 239, OK4 },
	{ "nflog6-be", "0a00 0000 0005 000a 78000000 0034 0009" IP6, 239, OK6 },
	{ "nflog-bridge", "0700 0000 2000 0900" IP4, 239, NO_IP },
	{ "nflog-no-packet", "0200 0000 0800 0100 08000300", 239, BAD },
	{ "nflog-cut", "0200 0000 20", 239, BAD },
	{ "pflog",
	  "2d020000 00000000 00000000 00000000 00000000 00000000"
	  "00000000 00000000 00000000 00000000 00000000 00000000" IP4,
	  117, OK4 },
	{ "pflog-empty", "00000000", 117, BAD },
	{ "enc", "02000000 00000001 00000000" IP4, 109, OK4 },
	{ "enc-cut", "02000000 00000001 000000", 109, BAD },

	{ "usb", "00000000", 220, .status = LINK_UNKNOWN },
	{ "no-type", TO_US "0800" IP4, 0xffffffff, .status = LINK_UNKNOWN },
};
const size_t link_samples_count =
	sizeof(link_samples) / sizeof(link_samples[0]);

static uint8_t digit(char c)
{
	assert(isxdigit((unsigned char)c));
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

uint32_t link_sample_bytes(const struct link_sample *sample,
			   uint8_t ret_bytes[LINK_SAMPLE_MAX_BYTES])
{
	uint32_t digits = 0;

	for (const char *c = sample->hex; *c; c++) {
		if (*c == ' ')
			continue;
		assert(digits / 2 < LINK_SAMPLE_MAX_BYTES);
		if (digits % 2 == 0)
			ret_bytes[digits / 2] = (uint8_t)(digit(*c) << 4);
		else
			ret_bytes[digits / 2] |= digit(*c);
		digits++;
	}
	assert(digits % 2 == 0);
	return digits / 2;
}
