/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever XenStore has: a line of a name and a value, and the next.  What was
 * understood must hold to its own bounds, and a wrong value must change
 * nothing.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "policy/address.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "xen-hooks/vif_keys.h"

enum { NAME_BYTES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t room)
{
	const char *end = memchr(text, '\0', room);

	assert(end != NULL);
	for (; text < end; text++)
		assert(*text >= ' ' && *text < 0x7f);
}

static void check(const struct vifkeys *keys)
{
	check_text(keys->interface, sizeof(keys->interface));
	assert(address_is_interface(keys->interface));
	check_text(keys->bridge, sizeof(keys->bridge));
	check_text(keys->name, sizeof(keys->name));
	check_text(keys->uuid, sizeof(keys->uuid));
	check_text(keys->script, sizeof(keys->script));
	assert(strlen(keys->uuid) == 0 || strlen(keys->uuid) == 36);
	assert(keys->state <= XENBUS_RECONFIGURED);
	assert(!keys->has_mac || !(keys->mac[0] & 1));
	assert(keys->queues >= 1 && keys->queues <= VIFKEYS_QUEUES);
	assert(keys->addresses_count <= VIFKEYS_ADDRESSES);
	for (uint32_t i = 0; i < keys->addresses_count; i++)
		assert(keys->addresses[i].length <= 128);
	assert(keys->wish.way < POLICY_WAYS);
	assert(keys->wish.mac <= POLICY_XEN_MAC_OVERWRITE);
}

/* It does in a policy what it may, and no more. */
static void check_wish(const struct vifkeys *keys)
{
	static const char text[] = "inside: [10.0.0.0/8]\nxen: {vifs: follow}";
	static struct policy_errors errors;
	const struct guest_identity guest = { keys->name, keys->uuid,
					      keys->interface, keys->bridge,
					      keys->domain };
	struct guest_wish wish;
	struct policy *policy;

	assert(policy_parse("", text, strlen(text), &policy, &errors));
	guests_wish_of(policy, &guest, &keys->wish, &wish);
	assert(guests_add_rules(policy, keys->interface, &wish));
	assert(policy->rules_count <= 1);
	assert(policy_prepare(policy));
	policy_free(policy);
}

static void set(struct vifkeys *keys, const char *name, const uint8_t *value,
		size_t length)
{
	const struct vifkeys before = *keys;
	char wrong[VIFKEYS_TEXT_BYTES];

	memset(wrong, 'x', sizeof(wrong));
	if (vifkeys_set(keys, name, value, length, wrong))
		return;
	assert(vifkeys_equal(keys, &before));
	assert(keys->state == before.state);
	check_text(wrong, sizeof(wrong));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t domain = 7, handle = 0;
	struct vifkeys keys;
	char name[NAME_BYTES];

	vifkeys_init(&keys, domain, handle);
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		const uint8_t *blank;
		size_t length = end ? (size_t)(end - data) : size;

		blank = memchr(data, ' ', length);
		if (blank != NULL && blank - data < NAME_BYTES) {
			size_t skip = (size_t)(blank - data);

			memcpy(name, data, skip);
			name[skip] = '\0';
			if (vifkeys_parse_place(name, &domain, &handle))
				assert(domain < VIFKEYS_DOMAINS &&
				       handle < VIFKEYS_HANDLES);
			set(&keys, name, blank + 1, length - skip - 1);
			check(&keys);
		}
		data += length + (end != NULL);
		size -= length + (end != NULL);
	}
	check_wish(&keys);
	return 0;
}
