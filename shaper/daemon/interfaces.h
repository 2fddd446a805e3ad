/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_INTERFACES_H
#define SHAPER_DAEMON_INTERFACES_H

#include <stdbool.h>

#include <stddef.h>

struct policy;
struct policy_vif;
struct status;

enum { INTERFACES_NAME_BYTES = 16 };

enum interfaces_kind {
	INTERFACE_WIRE, /* a card, a VLAN on it, anything else */
	INTERFACE_VETH, /* the sender is a socket of this machine's kernel */
	INTERFACE_TAP,  /* the sender is a program of this machine, or a VM */
};

/*
 * Does a withheld verdict make the sender wait, or does the kernel only keep
 * the packet for longer?  The sender's memory stays charged where a pure
 * bridge (no br_netfilter: nft's own queue expression) hands on the very
 * packet that a socket or TAP of this machine wrote; everywhere else the
 * packet was released from its sender before we saw it.
 */
bool interfaces_push_back(bool bridged, const char *method,
			  enum interfaces_kind kind);

/* The same of what a vif's guest sends.  Of small packets it is true in the
 * ways rate and netback only: else netback has answered for them already. */
bool interfaces_guest_waits(const struct policy_vif *vif, bool bridged,
			    const char *method);

/*
 * Renew status->interfaces: all of this machine but the loopback, up to
 * STATUS_INTERFACES_MAX.  Guarded are those that the policy names, and those
 * with an address of the inside.  What cannot be read is left out.
 */
void interfaces_renew(struct status *status);

/*
 * The guarded ones that are Ethernet, of status->interfaces: those that the
 * policy names, and those with an address of the inside.  Up to `max` of them;
 * how many.
 */
size_t interfaces_guarded(const struct policy *policy,
			  char (*ret_names)[INTERFACES_NAME_BYTES], size_t max);

bool interfaces_is_ethernet(const char *interface);

#endif
