/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/units.h"
#include "sim/world/scenario_draft.h"

enum { DECIMALS_MAX = 9, WHOLE_MAX = 9, TEXT_MAX = 63 };

static const char DECIMAL_RIGHT[] =
	"a number from 0 to 999999999, such as 0.99";
static const char RATE_RIGHT[] =
	"a whole number and bit/s, kbit/s, Mbit/s or Gbit/s, from 1kbit/s to "
	"1000Gbit/s";
static const char SHARE_RIGHT[] = "a share such as 0.1%, up to 100%";
static const char ADDRESS_RIGHT[] =
	"an address such as 10.0.0.1, 10.0.0.1:5000 or [2001:db8::1]:443";
static const char TARGET_RIGHT[] =
	"an address, with a port or without, or a prefix such as "
	"198.51.100.0/24";

/* Digits, a point and digits, nothing else: no locale, no exponent. */
static bool parse_decimal(const char *text, size_t length, double *ret_value)
{
	size_t whole = 0, decimals = 0;
	double value = 0, step = 1;

	while (whole < length && isdigit((unsigned char)text[whole]))
		value = value * 10 + (text[whole++] - '0');
	if (whole == 0 || whole > WHOLE_MAX)
		return false;
	if (whole == length) {
		*ret_value = value;
		return true;
	}
	if (text[whole] != '.')
		return false;
	for (size_t i = whole + 1; i < length; i++, decimals++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (text[i] - '0');
		step *= 10;
	}
	if (decimals == 0 || decimals > DECIMALS_MAX)
		return false;
	*ret_value = value / step;
	return true;
}

static bool refuse(struct keys_reader *reader, const struct yaml_node *node,
		   const char *right)
{
	keys_error(reader, node, right, "cannot read \"%.*s\"", KEYS_SHOWN,
		   node->text);
	return false;
}

bool scenario_read_decimal(struct keys_reader *reader,
			   const struct yaml_node *node, double *ret_value)
{
	const char *text = keys_text(reader, node, DECIMAL_RIGHT);

	if (!text)
		return false;
	return parse_decimal(text, strlen(text), ret_value) ||
	       refuse(reader, node, DECIMAL_RIGHT);
}

bool scenario_read_rate(struct keys_reader *reader,
			const struct yaml_node *node, uint64_t *ret_rate)
{
	static const struct {
		const char *name;
		uint64_t bits_per_s;
	} units[] = { { "kbit/s", 1000 },
		      { "Mbit/s", 1000000 },
		      { "Gbit/s", 1000000000 },
		      { "bit/s", 1 } };
	const char *text = keys_text(reader, node, RATE_RIGHT);
	char number[TEXT_MAX + 1];
	size_t digits = 0;
	uint64_t count;

	if (!text)
		return false;
	while (digits < TEXT_MAX && isdigit((unsigned char)text[digits]))
		digits++;
	memcpy(number, text, digits);
	number[digits] = '\0';
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		if (units_parse_count(number, 1,
				      UINT64_C(1000000000000) /
					      units[i].bits_per_s,
				      &count) != UNITS_OK ||
		    count * units[i].bits_per_s < 1000)
			break;
		*ret_rate = count * units[i].bits_per_s;
		return true;
	}
	return refuse(reader, node, RATE_RIGHT);
}

bool scenario_read_share(struct keys_reader *reader,
			 const struct yaml_node *node, uint32_t *ret_share)
{
	const char *text = keys_text(reader, node, SHARE_RIGHT);
	size_t length = text ? strlen(text) : 0;
	double percent;

	if (!text)
		return false;
	if (text[length - 1] != '%' ||
	    !parse_decimal(text, length - 1, &percent) || percent > 100)
		return refuse(reader, node, SHARE_RIGHT);
	*ret_share = (uint32_t)(percent * 10000 + 0.5);
	return true;
}

static bool has_port(const char *text)
{
	const char *colon = strrchr(text, ':');

	return colon && (text[0] == '[' || strchr(text, ':') == colon);
}

bool scenario_read_endpoint(struct keys_reader *reader,
			    const struct yaml_node *node,
			    uint8_t ret_address[16], uint16_t *ret_port)
{
	const char *text = keys_text(reader, node, ADDRESS_RIGHT);
	uint16_t port = 0;

	if (!text)
		return false;
	if (has_port(text) ? !address_parse_endpoint(text, ret_address, &port)
			   : address_parse(text, ret_address) != ADDRESS_OK)
		return refuse(reader, node, ADDRESS_RIGHT);
	*ret_port = port;
	return true;
}

bool scenario_read_target(struct keys_reader *reader,
			  const struct yaml_node *node,
			  struct policy_prefix *ret_prefix, uint16_t *ret_port)
{
	const char *text = keys_text(reader, node, TARGET_RIGHT);

	if (!text)
		return false;
	if (strchr(text, '/')) {
		*ret_port = 0;
		return address_parse_prefix(text, ret_prefix) == ADDRESS_OK ||
		       refuse(reader, node, TARGET_RIGHT);
	}
	ret_prefix->length = 128;
	return scenario_read_endpoint(reader, node, ret_prefix->addr, ret_port);
}
