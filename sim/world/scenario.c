/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "sim/world/scenario_draft.h"

static bool read_rate(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct wire_params *wire = into;

	return scenario_read_rate(reader, node, &wire->rate_bits_per_s);
}

static bool read_loss(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct wire_params *wire = into;

	return scenario_read_share(reader, node, &wire->loss_in_million);
}

static const struct keys_entry LINK_KEYS[] = {
	{ .name = "rate",
	  .type = KEYS_OTHER,
	  .read = read_rate,
	  .help = "such as 100Mbit/s; 1Gbit/s" },
	{ .name = "delay",
	  .type = KEYS_TIME,
	  .max = UINT64_C(60000000000),
	  KEYS_FIELD(struct wire_params, delay_ns),
	  .help = "of each packet; host 100us, the others 10ms" },
	{ .name = "queue",
	  .type = KEYS_BYTES,
	  .max = UINT64_C(1) << 30,
	  KEYS_FIELD(struct wire_params, queue_bytes),
	  .help = "that may wait before it, the rest is dropped; 1MiB" },
	{ .name = "loss",
	  .type = KEYS_OTHER,
	  .read = read_loss,
	  .help = "share of packets that get lost; 0%" },
	{ 0 },
};

#define READ_LINK(link)                                                     \
	static bool read_##link(struct keys_reader *reader,                 \
				const struct yaml_node *node, void *into)   \
	{                                                                   \
		struct scenario *scenario = into;                           \
                                                                            \
		return keys_read(reader, node, LINK_KEYS, &scenario->link); \
	}

READ_LINK(host)
READ_LINK(out)
READ_LINK(back)

static const struct keys_entry LINKS_KEYS[] = {
	{ .name = "host",
	  .type = KEYS_OTHER,
	  .read = read_host,
	  .keys = LINK_KEYS,
	  .help = "from each guarded host to the gateway" },
	{ .name = "out",
	  .type = KEYS_OTHER,
	  .read = read_out,
	  .help = "from the gateway outwards, likewise" },
	{ .name = "back",
	  .type = KEYS_OTHER,
	  .read = read_back,
	  .help = "from outside to the gateway, likewise" },
	{ 0 },
};

static bool read_policy(struct keys_reader *reader,
			const struct yaml_node *node, void *into)
{
	struct scenario *scenario = into;
	const char *text = keys_text(reader, node,
				     "a path, or \"policy: |\" and a policy");

	if (!text)
		return false;
	scenario->policy_line = node->line;
	scenario->policy = strdup(text);
	if (!scenario->policy)
		keys_error(reader, node, "", "out of memory");
	return scenario->policy != NULL;
}

static const char *const GATEWAY[] = { "on", "off", NULL };

static const struct keys_entry KEYS[] = {
	{ .name = "about",
	  .type = KEYS_TEXT,
	  KEYS_FIELD(struct scenario, about),
	  .required = true,
	  .help = "what it shows, in a sentence" },
	{ .name = "unmet",
	  .type = KEYS_TEXT,
	  KEYS_FIELD(struct scenario, unmet),
	  .help = "why an expectation does not hold; all do" },
	{ .name = "seed",
	  .type = KEYS_COUNT,
	  .max = UINT32_MAX,
	  KEYS_FIELD(struct scenario, seed),
	  .help = "of chance; 1" },
	{ .name = "duration",
	  .type = KEYS_TIME,
	  .min = 1000000,
	  .max = UINT64_C(86400000000000),
	  KEYS_FIELD(struct scenario, duration_ns),
	  .required = true,
	  .help = "of virtual time, such as 60s" },
	{ .name = "gateway",
	  .type = KEYS_WORD,
	  .words = GATEWAY,
	  KEYS_FIELD(struct scenario, without),
	  .help = "off: a plain forwarder; on" },
	{ .name = "reload",
	  .type = KEYS_TIME,
	  .min = 1000000,
	  .max = UINT64_C(86400000000000),
	  KEYS_FIELD(struct scenario, reload_ns),
	  .help = "the policy is given anew so often; never" },
	{ .name = "restart",
	  .type = KEYS_TIME,
	  .min = 1000000,
	  .max = UINT64_C(86400000000000),
	  KEYS_FIELD(struct scenario, restart_ns),
	  .help = "the gateway is, so often, with its state saved; never" },
	{ .name = "policy",
	  .type = KEYS_OTHER,
	  .read = read_policy,
	  .help = "a file, from the scenario's folder, or a policy's text" },
	{ .name = "links",
	  .type = KEYS_MAP,
	  .keys = LINKS_KEYS,
	  .help = "rate, delay, loss and queue" },
	{ .name = "senders",
	  .type = KEYS_OTHER,
	  .read = scenario_read_senders,
	  .keys = SCENARIO_SENDER_KEYS,
	  .required = true,
	  .help = "who sends what to whom" },
	{ .name = "expect",
	  .type = KEYS_OTHER,
	  .read = scenario_read_expect,
	  .keys = SCENARIO_EXPECT_KEYS,
	  .help = "what must come of it" },
	{ 0 },
};

