/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/vif_keys.h"

#include <stdio.h>
#include <string.h>

#include "policy/address.h"
#include "policy/errors.h"
#include "policy/units.h"

struct field {
	const char *name;
	bool (*take)(struct vifkeys *keys, char *text);
	const char *right;
};

void vifkeys_init(struct vifkeys *keys, uint32_t domain, uint32_t handle)
{
	memset(keys, 0, sizeof(*keys));
	keys->domain = domain;
	keys->handle = handle;
	keys->queues = 1;
	snprintf(keys->interface, sizeof(keys->interface), "vif%u.%u", domain,
		 handle);
}

static bool is_number(const char *text, uint64_t min, uint64_t max,
		      uint64_t *ret_number)
{
	return units_parse_count(text, min, max, ret_number) == UNITS_OK;
}

static bool take_state(struct vifkeys *keys, char *text)
{
	uint64_t state;

	if (!is_number(text, 0, XENBUS_RECONFIGURED, &state))
		return false;
	keys->state = (enum xenbus_state)state;
	return true;
}

static bool take_interface(struct vifkeys *keys, char *text)
{
	if (!address_is_interface(text))
		return false;
	snprintf(keys->interface, sizeof(keys->interface), "%s", text);
	return true;
}

static bool take_bridge(struct vifkeys *keys, char *text)
{
	if (text[0] != '\0' && !address_is_interface(text))
		return false;
	snprintf(keys->bridge, sizeof(keys->bridge), "%s", text);
	return true;
}

static bool take_mac(struct vifkeys *keys, char *text)
{
	uint8_t mac[6];

	if (!address_parse_mac(text, mac) || mac[0] & 1)
		return false;
	memcpy(keys->mac, mac, sizeof(mac));
	keys->has_mac = true;
	return true;
}

static bool take_queues(struct vifkeys *keys, char *text)
{
	uint64_t queues;

	if (!is_number(text, 1, VIFKEYS_QUEUES, &queues))
		return false;
	keys->queues = (uint16_t)queues;
	return true;
}

/* All or none of them: half a list would be another guard. */
static bool take_addresses(struct vifkeys *keys, char *text)
{
	static const char between[] = " \t\n,";
	struct policy_prefix list[VIFKEYS_ADDRESSES];
	uint32_t count = 0;

	for (text += strspn(text, between); *text != '\0';) {
		char *end = text + strcspn(text, between);
		bool last = *end == '\0';

		*end = '\0';
		if (count == VIFKEYS_ADDRESSES ||
		    address_parse_prefix(text, &list[count]) != ADDRESS_OK)
			return false;
		count++;
		text = end + !last;
		text += strspn(text, between);
	}
	memset(keys->addresses, 0, sizeof(keys->addresses));
	memcpy(keys->addresses, list, count * sizeof(list[0]));
	keys->addresses_count = count;
	return true;
}

static bool take_name(struct vifkeys *keys, char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length >= sizeof(keys->name))
		return false;
	for (const char *at = text; *at != '\0'; at++)
		if (*at < ' ' || *at >= 0x7f || *at == '"')
			return false;
	memset(keys->name, 0, sizeof(keys->name));
	memcpy(keys->name, text, length);
	return true;
}

/* A path and, with some, words behind it. */
static bool take_script(struct vifkeys *keys, char *text)
{
	size_t length = strlen(text);

	if (length >= sizeof(keys->script))
		return false;
	for (const char *at = text; *at != '\0'; at++)
		if (*at < ' ' || *at >= 0x7f)
			return false;
	memset(keys->script, 0, sizeof(keys->script));
	memcpy(keys->script, text, length);
	return true;
}

static bool take_uuid(struct vifkeys *keys, char *text)
{
	const char *form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	/* The domain's `vm` key is a path to it. */
	if (strncmp(text, "/vm/", 4) == 0)
		text += 4;
	if (strlen(text) != strlen(form))
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		if (form[i] == '-' ? text[i] != '-'
				   : !strchr("0123456789abcdef", text[i]))
			return false;
	}
	memcpy(keys->uuid, text, sizeof(keys->uuid));
	return true;
}

static bool take_announced(struct vifkeys *keys, char *text)
{
	uint64_t yes;

	if (!is_number(text, 0, 1, &yes))
		return false;
	keys->is_announced = yes != 0;
	return true;
}

