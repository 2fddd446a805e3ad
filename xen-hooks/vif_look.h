/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_VIF_LOOK_H
#define XEN_HOOKS_VIF_LOOK_H

/* All that XenStore says of some vifs, read at once. */

#include <stdbool.h>
#include <stddef.h>
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
	struct vifkeys keys; /* its place is the caller's; see vifkeys_init */
	int error; /* -errno: XenStore does not say, now; 0: what follows */
	bool there;
	bool wrong;      /* a key of the tool stack's: half a guard is none */
	uint32_t wrongs; /* values that were */
	char why[VIFKEYS_TEXT_BYTES]; /* what is, or why a policy is ignored */
};

/* Is there a policy of any guest, maybe?  0, or -errno: look again. */
int viflook_policies(struct store *store, bool *ret_any);

/*
 * `policies`: look for one of each guest as well.  xenstored hears each of its
 * connections once in a turn, and with many domains a turn is long: about many
 * vifs a few more connections ask, as long as this lasts.
 */
void viflook_read(struct store *store, bool policies, struct viflook *looks,
		  size_t count);

#endif
