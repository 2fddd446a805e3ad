/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_INDEX_H
#define POLICY_INDEX_H

/* What the packet path asks of a policy, laid out for quick answers. */

#include <stdbool.h>
#include <stdint.h>

struct policy;
struct policy_binding;
struct policy_index;
struct zone;

/* NULL: out of memory.  Points into the lists of `policy`. */
struct policy_index *index_new(const struct policy *policy);
void index_free(struct policy_index *index);

bool index_is_inside(const struct policy_index *index, const uint8_t addr[16]);

/* See policy_binding_of. */
const struct policy_binding *index_binding_of(const struct policy_index *index,
					      const struct policy *policy,
					      const uint8_t addr[16],
					      const struct zone *zone);

/* See policy_host_of. */
void index_host_of(const struct policy_index *index,
		   const struct policy *policy, const uint8_t addr[16],
		   const struct zone *zone, uint8_t ret_host[16]);

#endif
