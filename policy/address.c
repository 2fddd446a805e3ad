/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/units.h"

static const uint8_t V4_MAPPED[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255 };

bool address_is_v4(const uint8_t addr[16])
{
	return memcmp(addr, V4_MAPPED, sizeof(V4_MAPPED)) == 0;
}

enum address_result address_parse(const char *text, uint8_t ret_addr[16])
{
	uint8_t addr[16];

	if (inet_pton(AF_INET, text, addr + 12) == 1) {
		memcpy(addr, V4_MAPPED, sizeof(V4_MAPPED));
	} else if (inet_pton(AF_INET6, text, addr) != 1) {
		return ADDRESS_MALFORMED;
	} else if (address_is_v4(addr)) {
		return ADDRESS_MAPPED;
	}
	memcpy(ret_addr, addr, sizeof(addr));
	return ADDRESS_OK;
}

void address_mask(uint8_t addr[16], unsigned length)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = length > 8 * i ? length - 8 * i : 0;

		if (kept < 8)
			addr[i] &= (uint8_t)(0xff00 >> kept);
	}
}

enum address_result address_parse_prefix(const char *text,
					 struct policy_prefix *ret_prefix)
{
	struct policy_prefix prefix;
	char head[ADDRESS_TEXT_SIZE];
	const char *slash = strchr(text, '/');
	size_t head_length = slash != NULL ? (size_t)(slash - text)
					   : strlen(text);
	uint64_t length = 128;
	enum address_result result;
	bool is_v4;

	if (head_length >= sizeof(head))
		return ADDRESS_MALFORMED;
	memcpy(head, text, head_length);
	head[head_length] = '\0';
	result = address_parse(head, prefix.addr);
	if (result != ADDRESS_OK)
		return result;
	is_v4 = address_is_v4(prefix.addr);
	if (slash != NULL) {
		switch (units_parse_count(slash + 1, 0, is_v4 ? 32 : 128,
					  &length)) {
		case UNITS_OK:
			break;
		case UNITS_MALFORMED:
			return ADDRESS_MALFORMED;
		case UNITS_OUT_OF_RANGE:
			return ADDRESS_BAD_LENGTH;
		}
		length += is_v4 ? 96 : 0;
	}
	prefix.length = (uint8_t)length;
	*ret_prefix = prefix;
	address_mask(ret_prefix->addr, prefix.length);
	return memcmp(ret_prefix->addr, prefix.addr, 16) == 0
		       ? ADDRESS_OK
		       : ADDRESS_HOST_BITS;
}

void address_print(const uint8_t addr[16], char ret_text[ADDRESS_TEXT_SIZE])
{
	if (address_is_v4(addr))
		inet_ntop(AF_INET, addr + 12, ret_text, ADDRESS_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, addr, ret_text, ADDRESS_TEXT_SIZE);
}

bool address_prefix_is_v4(const struct policy_prefix *prefix)
{
	return prefix->length >= 96 && address_is_v4(prefix->addr);
}

void address_print_prefix(const struct policy_prefix *prefix,
			  char ret_text[ADDRESS_TEXT_SIZE])
{
	unsigned length = prefix->length;
	size_t used;

	if (address_prefix_is_v4(prefix))
		length -= 96;
	address_print(prefix->addr, ret_text);
	if (prefix->length == 128)
		return;
	used = strlen(ret_text);
	snprintf(ret_text + used, ADDRESS_TEXT_SIZE - used, "/%u", length);
}

bool address_is_in(const uint8_t addr[16], const struct policy_prefix *prefix)
{
	unsigned whole = prefix->length / 8, rest = prefix->length % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(addr, prefix->addr, whole) != 0)
		return false;
	if (rest != 0 && ((addr[whole] ^ prefix->addr[whole]) & mask) != 0)
		return false;
	return prefix->length >= 96 || !address_is_v4(addr);
}

bool address_covers(const struct policy_prefix *outer,
		    const struct policy_prefix *inner)
{
	if (inner->length < outer->length ||
	    address_prefix_is_v4(outer) != address_prefix_is_v4(inner))
		return false;
	return address_is_in(inner->addr, outer);
}

bool address_overlaps(const struct policy_prefix *a,
		      const struct policy_prefix *b)
{
	return address_covers(a, b) || address_covers(b, a);
}

bool address_is_loopback(const uint8_t addr[16])
{
	if (address_is_v4(addr))
		return addr[12] == 127;
	for (size_t i = 0; i < 15; i++) {
		if (addr[i] != 0)
			return false;
	}
	return addr[15] == 1;
}

bool address_parse_endpoint(const char *text, uint8_t ret_addr[16],
			    uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	char head[ADDRESS_TEXT_SIZE];
	size_t length;
	uint64_t port;
	uint8_t addr[16];
	bool brackets = text[0] == '[';

	if (colon == NULL ||
	    units_parse_count(colon + 1, 1, 65535, &port) != UNITS_OK)
		return false;
	length = (size_t)(colon - text);
	if (brackets && (length < 2 || text[length - 1] != ']'))
		return false;
	if (brackets) {
		text++;
		length -= 2;
	}
	if (length >= sizeof(head))
		return false;
	memcpy(head, text, length);
	head[length] = '\0';
	if (address_parse(head, addr) != ADDRESS_OK ||
	    address_is_v4(addr) == brackets)
		return false;
	memcpy(ret_addr, addr, sizeof(addr));
	*ret_port = (uint16_t)port;
	return true;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

bool address_parse_mac(const char *text, uint8_t ret_mac[6])
{
	uint8_t mac[6];

	if (strlen(text) != ADDRESS_MAC_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < sizeof(mac); i++, text += 3) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);

		if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return true;
}

void address_print_mac(const uint8_t mac[6],
		       char ret_text[ADDRESS_MAC_TEXT_SIZE])
{
	snprintf(ret_text, ADDRESS_MAC_TEXT_SIZE,
		 "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

bool address_is_interface(const char *name)
{
	size_t length = strlen(name);

	if (length < 1 || length > 15 || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	for (; *name != '\0'; name++) {
		if (*name <= 0x20 || *name > 0x7e || *name == '/' ||
		    *name == ':')
			return false;
	}
	return true;
}
