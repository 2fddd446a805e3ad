/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/contacts.h"

#define NS_PER_S UINT64_C(1000000000)

/* How long the reserve takes to get one more. */
static uint64_t refill_ns(uint32_t pace)
{
	return NS_PER_S * 16 / (15 * (uint64_t)pace);
}

static bool has_reserve(const struct contacts *contacts)
{
	return contacts->answered >= CONTACTS_ANSWERS_MIN &&
	       contacts->answered * CONTACTS_PER_ANSWER_MAX >= contacts->made;
}

/* From when on there is one in the reserve. */
static uint64_t reserve_ns(const struct contacts *contacts, uint32_t pace)
{
	uint64_t empties_ns = (CONTACTS_RESERVE - 1) * refill_ns(pace);

	return contacts->full_ns > empties_ns ? contacts->full_ns - empties_ns
					      : 0;
}

bool contacts_allow(struct contacts *contacts, uint32_t pace, uint64_t now_ns)
{
	return pacer_allows(&contacts->unanswered, pace, now_ns) ||
	       (has_reserve(contacts) && reserve_ns(contacts, pace) <= now_ns);
}

uint64_t contacts_next_ns(struct contacts *contacts, uint32_t pace,
			  uint64_t now_ns)
{
	uint64_t next_ns = pacer_next_ns(&contacts->unanswered, pace, now_ns);
	uint64_t from_ns = reserve_ns(contacts, pace);

	if (has_reserve(contacts) && from_ns < next_ns)
		next_ns = from_ns > now_ns ? from_ns : now_ns;
	return next_ns;
}

void contacts_count(struct contacts *contacts, uint32_t pace, uint64_t now_ns)
{
	/* A debt, too: those that the pace alone let out. */
	uint64_t deepest_ns =
		now_ns + (CONTACTS_RESERVE + (uint64_t)pace) * refill_ns(pace);

	pacer_count(&contacts->unanswered, 1, now_ns);
	if (contacts->full_ns < now_ns)
		contacts->full_ns = now_ns;
	contacts->full_ns += refill_ns(pace);
	if (contacts->full_ns > deepest_ns)
		contacts->full_ns = deepest_ns;
	if (++contacts->made == CONTACTS_REMEMBERED) {
		contacts->made /= 2;
		contacts->answered /= 2;
	}
}

void contacts_answer(struct contacts *contacts, uint32_t pace, uint64_t left_ns,
		     uint64_t now_ns)
{
	pacer_give_back(&contacts->unanswered, left_ns, now_ns);
	if (contacts->full_ns > now_ns)
		contacts->full_ns -= refill_ns(pace);
	if (contacts->answered < contacts->made)
		contacts->answered++;
}

bool contacts_are_idle(struct contacts *contacts, uint64_t now_ns)
{
	return contacts->full_ns <= now_ns &&
	       pacer_is_idle(&contacts->unanswered, now_ns);
}
