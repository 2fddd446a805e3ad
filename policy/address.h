/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_ADDRESS_H
#define POLICY_ADDRESS_H

/* Addresses, prefixes and names as operators write them. */

#include <stdbool.h>
#include <stdint.h>

struct policy_prefix;

enum address_result {
	ADDRESS_OK,
	ADDRESS_MALFORMED,
	ADDRESS_BAD_LENGTH, /* more bits than an address has */
	ADDRESS_HOST_BITS,  /* set below the prefix; the result has them 0 */
	ADDRESS_MAPPED,     /* ::ffff:a.b.c.d: an IPv4 address is meant */
};

enum { ADDRESS_TEXT_SIZE = 64, ADDRESS_MAC_TEXT_SIZE = 18 };

/* "10.20.0.7" or "2001:db8::7"; IPv4 is mapped. */
enum address_result address_parse(const char *text, uint8_t ret_addr[16]);

/* An address, or address/length.  Written also for ADDRESS_HOST_BITS. */
enum address_result address_parse_prefix(const char *text,
					 struct policy_prefix *ret_prefix);

/* Without the length where it is one address. */
void address_print_prefix(const struct policy_prefix *prefix,
			  char ret_text[ADDRESS_TEXT_SIZE]);
void address_print(const uint8_t addr[16], char ret_text[ADDRESS_TEXT_SIZE]);

bool address_is_v4(const uint8_t addr[16]);
bool address_is_loopback(const uint8_t addr[16]);

/* ::/0 to ::/95 is IPv6, although all of IPv4 is mapped into it. */
bool address_prefix_is_v4(const struct policy_prefix *prefix);

/* "127.0.0.1:9477" or "[::1]:9477". */
bool address_parse_endpoint(const char *text, uint8_t ret_addr[16],
			    uint16_t *ret_port);

/* An IPv6 prefix holds no (mapped) IPv4 address, however short it is. */
bool address_is_in(const uint8_t addr[16], const struct policy_prefix *prefix);

/* Every address of `inner` is in `outer`. */
bool address_covers(const struct policy_prefix *outer,
		    const struct policy_prefix *inner);
bool address_overlaps(const struct policy_prefix *a,
		      const struct policy_prefix *b);

/* Clear what is below `length` bits. */
void address_mask(uint8_t addr[16], unsigned length);

/* "52:54:00:12:34:56"; six pairs of hexadecimal digits, in any case. */
bool address_parse_mac(const char *text, uint8_t ret_mac[6]);
void address_print_mac(const uint8_t mac[6],
		       char ret_text[ADDRESS_MAC_TEXT_SIZE]);

/* A name that Linux gives an interface: 1 to 15 printable characters, no
 * space, slash or colon, not "." or "..". */
bool address_is_interface(const char *name);

#endif
