/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_FAST_WINDOW_H
#define SHAPER_BPF_FAST_WINDOW_H

/*
 * A key's window in 24 bytes: buckets of W/14, numbered since boot.  The
 * running one and the 14 before it count, sent and heard alike: packets are
 * forgotten up to W/14 late, and an answer never before what it answers.
 *
 * Of those before it each has four bits for what was sent and four for what was
 * heard, the newest lowest, so that a key with few packets is one cache line
 * and turns by a shift.  15 stands for "many": then the bucket stands in the
 * key's history, which is elsewhere, and behind it the sum of all that are
 * older than the running one.  A key with many packets in a bucket has its
 * history in the cache.  Also compiled for BPF.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
	FAST_SPANS = 14,      /* of these make a window */
	FAST_SPAN_SHIFT = 6,  /* spans are kept in 64 ns */
	FAST_HISTORY = 15,    /* buckets; a mask as well; the sum's place */
	FAST_COUNT_BITS = 23, /* of a bucket: 18 of its number, sent, heard */
	FAST_NUMBER_SHIFT = 46,
	FAST_MANY = 15,
	FAST_OLDER_BITS = 56,
	FAST_TURNS = 4, /* tries */
};

#define FAST_COUNT_MOST ((UINT32_C(1) << FAST_COUNT_BITS) - 1)
#define FAST_OLDER_MASK ((UINT64_C(1) << FAST_OLDER_BITS) - 1)

struct fast_window {
	uint64_t running; /* number, sent, heard */
	uint64_t sent;    /* older; above it for how many turns the history is
			   * wanted */
	uint64_t heard;
};

/* The buckets that were many, by their number modulo 15, and the sum. */
struct fast_history {
	uint64_t buckets[FAST_HISTORY + 1];
};

static inline uint32_t fast_span(uint64_t window_ns)
{
	uint64_t span_ns = (window_ns + FAST_SPANS - 1) / FAST_SPANS;

	return (uint32_t)((span_ns + 63) >> FAST_SPAN_SHIFT);
}

/* The clock of the last tick will do for spans of 2^18 times 64 ns, 17 ms, and
 * more: a bucket is late by at most a tick. */
enum { FAST_COARSE_SPAN_64NS = 1 << 18 };

/* The bucket of `now_ns`; `span_64ns` is not 0. */
static inline uint64_t fast_number(uint32_t span_64ns, uint64_t now_ns)
{
	return (now_ns >> FAST_SPAN_SHIFT) / span_64ns;
}

static inline uint64_t fast_bucket(uint64_t number, uint32_t sent,
				   uint32_t heard)
{
	return number << FAST_NUMBER_SHIFT | (uint64_t)sent << FAST_COUNT_BITS |
	       heard;
}

static inline uint32_t fast_bucket_sent(uint64_t bucket)
{
	return (uint32_t)(bucket >> FAST_COUNT_BITS) & FAST_COUNT_MOST;
}

static inline uint32_t fast_bucket_heard(uint64_t bucket)
{
	return (uint32_t)bucket & FAST_COUNT_MOST;
}

/* How many buckets ago; 0: that of `number`; below 0: it is yet to come, as
 * another processor has it. */
static inline int32_t fast_bucket_age(uint64_t bucket, uint64_t number)
{
	const uint32_t unused = 32 - (64 - FAST_NUMBER_SHIFT);
	uint32_t age = (uint32_t)(number - (bucket >> FAST_NUMBER_SHIFT));

	return (int32_t)(age << unused) >> unused;
}

static inline uint64_t fast_read(const uint64_t *word)
{
	return *(const volatile uint64_t *)word;
}

static inline void fast_write(uint64_t *word, uint64_t value)
{
	*(volatile uint64_t *)word = value;
}

static inline uint64_t *fast_history_at(struct fast_history *history,
					uint64_t at)
{
	/* BPF's verifier does not see the bound, and the compiler sees no need
	 * for a mask. */
	__asm__ volatile("" : "+r"(at));
	return &history->buckets[at & FAST_HISTORY];
}

/* Does it need its history, too? */
static inline bool fast_wants_history(const struct fast_window *window)
{
	return fast_read(&window->sent) >> FAST_OLDER_BITS != 0;
}

/* 14 times four bits. */
static inline uint32_t fast_older_sum(uint64_t older)
{
	const uint64_t every_other = UINT64_C(0x0f0f0f0f0f0f0f0f);

	older &= FAST_OLDER_MASK;
	older = (older & every_other) + (older >> 4 & every_other);
	return (uint32_t)(older * UINT64_C(0x0101010101010101) >> 56);
}

