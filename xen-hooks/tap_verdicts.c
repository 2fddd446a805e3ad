/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_verdicts.h"

#include "xen-hooks/tap_wire.h"

bool tapverdicts_add(struct tapverdicts *verdicts, uint64_t id,
		     enum tap_verdict verdict, uint32_t lease_pkts)
{
	size_t at = (verdicts->from + verdicts->count) % TAPVERDICTS_MAX;

	if (verdicts->count == TAPVERDICTS_MAX)
		return false;
	verdicts->waiting[at].id = id;
	verdicts->waiting[at].verdict = verdict;
	verdicts->waiting[at].lease_pkts = lease_pkts;
	verdicts->count++;
	return true;
}

bool tapverdicts_send(struct tapverdicts *verdicts, const struct tapwire *wire)
{
	bool any = false;

	for (; verdicts->count > 0; verdicts->count--) {
		size_t at = verdicts->from;
		const struct tapmessage message = {
			.kind = TAPMESSAGE_VERDICT,
			.verdict = {
				.id = verdicts->waiting[at].id,
				.verdict = verdicts->waiting[at].verdict,
				.lease_pkts = verdicts->waiting[at].lease_pkts,
			},
		};

		if (tapwire_say(wire, &message) < 0)
			break;
		any = true;
		verdicts->from = (at + 1) % TAPVERDICTS_MAX;
	}
	return any;
}
