/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_VIF_KEYS_H
#define XEN_HOOKS_VIF_KEYS_H

/*
 * What XenStore says of a vif, as values.  Every byte of it is hostile: the
 * guest writes its frontend's keys, and anybody's mistake may stand in the
 * others.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/guests.h"
#include "policy/policy.h"

enum {
	VIFKEYS_VALUE_BYTES = 4096, /* the longest that XenStore carries */
	VIFKEYS_ADDRESSES = 64,
	VIFKEYS_DOMAINS = 32752, /* a domain's id is below */
	VIFKEYS_HANDLES = 65536,
	VIFKEYS_QUEUES = 64,
	VIFKEYS_TEXT_BYTES = 256,
};

/* XenBus: how far one end of a device has come. */
enum xenbus_state {
	XENBUS_UNKNOWN,
	XENBUS_INITIALISING,
	XENBUS_INIT_WAIT,
	XENBUS_INITIALISED,
	XENBUS_CONNECTED,
	XENBUS_CLOSING,
	XENBUS_CLOSED,
	XENBUS_RECONFIGURING,
	XENBUS_RECONFIGURED,
};

struct vifkeys {
	uint32_t domain, handle;
	enum xenbus_state state;
	char interface[16]; /* vif1.0, or what `vifname` says */
	uint8_t mac[6];
	bool has_mac;
	char bridge[16];
	char name[64]; /* the domain's; "": unknown */
	char uuid[37];
	char script[128];  /* that put it on its network; "": none */
	bool is_announced; /* by a hotplug script that waits for the guard */
	bool is_limited;   /* its `rate` was written over (rate_key.h) */
	struct guest_wish wish; /* of the tool stack, for this guest */
	uint16_t queues;
	struct policy_prefix addresses[VIFKEYS_ADDRESSES];
	uint32_t addresses_count; /* 0: any */
};

/* The vif of `backend/vif/DOMAIN/HANDLE`, no key read yet. */
void vifkeys_init(struct vifkeys *keys, uint32_t domain, uint32_t handle);

/*
 * One key's value, of any bytes; it need not end in a zero.  Names that are not
 * known are ignored.  false: the value is wrong, the former one stays, and
 * ret_wrong says what would be right.
 */
bool vifkeys_set(struct vifkeys *keys, const char *name, const void *value,
		 size_t length_bytes, char ret_wrong[VIFKEYS_TEXT_BYTES]);

/* The names that vifkeys_set knows and that stand in the backend's node; ends
 * in NULL. */
extern const char *const vifkeys_backend[];

/* What a guard is made of is alike. */
bool vifkeys_equal(const struct vifkeys *a, const struct vifkeys *b);

/* Another guest's, whose number the former one had before. */
bool vifkeys_is_another(const struct vifkeys *now,
			const struct vifkeys *before);

#define VIFKEYS_DOMAIN "/local/domain/"

/* VIFKEYS_DOMAIN "DOMAIN/name". */
bool vifkeys_parse_name(const char *path, uint32_t *ret_domain);

/* "DOMAIN", and nothing else. */
bool vifkeys_parse_domain(const char *text, uint32_t *ret_domain);

/* "DOMAIN/HANDLE[/...]", as it stands behind ".../backend/vif/". */
bool vifkeys_parse_place(const char *text, uint32_t *ret_domain,
			 uint32_t *ret_handle);

#endif
