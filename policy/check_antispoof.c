/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/yaml.h"

/* An address of a binding, and which binding that is. */
struct claim {
	const struct policy_prefix *prefix;
	size_t binding;
};

static const struct yaml_node *nth(const struct yaml_node *list, size_t n)
{
	const struct yaml_node *node = list;

	if (list != NULL && list->kind == YAML_LIST)
		for (node = list->first; node != NULL && n > 0; n--)
			node = node->next;
	return node;
}

static bool any_overlaps(const struct policy_prefixes *prefixes,
			 const struct policy_prefix *prefix)
{
	for (size_t i = 0; i < prefixes->count; i++) {
		if (address_overlaps(&prefixes->list[i], prefix))
			return true;
	}
	return false;
}

static bool any_covers(const struct policy_prefixes *prefixes,
		       const struct policy_prefix *prefix)
{
	for (size_t i = 0; i < prefixes->count; i++) {
		if (address_covers(&prefixes->list[i], prefix))
			return true;
	}
	return false;
}

/* Link-local sources are for one link only and never inside. */
static bool is_link_local(const struct policy_prefix *prefix)
{
	return prefix->length >= 10 && prefix->addr[0] == 0xfe &&
	       (prefix->addr[1] & 0xc0) == 0x80;
}

static void warn_uncovered(struct keys_reader *reader,
			   const struct draft *draft)
{
	const struct policy *policy = &draft->policy;
	const struct yaml_node *list = yaml_tree_find(draft->root, "inside");
	size_t before = keys_enter(reader, "inside");

	for (size_t i = 0; i < policy->inside.count; i++) {
		const struct policy_prefix *prefix = &policy->inside.list[i];
		char text[ADDRESS_TEXT_SIZE];
		bool covered = policy->sources_count == 0;

		for (size_t j = 0; j < policy->sources_count && !covered; j++)
			covered = any_overlaps(&policy->sources[j].sources,
					       prefix);
		if (covered)
			continue;
		address_print_prefix(prefix, text);
		keys_warning(reader, nth(list, i),
			     "add it to the sources of its interface",
			     "no antispoof source covers %s: its packets are "
			     "dropped wherever they arrive",
			     text);
	}
	keys_leave(reader, before);
}

static void warn_unguarded(struct keys_reader *reader,
			   const struct policy *policy,
			   const struct policy_source *source,
			   const struct yaml_node *node)
{
	const struct yaml_node *list = yaml_tree_find(node, "sources");
	size_t before = keys_enter(reader, source->interface);

	keys_enter(reader, "sources");
	for (size_t i = 0; i < source->sources.count; i++) {
		const struct policy_prefix *prefix = &source->sources.list[i];
		char text[ADDRESS_TEXT_SIZE];

		if (any_overlaps(&policy->inside, prefix) ||
		    is_link_local(prefix))
			continue;
		address_print_prefix(prefix, text);
		keys_warning(reader, nth(list, i), "add it to inside",
			     "%s may send here but is not inside: nothing of "
			     "it is held",
			     text);
	}
	if (source->sources.count == 0)
		keys_warning(reader, list,
			     "list who may send here, or leave the interface "
			     "out",
			     "is empty: nobody may send here");
	keys_leave(reader, before);
}

static const struct policy_source *find_source(const struct policy *policy,
					       const char *interface)
{
	for (size_t i = 0; i < policy->sources_count; i++) {
		if (strcmp(policy->sources[i].interface, interface) == 0)
			return &policy->sources[i];
	}
	return NULL;
}

