/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include <string.h>

#include "policy/address.h"
#include "policy/yaml.h"

static const char INTERFACE_RIGHT[] =
	"1 to 15 printable characters without space, slash or colon";

static bool read_sources(struct keys_reader *reader,
			 const struct yaml_node *node, void *into)
{
	struct policy_source *source = into;

	if (node->kind == YAML_LIST && node->count == 0)
		return true;
	return draft_read_prefixes(reader, node, DRAFT_PREFIXES_MAX,
				   &source->sources);
}

static const struct keys_entry SOURCE_KEYS[] = {
	{ .name = "sources",
	  .type = KEYS_OTHER,
	  .required = true,
	  .read = read_sources,
	  .help = "prefixes that may send here; all others are refused" },
	{ 0 },
};

static bool read_source(struct keys_reader *reader,
			const struct yaml_node *node, struct draft *draft)
{
	struct policy *policy = &draft->policy;
	struct policy_source source = { 0 }, *list;
	bool good = address_is_interface(node->key);

	if (!good)
		keys_key_error(reader, node, INTERFACE_RIGHT,
			       "\"%.*s\" cannot be an interface", KEYS_SHOWN,
			       node->key);
	else
		memcpy(source.interface, node->key, strlen(node->key));
	list = draft_grow(policy->sources, policy->sources_count,
			  sizeof(*list));
	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	policy->sources = list;
	good &= keys_read(reader, node, SOURCE_KEYS, &source);
	list[policy->sources_count++] = source;
	return good;
}

static bool read_interfaces(struct keys_reader *reader,
			    const struct yaml_node *node, void *into)
{
	bool good = true;

	if (node->kind != YAML_MAP || node->count > DRAFT_SOURCES_MAX) {
		keys_error(reader, node, "lan0: {sources: [10.20.0.0/16]}",
			   "a map of at most 4096 interfaces is wanted here");
		return false;
	}
	for (node = node->first; node != NULL; node = node->next) {
		size_t before = keys_enter(reader, node->key);

		good &= read_source(reader, node, into);
		keys_leave(reader, before);
	}
	return good;
}

static bool read_mac(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	static const char RIGHT[] = "six pairs of hexadecimal digits, such as "
				    "52:54:00:12:34:56";
	static const uint8_t NONE[6] = { 0 };
	struct policy_binding *binding = into;
	const char *text = keys_text(reader, node, RIGHT);

	if (text == NULL)
		return false;
	if (!address_parse_mac(text, binding->mac)) {
		keys_error(reader, node, RIGHT, "\"%.*s\" is no MAC address",
			   KEYS_SHOWN, text);
		return false;
	}
	if (binding->mac[0] & 1 || memcmp(binding->mac, NONE, 6) == 0) {
		keys_error(reader, node, "the address of one network card",
			   "%s is no sender's address", text);
		return false;
	}
	return true;
}

static bool read_addresses(struct keys_reader *reader,
			   const struct yaml_node *node, void *into)
{
	struct policy_binding *binding = into;

	return draft_read_prefixes(reader, node, DRAFT_PREFIXES_MAX,
				   &binding->addresses);
}

static bool read_interface(struct keys_reader *reader,
			   const struct yaml_node *node, void *into)
{
	struct policy_binding *binding = into;

	return draft_read_interface(reader, node, binding->interface);
}

static bool read_rate(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct policy_binding *binding = into;

	binding->has_rate = true;
	return keys_read(reader, node, DRAFT_RATE_KEYS, &binding->rate);
}

static const struct keys_entry BINDING_KEYS[] = {
	{ .name = "mac",
	  .type = KEYS_OTHER,
	  .required = true,
	  .read = read_mac,
	  .help = "MAC address of the guarded host" },
	{ .name = "addresses",
	  .type = KEYS_OTHER,
	  .required = true,
	  .read = read_addresses,
	  .help = "what it may send from; the first one stands for the host" },
	{ .name = "interface",
	  .type = KEYS_OTHER,
	  .read = read_interface,
	  .help = "where it is; left out: anywhere" },
	{ .name = "rate",
	  .type = KEYS_OTHER,
	  .read = read_rate,
	  .help = "what it may send in all; from `rate`" },
	{ 0 },
};

static bool one_binding(struct keys_reader *reader,
			const struct yaml_node *node, void *into)
{
	struct draft *draft = into;
	struct policy *policy = &draft->policy;
	struct policy_binding binding = { .rate = policy->rate }, *list;
	bool good;

	list = draft_grow(policy->bindings, policy->bindings_count,
			  sizeof(*list));
	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	policy->bindings = list;
	good = keys_read(reader, node, BINDING_KEYS, &binding);
	list[policy->bindings_count++] = binding;
	return good;
}

static bool read_bindings(struct keys_reader *reader,
			  const struct yaml_node *node, void *into)
{
	if (node->kind == YAML_LIST && node->count == 0)
		return true;
	return keys_each(reader, node, DRAFT_BINDINGS_MAX, one_binding, into);
}

const struct keys_entry DRAFT_ANTISPOOF_KEYS[] = {
	{ .name = "interfaces",
	  .type = KEYS_OTHER,
	  .read = read_interfaces,
	  .keys = SOURCE_KEYS,
	  .help = "per interface, who may send; left out: not checked" },
	{ .name = "bindings",
	  .type = KEYS_OTHER,
	  .read = read_bindings,
	  .keys = BINDING_KEYS,
	  .help = "per MAC address, what it may send from" },
	{ 0 },
};
