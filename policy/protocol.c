/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/protocol.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/units.h"

enum { FLAG_SYN = 0x02, FLAG_ACK = 0x10 };

static const struct {
	const char *name;
	uint8_t proto;
} NAMES[] = {
	{ "tcp", PROTOCOL_TCP },
	{ "udp", PROTOCOL_UDP },
	{ "icmp", PROTOCOL_ICMP },
	{ "icmpv6", PROTOCOL_ICMPV6 },
	{ "sctp", PROTOCOL_SCTP },
	{ "esp", 50 },
	{ "ah", 51 },
	{ "gre", 47 },
};

const char *const PROTOCOL_TCP_FLAGS[] = { "fin", "syn", "rst", "psh",
					   "ack", "urg", NULL };

bool protocol_parse(const char *text, uint8_t *ret_proto)
{
	uint64_t number;

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if (strcmp(NAMES[i].name, text) == 0) {
			*ret_proto = NAMES[i].proto;
			return true;
		}
	}
	if (units_parse_count(text, 1, 255, &number) != UNITS_OK)
		return false;
	*ret_proto = (uint8_t)number;
	return true;
}

void protocol_print(uint8_t proto, char ret_text[PROTOCOL_TEXT_SIZE])
{
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if (NAMES[i].proto == proto) {
			snprintf(ret_text, PROTOCOL_TEXT_SIZE, "%s",
				 NAMES[i].name);
			return;
		}
	}
	snprintf(ret_text, PROTOCOL_TEXT_SIZE, "%u", proto);
}

bool protocol_has_ports(uint8_t proto)
{
	return proto == PROTOCOL_TCP || proto == PROTOCOL_UDP ||
	       proto == PROTOCOL_SCTP;
}

bool protocol_parse_ports(const char *text, struct policy_port_range *ret_range)
{
	const char *dash = strchr(text, '-');
	size_t head_length = dash != NULL ? (size_t)(dash - text)
					  : strlen(text);
	uint64_t first, last;
	char head[8];

	if (head_length >= sizeof(head))
		return false;
	memcpy(head, text, head_length);
	head[head_length] = '\0';
	if (units_parse_count(head, 1, 65535, &first) != UNITS_OK)
		return false;
	last = first;
	if (dash != NULL &&
	    units_parse_count(dash + 1, first, 65535, &last) != UNITS_OK)
		return false;
	ret_range->first = (uint16_t)first;
	ret_range->last = (uint16_t)last;
	return true;
}

void protocol_print_ports(const struct policy_port_range *range,
			  char ret_text[PROTOCOL_TEXT_SIZE])
{
	if (range->first == range->last)
		snprintf(ret_text, PROTOCOL_TEXT_SIZE, "%u", range->first);
	else
		snprintf(ret_text, PROTOCOL_TEXT_SIZE, "%u-%u", range->first,
			 range->last);
}

uint8_t protocol_flags_mask(uint8_t flags_set)
{
	if (flags_set & FLAG_SYN)
		return flags_set | FLAG_ACK;
	return flags_set;
}
