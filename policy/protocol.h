/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_PROTOCOL_H
#define POLICY_PROTOCOL_H

/* Protocols, ports and TCP flags as operators write them. */

#include <stdbool.h>
#include <stdint.h>

struct policy_port_range;

enum {
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_SCTP = 132,
};

enum { PROTOCOL_TEXT_SIZE = 16 };

/* In the order of their bits in the TCP header; ends with NULL. */
extern const char *const PROTOCOL_TCP_FLAGS[];

/* "tcp", or a number from 1 to 255. */
bool protocol_parse(const char *text, uint8_t *ret_proto);
void protocol_print(uint8_t proto, char ret_text[PROTOCOL_TEXT_SIZE]);

/* TCP, UDP, SCTP */
bool protocol_has_ports(uint8_t proto);

/* "53" or "1000-2000", from 1 to 65535. */
bool protocol_parse_ports(const char *text,
			  struct policy_port_range *ret_range);
void protocol_print_ports(const struct policy_port_range *range,
			  char ret_text[PROTOCOL_TEXT_SIZE]);

/* `flags:` names what must be set; SYN without ACK means that ACK is clear,
 * so that `flags: syn` is the first packet of a connection. */
uint8_t protocol_flags_mask(uint8_t flags_set);

#endif
