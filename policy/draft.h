/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_DRAFT_H
#define POLICY_DRAFT_H

/* What the files that parse a policy share, and nobody else needs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/keys.h"
#include "policy/policy.h"

struct yaml_node;

/* Values as they stand in the file; 0: left out. */
struct draft_limiter {
	uint32_t ratio_q16;
	uint64_t window_ns, first_delay_ns, max_delay_ns;
};

struct draft_rule {
	struct policy_rule rule;
	struct draft_limiter limiter;
};

enum draft_profile { DRAFT_LITERAL, DRAFT_SEVEN_TO_ONE };

struct draft {
	struct policy policy; /* first */
	struct draft_limiter limiter;
	enum draft_profile profile;
	bool limiter_finished;
	const struct yaml_node *root;
};

enum {
	DRAFT_INSIDE_MAX = 64,
	DRAFT_PREFIXES_MAX = 1024, /* in one list */
	DRAFT_PORTS_MAX = 1024,
	DRAFT_RULES_MAX = 4096,
	DRAFT_SOURCES_MAX = 4096,
	DRAFT_BINDINGS_MAX = 65536,
	DRAFT_ZONES_MAX = 1024,
};

/* The list with room for one more; NULL: out of memory, the list is as it was.
 * Room doubles, so that `count` alone says how much there is. */
void *draft_grow(void *list, size_t count, size_t element_bytes);

/* Add a prefix, or a list of them, to `prefixes`; none may overlap another. */
bool draft_read_prefixes(struct keys_reader *reader,
			 const struct yaml_node *node, size_t max,
			 struct policy_prefixes *prefixes);

/* `inside:`, which the packet path compares in a loop. */
bool draft_read_inside(struct keys_reader *reader, const struct yaml_node *node,
		       void *into);

/* An interface's name, into 16 bytes. */
bool draft_read_interface(struct keys_reader *reader,
			  const struct yaml_node *node, char ret_name[16]);

/* `enforce:` */
bool draft_read_enforce(struct keys_reader *reader,
			const struct yaml_node *node, void *into);

/* What a limiter means once everything it left out is filled in; `outer` is
 * what it inherits from, NULL: the profile. */
bool draft_finish_limiter(struct keys_reader *reader,
			  const struct yaml_node *node,
			  const struct draft *draft,
			  const struct draft_limiter *limiter,
			  const struct gate_params *outer,
			  struct gate_params *ret_params);

/* What a rule may match, and whether it may do so together. */
bool draft_check_match(struct keys_reader *reader, const struct yaml_node *node,
		       const struct policy *policy,
		       const struct policy_rule *rule);

/* params[0], once `profile` and `limiter` were read. */
bool draft_finish_default(struct keys_reader *reader, struct draft *draft);

/* Plain packets give neither patience nor credit: warns, and says so. */
void draft_finish_credit(struct keys_reader *reader, struct draft *draft);

extern const struct keys_entry DRAFT_GUEST_KEYS[];
/* `rate:`, which a binding may have too. */
bool draft_read_rate(struct keys_reader *reader, const struct yaml_node *node,
		     void *into);

extern const struct keys_entry DRAFT_MATCH_KEYS[];
extern const struct keys_entry DRAFT_MEMBER_KEYS[]; /* of a zone */
extern const struct keys_entry DRAFT_RATE_KEYS[];
extern const struct keys_entry DRAFT_RULE_KEYS[];
extern const struct keys_entry DRAFT_XEN_KEYS[];
extern const struct keys_entry DRAFT_ANTISPOOF_KEYS[];

/* `datapath.fast`, and what it does not go with. */
bool draft_read_fast_interfaces(struct keys_reader *reader,
				const struct yaml_node *node, void *into);
bool draft_check_fast(struct keys_reader *reader, const struct draft *draft);

/* `datapath.fast.hold`: what it asks for, and what it does not go with. */
void draft_finish_hold(struct draft *draft);
bool draft_check_hold(struct keys_reader *reader, const struct draft *draft);

extern const char *const DRAFT_WAYS[]; /* words, as `xen` has them */
extern const char *const DRAFT_XEN_MACS[];

bool draft_read_guests(struct keys_reader *reader, const struct yaml_node *node,
		       void *into);

/* What would be right in its place; NULL: nothing is wrong with it. */
const char *draft_wrong_with_way(const struct policy *policy,
				 enum policy_way way);

/* `xen`: what it does not go with. */
bool draft_check_xen(struct keys_reader *reader, const struct draft *draft);

bool draft_read_rules(struct keys_reader *reader, const struct yaml_node *node,
		      void *into);
bool draft_read_zones(struct keys_reader *reader, const struct yaml_node *node,
		      void *into);

/* Mostly warnings: addresses that nobody may send, or two hosts may. */
bool draft_check_antispoof(struct keys_reader *reader,
			   const struct draft *draft);

/* A rule that keys can follow names all members of a zone or none. */
bool draft_check_zones(struct keys_reader *reader, const struct yaml_node *node,
		       const struct policy *policy,
		       const struct policy_rule *rule);

/* A place outside of all zones is called by its interface. */
bool draft_check_zone_names(struct keys_reader *reader,
			    const struct draft *draft);

/* What only shows when the whole file was read. */
bool draft_check(struct keys_reader *reader, const struct draft *draft);

#endif