const struct keys_entry *scenario_keys(void)
{
	return KEYS;
}

static struct scenario *new_scenario(void)
{
	struct scenario *scenario = calloc(1, sizeof(*scenario));
	const struct wire_params link = {
		.rate_bits_per_s = 1000000000,
		.delay_ns = 10000000,
		.queue_bytes = 1 << 20,
	};

	if (!scenario)
		return NULL;
	scenario->seed = 1;
	scenario->host = scenario->out = scenario->back = link;
	scenario->host.delay_ns = 100000;
	return scenario;
}

void scenario_free(struct scenario *scenario)
{
	if (!scenario)
		return;
	free(scenario->policy);
	free(scenario->senders);
	free(scenario->expect);
	free(scenario);
}

static bool read_tree(const struct yaml_tree *tree, struct scenario *scenario,
		      struct policy_errors *errors)
{
	const struct yaml_node *root = yaml_tree_root(tree);
	struct keys_reader reader = { .errors = errors };
	bool good = keys_read(&reader, root, KEYS, scenario);

	/* With a mistake among them, who is which would be guessed. */
	if (!good || errors->errors > 0)
		return false;
	keys_enter(&reader, "expect");
	return scenario_find_senders(&reader, yaml_tree_find(root, "expect"),
				     scenario);
}

bool scenario_parse(const char *file_name, const char *text, size_t bytes,
		    struct scenario **ret_scenario,
		    struct policy_errors *errors)
{
	struct keys_reader file = { .errors = errors };
	struct scenario *scenario = new_scenario();
	struct yaml_tree *tree = NULL;
	bool good = false;

	policy_errors_init(errors, file_name);
	if (bytes > SCENARIO_BYTES_MAX)
		keys_error(&file, NULL, "at most 1 MiB",
			   "the file is too large");
	else if (scenario)
		tree = yaml_tree_parse(text, bytes, errors);
	if (tree)
		good = read_tree(tree, scenario, errors);
	if (!good && errors->errors == 0)
		keys_error(&file, NULL, "", "out of memory");
	yaml_tree_free(tree);
	policy_errors_sort(errors);
	if (good)
		*ret_scenario = scenario;
	else
		scenario_free(scenario);
	return good;
}

bool scenario_suits(const struct scenario *scenario,
		    const struct policy *policy, struct policy_errors *errors)
{
	bool good = true;

	for (uint32_t i = 0; i < scenario->senders_count; i++) {
		const struct scenario_sender *sender = &scenario->senders[i];
		char address[ADDRESS_TEXT_SIZE];
		struct policy_error error = { .line = sender->line,
					      .column = 1,
					      .key = "senders" };

		if (policy_is_inside(policy, sender->from))
			continue;
		address_print(sender->from, address);
		snprintf(error.wrong, sizeof(error.wrong),
			 "%s of \"%s\" is not guarded", address, sender->name);
		snprintf(error.right, sizeof(error.right),
			 "an address that the policy's `inside` has");
		policy_errors_add(errors, &error);
		good = false;
	}
	return good;
}
