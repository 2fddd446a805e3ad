/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_VIF_LOOK_H
#define XEN_HOOKS_VIF_LOOK_H

/* All that XenStore says of one vif, read at once. */

#include <stdbool.h>
#include <stdint.h>

#include "xen-hooks/vif_keys.h"

struct store;

/*
 * Here the tool stack keeps what it wants for one guest, under its UUID or its
 * domain's number; one that somebody else could have written is ignored.  It
 * is domain 0's own home: no guest is ever given a part of it, as one is of
 * /local/domain/N and /vm/UUID.
 */
#define VIFLOOK_HOME   "/local/domain/0/symtap"
#define VIFLOOK_POLICY VIFLOOK_HOME "/policy"

struct viflook {
	struct vifkeys keys;
	bool there;
	bool wrong;      /* a key of the tool stack's: half a guard is none */
	uint32_t wrongs; /* values that were */
	char why[VIFKEYS_TEXT_BYTES]; /* what is, or why a policy is ignored */
};

/* Is there a policy of any guest, maybe?  false: the connection is lost. */
bool viflook_policies(struct store *store, bool *ret_any);

/* `policies`: look for one of this guest as well.  false: the connection is
 * lost. */
bool viflook_read(struct store *store, uint32_t domain, uint32_t handle,
		  bool policies, struct viflook *ret_look);

#endif