static const struct field fields[] = {
	{ "state", take_state, "a number from 0 to 8" },
	{ "vifname", take_interface, "the name of an interface" },
	{ "mac", take_mac, "six pairs of hexadecimal digits, no group" },
	{ "bridge", take_bridge, "the name of an interface" },
	{ "ip", take_addresses, "up to 64 addresses or prefixes" },
	{ "script", take_script, "up to 127 printable characters" },
	{ "symtap-hotplug", take_announced, "0 or 1" },
	{ "multi-queue-num-queues", take_queues, "a number from 1 to 64" },
	{ "name", take_name, "1 to 63 printable characters" },
	{ "uuid", take_uuid, "a UUID in small letters" },
};

const char *const vifkeys_backend[] = { "state",          "vifname", "mac",
					"bridge",         "ip",      "script",
					"symtap-hotplug", NULL };

/* A mistake in it is told as it is in the operator's file. */
static bool set_policy(struct vifkeys *keys, const void *value,
		       size_t length_bytes, char ret_wrong[VIFKEYS_TEXT_BYTES])
{
	struct policy_errors errors;
	const struct policy_error *first = &errors.list[0];

	if (guests_parse(value, length_bytes, &keys->wish, &errors))
		return true;
	for (size_t i = 0; i < errors.count && first->warning; i++)
		first = &errors.list[i];
	snprintf(ret_wrong, VIFKEYS_TEXT_BYTES,
		 "vif %u/%u: policy: line %u: %.40s%s%.80s; %.80s",
		 keys->domain, keys->handle, first->line, first->key,
		 first->key[0] ? ": " : "", first->wrong, first->right);
	return false;
}

bool vifkeys_set(struct vifkeys *keys, const char *name, const void *value,
		 size_t length_bytes, char ret_wrong[VIFKEYS_TEXT_BYTES])
{
	char text[VIFKEYS_VALUE_BYTES + 1];

	if (strcmp(name, "policy") == 0)
		return set_policy(keys, value, length_bytes, ret_wrong);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (length_bytes < sizeof(text) &&
		    memchr(value, '\0', length_bytes) == NULL) {
			memcpy(text, value, length_bytes);
			text[length_bytes] = '\0';
			if (fields[i].take(keys, text))
				return true;
		}
		snprintf(ret_wrong, VIFKEYS_TEXT_BYTES, "vif %u/%u: %s: not %s",
			 keys->domain, keys->handle, name, fields[i].right);
		return false;
	}
	return true;
}

bool vifkeys_equal(const struct vifkeys *a, const struct vifkeys *b)
{
	return a->domain == b->domain && a->handle == b->handle &&
	       strcmp(a->interface, b->interface) == 0 &&
	       a->has_mac == b->has_mac &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
	       strcmp(a->bridge, b->bridge) == 0 &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->uuid, b->uuid) == 0 &&
	       a->queues == b->queues && guest_wish_equal(&a->wish, &b->wish) &&
	       a->addresses_count == b->addresses_count &&
	       memcmp(a->addresses, b->addresses,
		      a->addresses_count * sizeof(a->addresses[0])) == 0;
}

bool vifkeys_is_another(const struct vifkeys *now, const struct vifkeys *before)
{
	return now->uuid[0] != '\0' && before->uuid[0] != '\0' &&
	       strcmp(now->uuid, before->uuid) != 0;
}

static const char *take_number(const char *text, uint64_t max, uint32_t *ret)
{
	char digits[8];
	size_t length = strspn(text, "0123456789");
	uint64_t number;

	if (length == 0 || length >= sizeof(digits))
		return NULL;
	memcpy(digits, text, length);
	digits[length] = '\0';
	if (!is_number(digits, 0, max, &number))
		return NULL;
	*ret = (uint32_t)number;
	return text + length;
}

bool vifkeys_parse_domain(const char *text, uint32_t *ret_domain)
{
	text = take_number(text, VIFKEYS_DOMAINS - 1, ret_domain);
	return text != NULL && *text == '\0';
}

bool vifkeys_parse_name(const char *path, uint32_t *ret_domain)
{
	size_t length = strlen(VIFKEYS_DOMAIN);

	if (strncmp(path, VIFKEYS_DOMAIN, length) != 0)
		return false;
	path = take_number(path + length, VIFKEYS_DOMAINS - 1, ret_domain);
	return path != NULL && strcmp(path, "/name") == 0;
}

bool vifkeys_parse_place(const char *text, uint32_t *ret_domain,
			 uint32_t *ret_handle)
{
	text = take_number(text, VIFKEYS_DOMAINS - 1, ret_domain);
	if (text == NULL || *text != '/')
		return false;
	text = take_number(text + 1, VIFKEYS_HANDLES - 1, ret_handle);
	return text != NULL && (*text == '\0' || *text == '/');
}
