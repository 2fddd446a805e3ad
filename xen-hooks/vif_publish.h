/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_VIF_PUBLISH_H
#define XEN_HOOKS_VIF_PUBLISH_H

/*
 * What becomes of each vif, told in XenStore: symtap/vif/DOMAIN/HANDLE/ below
 * our own domain's home.
 *
 *	state	attaching, active, held, off, draining
 *	S	of its busiest key, "2.58"
 *	held	packets that wait
 *	since	when that began, in seconds since 1970; "0": nothing waits
 *	way	where its packets wait
 *	wrong	what is wrong with its keys, or why it is not guarded; ""
 *
 * The guest may read its own state, S, held and since, and nothing else: no
 * other domain's, nor the names of what there is.  A vif is written at most
 * once a second, and only what changed.
 */

#include <stdbool.h>
#include <stdint.h>

struct store;
struct vifpublish;

enum {
	VIFPUBLISH_TEXT_BYTES = 256,
	VIFPUBLISH_AT_ONCE = 4, /* vifs written by one vifpublish_advance */
};

struct vif_figures {     /* all-zero: nothing waits */
	int32_t s_centi; /* S, times 100 */
	uint32_t held_pkts;
	uint64_t since_s;  /* wall time; 0: nothing waits */
	bool is_unguarded; /* by the policy */
	char way[16];
};

struct vifpublish_stats {
	uint64_t writes;
	uint64_t failed; /* XenStore refused */
};

/* NULL: out of memory. */
struct vifpublish *vifpublish_new(void);
void vifpublish_free(struct vifpublish *publish);

/* What is to be told of it from now on.  false: out of memory. */
bool vifpublish_state(struct vifpublish *publish, uint32_t domain,
		      uint32_t handle, const char *state, const char *wrong);
/* Of a vif that has a state; others are ignored. */
void vifpublish_figures(struct vifpublish *publish, uint32_t domain,
			uint32_t handle, const struct vif_figures *figures);
/* It is no more: its nodes are removed. */
void vifpublish_forget(struct vifpublish *publish, uint32_t domain,
		       uint32_t handle);

/* There is a connection (again): what an earlier life left is removed first,
 * then everything written anew. */
void vifpublish_begin(struct vifpublish *publish);

/*
 * Write what is to be written.  0; -ENOTCONN; or another -errno, once after
 * vifpublish_begin: XenStore lets us write nothing, which is tried again every
 * ten seconds, since a driver domain's folder comes after the domain.
 */
int vifpublish_advance(struct vifpublish *publish, struct store *store,
		       uint64_t now_ns);
/* When there is something to be written; UINT64_MAX: nothing. */
uint64_t vifpublish_next_ns(const struct vifpublish *publish);

const struct vifpublish_stats *
vifpublish_stats(const struct vifpublish *publish);

#endif
