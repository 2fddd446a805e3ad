/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where symtapd was built without the fast path: there never is one, so what
 * needs one is not called. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shaper/io/fast.h"
#include "shaper/io/fast_left.h"
#include "shaper/io/fast_pin.h"
#include "shaper/io/fast_program.h"

int fast_new(const struct fast_options *options, struct fast **ret_fast,
	     char ret_wrong[FAST_TEXT_BYTES])
{
	(void)options;
	(void)ret_fast;
	snprintf(ret_wrong, FAST_TEXT_BYTES, "it was built without");
	return -EOPNOTSUPP;
}

void fast_free(struct fast *fast)
{
	(void)fast;
}

int fast_open(const struct fast_options *options, const struct fast_fds *fds,
	      struct fast **ret_fast)
{
	(void)options;
	(void)fds;
	(void)ret_fast;
	return -EOPNOTSUPP;
}

void fast_set_name(struct fast *fast, size_t at, const char *name)
{
	(void)fast;
	(void)at;
	(void)name;
	abort();
}

const char *fast_name(const struct fast *fast, size_t at)
{
	(void)fast;
	(void)at;
	abort();
}

bool fast_is_attached(const struct fast *fast)
{
	(void)fast;
	abort();
}

void fast_set_ifindex(struct fast *fast, size_t at, uint32_t ifindex)
{
	(void)fast;
	(void)at;
	(void)ifindex;
	abort();
}

uint32_t fast_ifindex(const struct fast *fast, size_t at)
{
	(void)fast;
	(void)at;
	abort();
}

void fast_set_direct(struct fast *fast, size_t at, uint32_t bridge)
{
	(void)fast;
	(void)at;
	(void)bridge;
	abort();
}

void fast_set_uplink(struct fast *fast, size_t at,
		     const struct fast_port *uplink)
{
	(void)fast;
	(void)at;
	(void)uplink;
	abort();
}

void fast_set_direct_until(struct fast *fast, uint64_t until_ns)
{
	(void)fast;
	(void)until_ns;
	abort();
}

void fast_set_links(struct fast *fast, bool links)
{
	(void)fast;
	(void)links;
}

void fast_set_bridge(struct fast *fast, bool bridge)
{
	(void)fast;
	(void)bridge;
	abort();
}

void fast_set_consent(struct fast *fast, bool consent)
{
	(void)fast;
	(void)consent;
	abort();
}

void fast_set_zone(struct fast *fast, size_t at, uint16_t zone)
{
	(void)fast;
	(void)at;
	(void)zone;
	abort();
}

uint16_t fast_zone(const struct fast *fast, size_t at)
{
	(void)fast;
	(void)at;
	abort();
}

bool fast_zone_of(const struct fast *fast, uint32_t ifindex, uint16_t *ret_zone)
{
	(void)fast;
	(void)ifindex;
	(void)ret_zone;
	abort();
}

struct fast_slot *fast_slots(const struct fast *fast, uint32_t *ret_count)
{
	(void)fast;
	(void)ret_count;
	abort();
}

uint32_t *fast_taken(struct fast *fast)
{
	(void)fast;
	abort();
}

void fast_hash_key(const struct fast *fast, uint64_t *ret_k0, uint64_t *ret_k1)
{
	(void)fast;
	(void)ret_k0;
	(void)ret_k1;
	abort();
}

struct hold_memory *fast_hold(const struct fast *fast)
{
	(void)fast;
	abort();
}

struct edt_memory *fast_edt(const struct fast *fast)
{
	(void)fast;
	abort();
}

uint32_t fast_mark(const struct fast *fast, uint32_t skb_mark)
{
	(void)fast;
	(void)skb_mark;
	abort();
}

int fast_fd(const struct fast *fast)
{
	(void)fast;
	abort();
}

size_t fast_receive(struct fast *fast,
		    void (*on_event)(void *self, const struct fast_event *),
		    void *self)
{
	(void)fast;
	(void)on_event;
	(void)self;
	abort();
}

void fast_count(const struct fast *fast, struct fast_counts *ret_counts)
{
	(void)fast;
	(void)ret_counts;
	abort();
}

/* ------ the loader's */

int fastprogram_new(const struct fast_options *options,
		    struct fastprogram **ret_program,
		    char ret_wrong[FAST_TEXT_BYTES])
{
	(void)options;
	(void)ret_program;
	snprintf(ret_wrong, FAST_TEXT_BYTES, "it was built without");
	return -EOPNOTSUPP;
}

int fastprogram_load(struct fastprogram *program,
		     char ret_wrong[FAST_TEXT_BYTES])
{
	(void)program;
	(void)ret_wrong;
	abort();
}

void fastprogram_free(struct fastprogram *program)
{
	(void)program;
}

void fastprogram_fds(const struct fastprogram *program,
		     struct fast_fds *ret_fds)
{
	(void)program;
	(void)ret_fds;
	abort();
}

int fastprogram_attach(struct fastprogram *program, uint32_t ifindex,
		       char ret_wrong[FAST_TEXT_BYTES])
{
	(void)program;
	(void)ifindex;
	(void)ret_wrong;
	abort();
}

bool fastprogram_is_attached(const struct fastprogram *program,
			     uint32_t ifindex)
{
	(void)program;
	(void)ifindex;
	abort();
}

bool fastprogram_is_complete(const struct fastprogram *program)
{
	(void)program;
	abort();
}

const char *fastprogram_way(const struct fastprogram *program, uint32_t ifindex)
{
	(void)program;
	(void)ifindex;
	abort();
}

void fastprogram_detach(struct fastprogram *program, uint32_t ifindex)
{
	(void)program;
	(void)ifindex;
	abort();
}

void fastpin_init(struct fastpin *pin)
{
	pin->folder = -1;
}

void fastpin_take(struct fastpin *pin, const char *folder,
		  const struct fastpin_owner *owner, const struct fast_fds *fds,
		  struct fastpin_left *ret_left,
		  char ret_text[FASTPIN_TEXT_BYTES])
{
	(void)pin;
	(void)folder;
	(void)owner;
	(void)fds;
	(void)ret_left;
	(void)ret_text;
	abort();
}

void fastpin_put(struct fastpin *pin)
{
	(void)pin;
}

void fastpin_left_close(struct fastpin_left *left)
{
	(void)left;
}

void fastpin_remove(struct fastpin *pin)
{
	(void)pin;
}

const char *fastleft_open(struct fastleft *left, int slots_fd, int memory_fd,
			  uint32_t slots_count)
{
	(void)left;
	(void)slots_fd;
	(void)memory_fd;
	(void)slots_count;
	abort();
}

void fastleft_close(struct fastleft *left)
{
	(void)left;
	abort();
}

bool fastleft_next(struct fastleft *left, struct pump_lease *ret_lease,
		   uint32_t *ret_ifindex, uint64_t now_ns)
{
	(void)left;
	(void)ret_lease;
	(void)ret_ifindex;
	(void)now_ns;
	abort();
}
