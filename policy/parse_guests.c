/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `xen.guests`, and the same keys in the tool stack's text for one guest. */
#include <string.h>

#include "policy/address.h"
#include "policy/draft.h"
#include "policy/errors.h"
#include "policy/guests.h"
#include "policy/yaml.h"

static const char *const GUARDS[] = { "off", "on", NULL };

/* What is left out stays as it comes, not as `rate` has it. */
static bool read_rate(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct policy_guest *guest = into;

	guest->wish.rate.burst_ns = RATE_BURST_NS;
	return keys_read(reader, node, DRAFT_RATE_KEYS, &guest->wish.rate);
}

#define WISH_KEYS                                                          \
	{ .name = "way",                                                   \
	  .type = KEYS_WORD,                                               \
	  .words = DRAFT_WAYS,                                             \
	  KEYS_FIELD(struct policy_guest, wish.way),                       \
	  .help = "where its packets wait; as xen.way" },                  \
		{ .name = "mac",                                           \
		  .type = KEYS_WORD,                                       \
		  .words = DRAFT_XEN_MACS,                                 \
		  KEYS_FIELD(struct policy_guest, wish.mac),               \
		  .help = "frames with another MAC; as xen.mac" },         \
		{ .name = "guard",                                         \
		  .type = KEYS_WORD,                                       \
		  .words = GUARDS,                                         \
		  KEYS_FIELD(struct policy_guest, wish.guarded),           \
		  .help = "off: anything passes, and nothing waits; on" }, \
		{ .name = "threshold",                                     \
		  .type = KEYS_LOG2,                                       \
		  KEYS_FIELD(struct policy_guest, wish.ratio_q16),         \
		  .help = "instead of limiter.threshold" },                \
	{                                                                  \
		.name = "rate", .type = KEYS_OTHER, .read = read_rate,     \
		.help = "what its vif may send in all; as rate"            \
	}

static const struct keys_entry OWN_KEYS[] = { WISH_KEYS, { 0 } };

#define GUEST_TEXT(key, text)                               \
	{                                                   \
		.name = #key, .type = KEYS_TEXT,            \
		KEYS_FIELD(struct policy_guest, key),       \
		.help = text "; * is anything, ? a letter", \
	}

const struct keys_entry DRAFT_GUEST_KEYS[] = {
	GUEST_TEXT(name, "the domain's name"),
	GUEST_TEXT(uuid, "the domain's UUID, in small letters"),
	{ .name = "domain",
	  .type = KEYS_COUNT,
	  .min = 1,
	  .max = 32751,
	  KEYS_FIELD(struct policy_guest, domain),
	  .help = "the domain's number" },
	GUEST_TEXT(vif, "the vif's interface"),
	GUEST_TEXT(bridge, "the bridge it is put on"),
	WISH_KEYS,
	{ 0 },
};

static uint8_t said_in(const struct yaml_node *node)
{
	static const struct {
		const char *key;
		enum guest_said said;
	} keys[] = {
		{ "way", GUEST_WAY },     { "mac", GUEST_MAC },
		{ "guard", GUEST_GUARD }, { "threshold", GUEST_THRESHOLD },
		{ "rate", GUEST_RATE },
	};
	unsigned said = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (yaml_tree_find(node, keys[i].key) != NULL)
			said |= keys[i].said;
	return (uint8_t)said;
}

static bool check_way(struct keys_reader *reader, const struct yaml_node *node,
		      const struct policy *policy,
		      const struct policy_guest *guest)
{
	const char *right;
	size_t before;

	if (!(guest->wish.said & GUEST_WAY))
		return true;
	right = draft_wrong_with_way(policy, guest->wish.way);
	if (right == NULL)
		return true;
	before = keys_enter(reader, "way");
	keys_error(reader, yaml_tree_find(node, "way"), right,
		   "no guest would wait");
	keys_leave(reader, before);
	return false;
}

/* One that says nothing still keeps others behind it from being asked. */
static bool one_guest(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct policy *policy = into;
	struct policy_guest guest, *list;
	bool good;

	memset(&guest, 0, sizeof(guest));
	list = draft_grow(policy->xen.guests, policy->xen.guests_count,
			  sizeof(*list));
	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	policy->xen.guests = list;
	good = keys_read(reader, node, DRAFT_GUEST_KEYS, &guest);
	if (good) {
		guest.wish.said = said_in(node);
		good = check_way(reader, node, policy, &guest);
	}
	list[policy->xen.guests_count++] = guest;
	return good;
}

bool draft_read_guests(struct keys_reader *reader, const struct yaml_node *node,
		       void *into)
{
	struct draft *draft = into;

	if (node->kind == YAML_LIST && node->count == 0)
		return true;
	return keys_each(reader, node, GUESTS_MAX, one_guest, &draft->policy);
}

bool guests_parse(const char *text, size_t bytes, struct guest_wish *ret_wish,
		  struct policy_errors *ret_errors)
{
	struct keys_reader reader = { .errors = ret_errors };
	struct yaml_tree *tree = NULL;
	struct policy_guest guest;
	bool good = false;

	memset(&guest, 0, sizeof(guest));
	policy_errors_init(ret_errors, "policy");
	if (bytes > GUESTS_TEXT_BYTES)
		keys_error(&reader, NULL, "at most 1024 bytes", "is too long");
	else
		tree = yaml_tree_parse(text, bytes, ret_errors);
	if (tree != NULL) {
		const struct yaml_node *root = yaml_tree_root(tree);

		good = keys_read(&reader, root, OWN_KEYS, &guest) &&
		       ret_errors->errors == 0;
		if (good)
			guest.wish.said = said_in(root);
	}
	yaml_tree_free(tree);
	policy_errors_sort(ret_errors);
	if (good)
		*ret_wish = guest.wish;
	return good;
}