static void warn_binding(struct keys_reader *reader,
			 const struct policy *policy,
			 const struct policy_binding *binding,
			 const struct yaml_node *node)
{
	const struct policy_source *source =
		find_source(policy, binding->interface);
	const struct yaml_node *list = yaml_tree_find(node, "addresses");

	for (size_t i = 0; i < binding->addresses.count; i++) {
		const struct policy_prefix *prefix =
			&binding->addresses.list[i];
		char text[ADDRESS_TEXT_SIZE];

		if (is_link_local(prefix))
			continue;
		address_print_prefix(prefix, text);
		if (source != NULL && !any_covers(&source->sources, prefix))
			keys_warning(reader, nth(list, i),
				     "add it to the sources of the interface",
				     "%s may not send on %s: no source there "
				     "covers it",
				     text, source->interface);
		else if (!any_overlaps(&policy->inside, prefix))
			keys_warning(reader, nth(list, i), "add it to inside",
				     "%s is not inside: nothing of it is held",
				     text);
	}
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;
	int left_v4 = address_prefix_is_v4(left->prefix);
	int right_v4 = address_prefix_is_v4(right->prefix);
	int order = memcmp(left->prefix->addr, right->prefix->addr, 16);

	if (left_v4 != right_v4)
		return left_v4 - right_v4;
	if (order != 0)
		return order;
	if (left->prefix->length != right->prefix->length)
		return left->prefix->length - right->prefix->length;
	return (left->binding > right->binding) -
	       (left->binding < right->binding);
}

static bool is_same_place(const char *a, const char *b)
{
	return a[0] == '\0' || b[0] == '\0' || strcmp(a, b) == 0;
}

static void warn_claimed_twice(struct keys_reader *reader,
			       const struct policy *policy,
			       const struct yaml_node *list,
			       const struct claim *a, const struct claim *b)
{
	const struct claim *first = a->binding < b->binding ? a : b;
	const struct claim *again = first == a ? b : a;
	const struct yaml_node *node = nth(list, again->binding);
	const struct yaml_node *other = nth(list, first->binding);
	char text[ADDRESS_TEXT_SIZE];
	size_t before;

	if (a->binding == b->binding ||
	    !is_same_place(policy->bindings[a->binding].interface,
			   policy->bindings[b->binding].interface))
		return;
	before = keys_enter_index(reader, again->binding);
	address_print_prefix(again->prefix, text);
	keys_warning(reader, node, "bind every address to one MAC address",
		     "%s is also bound on line %u: both may send it", text,
		     other != NULL ? other->line : 0);
	keys_leave(reader, before);
}

/* In order of address, what covers a prefix stands before it. */
static bool warn_claims(struct keys_reader *reader, const struct policy *policy,
			const struct yaml_node *list)
{
	struct claim *claims;
	size_t count = 0, used = 0;

	for (size_t i = 0; i < policy->bindings_count; i++)
		count += policy->bindings[i].addresses.count;
	claims = calloc(count + 1, sizeof(*claims));
	if (claims == NULL) {
		keys_error(reader, list, "", "out of memory");
		return false;
	}
	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_prefixes *addresses =
			&policy->bindings[i].addresses;

		for (size_t j = 0; j < addresses->count; j++)
			claims[used++] =
				(struct claim){ &addresses->list[j], i };
	}
	qsort(claims, count, sizeof(*claims), compare_claims);
	for (size_t i = 1, outer = 0; i < count; i++) {
		if (address_covers(claims[outer].prefix, claims[i].prefix))
			warn_claimed_twice(reader, policy, list, &claims[outer],
					   &claims[i]);
		else
			outer = i;
	}
	free(claims);
	return true;
}

bool draft_check_antispoof(struct keys_reader *reader,
			   const struct draft *draft)
{
	const struct policy *policy = &draft->policy;
	const struct yaml_node *map = yaml_tree_find(draft->root, "antispoof");
	const struct yaml_node *sources = yaml_tree_find(map, "interfaces");
	const struct yaml_node *bindings = yaml_tree_find(map, "bindings");
	const struct yaml_node *node;
	size_t before, length;
	bool good;

	warn_uncovered(reader, draft);
	before = keys_enter(reader, "antispoof");
	length = keys_enter(reader, "interfaces");
	for (size_t i = 0; i < policy->sources_count; i++)
		warn_unguarded(reader, policy, &policy->sources[i],
			       yaml_tree_find(sources,
					      policy->sources[i].interface));
	keys_leave(reader, length);
	keys_enter(reader, "bindings");
	node = nth(bindings, 0);
	for (size_t i = 0; i < policy->bindings_count && node != NULL; i++) {
		length = keys_enter_index(reader, i);
		warn_binding(reader, policy, &policy->bindings[i], node);
		keys_leave(reader, length);
		node = node->next;
	}
	good = warn_claims(reader, policy, bindings);
	keys_leave(reader, before);
	return good;
}
