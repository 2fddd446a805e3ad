/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_TRAVEL_H
#define SHAPER_DAEMON_TRAVEL_H

/*
 * Guests that come and go.  What is known of one that leaves is remembered
 * under its uuid, and given to its keys when a vif of that uuid appears; the
 * same is told to, and taken from, an operator who moves it between hosts.
 * Time stands still for a guest that is away.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/daemon/passage.h"
#include "shaper/daemon/remembered.h"

struct mailbox;
struct request;
struct travel;

enum { TRAVEL_EXPORT_KEYS = 4096 };

/* One vif of a guest. */
struct travel_vif {
	uint32_t domain, handle;
	char uuid[STATE_UUID_BYTES]; /* "": it has none, and is forgotten */
	struct passage_guest guest;
};

/* NULL: out of memory. */
struct travel *travel_new(struct mailbox *const *mailboxes, size_t count);
/* Before the mailboxes are freed. */
void travel_stop(struct travel *travel);
/* After the mailboxes are freed.  NULL is fine. */
void travel_free(struct travel *travel);

/* Remember what stands beside the state file, and keep it there; "": nowhere.
 * Logs what is wrong with it. */
void travel_begin(struct travel *travel, const char *state_file,
		  uint64_t now_ns);

/* It is there, perhaps known already and only with other addresses. */
void travel_arrive(struct travel *travel, const struct travel_vif *vif,
		   uint64_t now_ns);

/* Some are here that may leave and come again. */
bool travel_has_guests(const struct travel *travel);

/* These keys of anybody are held back now. */
void travel_note(struct travel *travel, const struct memory_record *records,
		 size_t count, uint64_t now_ns);

/* It goes: what it holds is let go at once.  on_done is called when its keys
 * are remembered, and is not needed. */
void travel_depart(struct travel *travel, const struct travel_vif *vif,
		   void (*on_done)(void *self, uint64_t released_pkts),
		   void *self);

/* Its packets are counted elsewhere from now on: its keys, which the engines
 * and who is set below forget. */
void travel_take(struct travel *travel, const struct travel_vif *vif,
		 void (*on_taken)(void *self, const struct passage_keys *taken),
		 void *self);
/* And they have them again. */
void travel_return(struct travel *travel, const struct travel_vif *vif,
		   const struct memory_record *keys, size_t count,
		   uint64_t now_ns);
/* The same of what was held back lately: who counted them is gone. */
void travel_recall(struct travel *travel, const struct travel_vif *vif,
		   uint64_t now_ns);
/* It stays, and we end: its keys are remembered as if it left. */
void travel_remember(struct travel *travel, const struct travel_vif *vif,
		     const struct memory_record *keys, size_t count,
		     uint64_t now_ns);

/* Who counts some guests' packets in the engines' place. */
void travel_set_elsewhere(struct travel *travel,
			  const struct passage_elsewhere *elsewhere);

/* Once a second: forget, and write what changed. */
void travel_advance(struct travel *travel, uint64_t now_ns);

/* REQUEST_EXPORT or REQUEST_IMPORT.  on_answer is called once, perhaps at
 * once, with the answer's line, which it is to free; NULL: out of memory. */
void travel_ask(struct travel *travel, const struct request *request,
		void (*on_answer)(void *self, uint64_t token, char *line),
		void *self, uint64_t token, uint64_t now_ns);

#endif
