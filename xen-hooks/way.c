/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/way.h"

#include <stdio.h>
#include <string.h>

/* Each key by itself before all at once, and among those packets of all sizes
 * before large ones; then whom nobody who listens to a vif can disturb. */
static const enum policy_way BEST_FIRST[] = { POLICY_WAY_NETBACK,
					      POLICY_WAY_QUEUE, POLICY_WAY_RING,
					      POLICY_WAY_RATE };
enum { WAYS = sizeof(BEST_FIRST) / sizeof(BEST_FIRST[0]) };

static void add(char text[WAY_TEXT_BYTES], const char *before,
		enum policy_way way, const char *lacks)
{
	size_t length = strlen(text);

	snprintf(text + length, WAY_TEXT_BYTES - length, "%s%s: %s",
		 length > 0 ? before : "", policy_way_name(way), lacks);
}

static bool choose_best(const struct way_lacks *lacks, enum policy_way *ret_way,
			char ret_why[WAY_TEXT_BYTES])
{
	ret_why[0] = '\0';
	for (int i = 0; i < WAYS; i++) {
		const char *lack = lacks->of[BEST_FIRST[i]];

		if (lack == NULL) {
			if (i == 0)
				snprintf(ret_why, WAY_TEXT_BYTES,
					 "the best of all");
			*ret_way = BEST_FIRST[i];
			return true;
		}
		add(ret_why, "; ", BEST_FIRST[i], lack);
	}
	return false;
}

bool way_choose(enum policy_way wanted, const struct way_lacks *lacks,
		enum policy_way *ret_way, char ret_why[WAY_TEXT_BYTES])
{
	if (wanted == POLICY_WAY_AUTO)
		return choose_best(lacks, ret_way, ret_why);
	ret_why[0] = '\0';
	if (lacks->of[wanted] != NULL) {
		add(ret_why, "", wanted, lacks->of[wanted]);
		return false;
	}
	snprintf(ret_why, WAY_TEXT_BYTES, "as asked for");
	*ret_way = wanted;
	return true;
}
