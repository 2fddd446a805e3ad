/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIF_PROCESS_H
#define SHAPER_DAEMON_VIF_PROCESS_H

/*
 * XenStore is followed by a process of its own: it stays root, which the socket
 * of xenstored asks for, without any capability, and may wait for xenstored as
 * long as it takes.  It says what is to be done, symtapd says what was done,
 * each in one datagram.  It ends with its parent.
 */

#include <stdint.h>

#include "xen-hooks/vif_publish.h"
#include "xen-hooks/vif_watch.h"

struct vif_order {              /* to symtapd */
	enum vif_action action; /* NOTHING: this is how it is now */
	struct vifkeys keys;
	enum vif_state state; /* ABSENT: it is forgotten */
	char wrong[VIFKEYS_TEXT_BYTES];
	bool is_of_slots; /* says these alone, of keys.domain, keys.handle */
	int32_t slots;
	bool has_looked; /* says this alone, once: all orders about who is
			  * there already have been given, or nobody answers */
};

enum vif_report_kind {
	VIF_REPORT_DONE,    /* of an order: event and wrong */
	VIF_REPORT_FIGURES, /* for XenStore */
};

struct vif_report { /* and back */
	enum vif_report_kind kind;
	uint32_t domain, handle;
	enum vif_event event; /* GUARDED, REFUSED or DRAINED */
	bool announce;        /* GUARDED: its addresses, if it is new */
	char wrong[VIFKEYS_TEXT_BYTES];
	struct vif_figures figures;
	char interface[16]; /* FIGURES: whose slots are wanted in return */
	uint16_t queues;
};

/* Before privileges are dropped and before any thread.  The socket, or -errno;
 * -EOPNOTSUPP: symtapd was built without libxenstore.  ret_pace_fd: another,
 * for struct vif_debt, by any thread. */
int vif_process_start(int *ret_pace_fd);

#endif
