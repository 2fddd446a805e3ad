/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_SCENARIO_DRAFT_H
#define SIM_WORLD_SCENARIO_DRAFT_H

/* What the files that parse a scenario share, and nobody else needs. */

#include <stdbool.h>

#include "policy/keys.h"
#include "policy/yaml.h"
#include "sim/world/scenario.h"

/* --- scenario_values.c: values that a policy does not have */

/* "0.99", up to 1e9 with nine decimals. */
bool scenario_read_decimal(struct keys_reader *reader,
			   const struct yaml_node *node, double *ret_value);

/* "100Mbit/s", into bit/s. */
bool scenario_read_rate(struct keys_reader *reader,
			const struct yaml_node *node, uint64_t *ret_rate);

/* "0.1%", into parts of a million. */
bool scenario_read_share(struct keys_reader *reader,
			 const struct yaml_node *node, uint32_t *ret_share);

/* "10.0.0.1", "[2001:db8::1]:443", "10.0.0.1:1000"; port 0: none given. */
bool scenario_read_endpoint(struct keys_reader *reader,
			    const struct yaml_node *node,
			    uint8_t ret_address[16], uint16_t *ret_port);

/* The same, or a prefix. */
bool scenario_read_target(struct keys_reader *reader,
			  const struct yaml_node *node,
			  struct policy_prefix *ret_prefix, uint16_t *ret_port);

/* --- scenario_senders.c, scenario_expect.c */

bool scenario_read_senders(struct keys_reader *reader,
			   const struct yaml_node *node, void *into);
bool scenario_read_expect(struct keys_reader *reader,
			  const struct yaml_node *node, void *into);

/* Which sender each expectation is about.  `node`: the whole list. */
bool scenario_find_senders(struct keys_reader *reader,
			   const struct yaml_node *node,
			   struct scenario *scenario);

extern const struct keys_entry SCENARIO_SENDER_KEYS[];
extern const struct keys_entry SCENARIO_EXPECT_KEYS[];

#endif