/* The bucket that is `age` old, 1 to 14. */
static inline uint64_t fast_older(const struct fast_window *window,
				  struct fast_history *history, uint64_t number,
				  uint32_t age)
{
	uint32_t at = 4 * (age - 1);
	uint32_t sent = (uint32_t)(fast_read(&window->sent) >> at) & FAST_MANY;
	uint32_t heard = (uint32_t)(fast_read(&window->heard) >> at) &
			 FAST_MANY;
	uint64_t bucket;

	if (sent != FAST_MANY && heard != FAST_MANY)
		return fast_bucket(number - age, sent, heard);
	bucket = fast_read(
		fast_history_at(history, (number - age) % FAST_HISTORY));
	return fast_bucket_age(bucket, number) == (int32_t)age ? bucket : 0;
}

static inline void fast_sum_up(const struct fast_window *window,
			       struct fast_history *history, uint64_t number)
{
	uint64_t sent = 0, heard = 0;

	for (uint32_t age = 1; age <= FAST_SPANS; age++) {
		uint64_t bucket = fast_older(window, history, number, age);

		sent += fast_bucket_sent(bucket);
		heard += fast_bucket_heard(bucket);
	}
	fast_write(fast_history_at(history, FAST_HISTORY), sent << 32 | heard);
}

static inline uint64_t fast_shifted(uint64_t older, uint32_t age,
				    uint64_t newest)
{
	return (older << 4 * age | newest << 4 * (age - 1)) & FAST_OLDER_MASK;
}

/* What was the running bucket, `age` ago, becomes an older one. */
static inline void fast_push(struct fast_window *window,
			     struct fast_history *history, uint64_t bucket,
			     uint64_t number, uint32_t age)
{
	uint64_t sent = fast_bucket_sent(bucket);
	uint64_t heard = fast_bucket_heard(bucket);
	uint64_t turns = fast_read(&window->sent) >> FAST_OLDER_BITS;

	if (age > FAST_SPANS) {
		fast_write(&window->sent, 0);
		fast_write(&window->heard, 0);
		return;
	}
	turns = turns > age ? turns - age : 0;
	if (sent >= FAST_MANY || heard >= FAST_MANY) {
		turns = FAST_SPANS + 1 - age;
		fast_write(fast_history_at(history,
					   (number - age) % FAST_HISTORY),
			   bucket);
	}
	sent = sent < FAST_MANY ? sent : FAST_MANY;
	heard = heard < FAST_MANY ? heard : FAST_MANY;
	fast_write(&window->sent, fast_shifted(window->sent, age, sent) |
					  turns << FAST_OLDER_BITS);
	fast_write(&window->heard, fast_shifted(window->heard, age, heard));
	if (turns > 0)
		fast_sum_up(window, history, number);
}

/* Another processor's clock may be ahead, by less than a window.  What is from
 * hours ago, or all-zero, may look as if it was yet to come, too: of a number
 * there are 18 bits. */
static inline bool fast_age_is_behind(int32_t age)
{
	return age > 0 || age < -FAST_SPANS;
}

/* Is `number`'s bucket not the running one yet? */
static inline bool fast_is_behind(const struct fast_window *window,
				  uint64_t number)
{
	return fast_age_is_behind(
		fast_bucket_age(fast_read(&window->running), number));
}

/* Several processors may do so at once: one of them turns it.  The bucket that
 * was running, or 0. */
static inline uint64_t fast_turn(struct fast_window *window,
				 struct fast_history *history, uint64_t number)
{
	for (uint32_t i = 0; i < FAST_TURNS; i++) {
		uint64_t old = fast_read(&window->running);
		int32_t age = fast_bucket_age(old, number);

		if (!fast_age_is_behind(age))
			return 0;
		if (__sync_val_compare_and_swap(&window->running, old,
						fast_bucket(number, 0, 0)) !=
		    old)
			continue;
		fast_push(window, history, old, number, (uint32_t)age);
		return old;
	}
	return 0;
}

/* All that is in the window, which has turned. */
static inline void fast_sums(const struct fast_window *window,
			     struct fast_history *history, uint32_t *ret_sent,
			     uint32_t *ret_heard)
{
	uint64_t running = fast_read(&window->running), sum;

	*ret_sent = fast_bucket_sent(running);
	*ret_heard = fast_bucket_heard(running);
	if (history && fast_wants_history(window)) {
		sum = fast_read(fast_history_at(history, FAST_HISTORY));
		*ret_sent += (uint32_t)(sum >> 32);
		*ret_heard += (uint32_t)sum;
		return;
	}
	*ret_sent += fast_older_sum(fast_read(&window->sent));
	*ret_heard += fast_older_sum(fast_read(&window->heard));
}

/* To the running bucket; one that is nearly full counts no more. */
static inline void fast_add(struct fast_window *window, uint32_t sent,
			    uint32_t heard)
{
	uint64_t running = fast_read(&window->running);
	const uint64_t full = FAST_COUNT_MOST / 16 * 15;

	if (fast_bucket_sent(running) + (uint64_t)sent < full &&
	    fast_bucket_heard(running) + (uint64_t)heard < full)
		__sync_fetch_and_add(&window->running,
				     (uint64_t)sent << FAST_COUNT_BITS | heard);
}

#endif
