/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_EXPECTED_H
#define SHAPER_EXPECTED_H

/*
 * What is known of keys that are not here yet: of a guest that was away, or
 * comes from elsewhere.  Each waits for the first packet that its host sends by
 * it, and time stands still for it until then.  A bounded number; nobody from
 * outside can add any.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/pump.h"

enum {
	EXPECTED_MAX = 1024,
	EXPECTED_LISTS = 1024, /* a power of two */
};

struct expected_key {
	struct pump_record record; /* its key's zone counts */
	uint64_t hash;             /* of the key, keyed */
	uint64_t until_ns;         /* forgotten then */
	uint32_t next; /* in its list, or of the free ones; 0: last */
	bool used;
};

struct expected { /* all-zero: empty */
	uint32_t lists[EXPECTED_LISTS];
	uint32_t freed, fresh; /* keys[1..fresh] were used */
	uint32_t count;
	struct expected_key keys[EXPECTED_MAX + 1];
};

/* More releases are the stricter, then more that was sent. */
bool expected_is_stricter(const struct pump_record *a,
			  const struct pump_record *b);

/* One more; of a key that is expected already the stricter is kept.  false:
 * there is no place. */
bool expected_add(struct expected *expected, const struct pump_record *record,
		  uint64_t hash, uint64_t until_ns, uint64_t now_ns);

/* NULL: it is not expected (any more).  Valid until the next call. */
struct expected_key *expected_find(struct expected *expected,
				   const struct flow_key *key, uint64_t hash,
				   uint64_t now_ns);
void expected_remove(struct expected *expected, struct expected_key *key);

#endif
