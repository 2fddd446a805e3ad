/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_PASSAGE_H
#define SHAPER_DAEMON_PASSAGE_H

/*
 * A guest's keys out of all engines, and into them.  What is asked for is done
 * in turn, a few at a time, so that hundreds of guests that leave at once
 * neither fill the engines' mailboxes nor are left out.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "shaper/daemon/memory.h"

struct mailbox;
struct passage;

enum { PASSAGE_ADDRESSES = 64 };

/* The zone of its own interface is written as "": where it comes to, that
 * interface, and a group of the policy that it is in, may have other names. */
struct passage_guest {
	char interface[16]; /* "": none is its own */
	struct policy_prefix addresses[PASSAGE_ADDRESSES];
	uint32_t count; /* 0: all that lives behind its interface */
};

enum passage_how {
	PASSAGE_LOOK,  /* it stays */
	PASSAGE_LEAVE, /* what it holds is let go, and nothing kept of it */
};

struct passage_keys {
	struct memory_record *keys; /* borrowed for the call */
	size_t count;
	uint64_t released_pkts;
	bool is_cut;  /* an engine has ended, or there was no memory */
	bool is_full; /* there were more keys than asked for */
};

/* Who else has keys of guests, and is asked at once: the guard inside of
 * netback. */
struct passage_elsewhere {
	/* Of this guest, as passage_take has them: at most `max`. */
	size_t (*look)(void *self, const struct passage_guest *guest,
		       struct memory_record *ret_keys, size_t max);
	/* false: it is the engines'. */
	bool (*give)(void *self, const struct passage_guest *guest,
		     const struct memory_record *key);
	void *self;
};

/* NULL: out of memory. */
struct passage *passage_new(struct mailbox *const *mailboxes, size_t count);
/* After the mailboxes are freed.  What was not done yet is given back as cut.
 * NULL is fine. */
void passage_free(struct passage *passage);

/* Before the first of what follows; the callbacks must stay. */
void passage_set_elsewhere(struct passage *passage,
			   const struct passage_elsewhere *elsewhere);

/* From now on nothing is begun any more: before the mailboxes are freed. */
void passage_stop(struct passage *passage);

/* Once a second: others may have filled the mailboxes. */
void passage_advance(struct passage *passage);

/* At most `keys_max` keys, those that are held back first.  on_taken is called
 * once, perhaps at once. */
void passage_take(struct passage *passage, const struct passage_guest *guest,
		  enum passage_how how, size_t keys_max,
		  void (*on_taken)(void *self,
				   const struct passage_keys *taken),
		  void *self);

/* To be expected until `until_ns`.  on_given is called once, perhaps at once,
 * with how many of them were taken up; NULL is fine. */
void passage_give(struct passage *passage, const struct passage_guest *guest,
		  const struct memory_record *keys, size_t count,
		  uint64_t until_ns, void (*on_given)(void *self, size_t taken),
		  void *self);

#endif
