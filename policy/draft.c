/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/yaml.h"

void *draft_grow(void *list, size_t count, size_t element_bytes)
{
	size_t room = count == 0 ? 1 : 2 * count;

	if ((count & (count - 1)) != 0)
		return list;
	return realloc(list, room * element_bytes);
}

static bool parse_prefix(struct keys_reader *reader,
			 const struct yaml_node *node,
			 struct policy_prefix *ret_prefix)
{
	static const char RIGHT[] = "an address or a prefix, such as "
				    "10.20.0.0/16 or 2001:db8:20::/48";
	char right[ADDRESS_TEXT_SIZE];
	const char *text = keys_text(reader, node, RIGHT);

	if (text == NULL)
		return false;
	switch (address_parse_prefix(text, ret_prefix)) {
	case ADDRESS_OK:
		return true;
	case ADDRESS_MALFORMED:
		keys_error(reader, node, RIGHT, "\"%.*s\" is no prefix",
			   KEYS_SHOWN, text);
		break;
	case ADDRESS_BAD_LENGTH:
		keys_error(reader, node, "/0 to /32 for IPv4, /128 for IPv6",
			   "\"%.*s\" is longer than an address", KEYS_SHOWN,
			   text);
		break;
	case ADDRESS_HOST_BITS:
		address_print_prefix(ret_prefix, right);
		keys_error(reader, node, right,
			   "\"%.*s\" has bits set past its length", KEYS_SHOWN,
			   text);
		break;
	case ADDRESS_MAPPED:
		keys_error(reader, node, "write it as IPv4",
			   "\"%.*s\" is an IPv4 address in IPv6 clothes",
			   KEYS_SHOWN, text);
		break;
	}
	return false;
}

static bool one_prefix(struct keys_reader *reader, const struct yaml_node *node,
		       void *into)
{
	struct policy_prefixes *prefixes = into;
	struct policy_prefix prefix, *list;

	if (!parse_prefix(reader, node, &prefix))
		return false;
	for (size_t i = 0; i < prefixes->count; i++) {
		char other[ADDRESS_TEXT_SIZE];

		if (!address_overlaps(&prefixes->list[i], &prefix))
			continue;
		address_print_prefix(&prefixes->list[i], other);
		keys_error(reader, node, "leave out the narrower one",
			   "%s overlaps %s, which stands before it", node->text,
			   other);
		return false;
	}
	list = draft_grow(prefixes->list, prefixes->count, sizeof(*list));
	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	prefixes->list = list;
	list[prefixes->count++] = prefix;
	return true;
}

bool draft_read_prefixes(struct keys_reader *reader,
			 const struct yaml_node *node, size_t max,
			 struct policy_prefixes *prefixes)
{
	return keys_each(reader, node, max, one_prefix, prefixes);
}

static bool one_inside(struct keys_reader *reader, const struct yaml_node *node,
		       void *into)
{
	static const struct policy_prefix NOBODY[] = {
		{ .addr = { [10] = 255, [11] = 255, [12] = 224 },
		  .length = 100 },
		{ .addr = { [10] = 255, [11] = 255, [12] = 127 },
		  .length = 104 },
		{ .addr = { 255 }, .length = 8 },
		{ .addr = { 0 }, .length = 8 },
	};
	struct policy_prefix prefix;

	if (!parse_prefix(reader, node, &prefix))
		return false;
	for (size_t i = 0; i < sizeof(NOBODY) / sizeof(NOBODY[0]); i++) {
		if (!address_overlaps(&NOBODY[i], &prefix))
			continue;
		keys_error(reader, node, "the prefixes of your own hosts",
			   "%s holds multicast, loopback or reserved addresses",
			   node->text);
		return false;
	}
	return one_prefix(reader, node, into);
}

bool draft_read_inside(struct keys_reader *reader, const struct yaml_node *node,
		       void *into)
{
	struct draft *draft = into;

	return keys_each(reader, node, DRAFT_INSIDE_MAX, one_inside,
			 &draft->policy.inside);
}

bool draft_read_interface(struct keys_reader *reader,
			  const struct yaml_node *node, char ret_name[16])
{
	static const char RIGHT[] =
		"1 to 15 printable characters without space, slash or colon";
	const char *text = keys_text(reader, node, RIGHT);

	if (text == NULL)
		return false;
	if (!address_is_interface(text)) {
		keys_error(reader, node, RIGHT,
			   "\"%.*s\" cannot be an interface", KEYS_SHOWN, text);
		return false;
	}
	memset(ret_name, 0, 16);
	memcpy(ret_name, text, strlen(text));
	return true;
}
