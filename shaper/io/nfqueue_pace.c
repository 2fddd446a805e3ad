/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vifs whose guest waits as a whole (xen.way: rate).  Nothing of theirs is held
 * here: what should wait goes, and the pump has a token for it, as for one that
 * does.  While there are any the vif is paused, by somebody else; gates, timers
 * and replies are the pump's.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/io/nfqueue_path.h"
#include "shaper/io/vif_debt.h"

enum {
	/* What leaves before the vif is paused, and while it begins again: with
	 * more of it the guest would wait for longer than its gate asks for.
	 * At the trickle of a flood this is a second. */
	OWED_MAX_PKTS = 9,
	VIFS_MAX = 4096,
	UNKNOWN = 0, /* a zone that was not looked up */
	NOT_PACED = 1,
	FIRST = 2, /* of zones[]: its vif is this + its place */
};

struct paced {
	char interface[16];
	uint32_t owed_pkts;
	uint32_t packet_bytes; /* of the last of them */
	bool told;             /* that it owes */
};

struct nfqueue_pace {
	int fd;
	bool untold; /* somebody's turn was not taken */
	uint16_t zones[ZONES_MAX];
	bool holds[ZONES_MAX]; /* packets may wait here */
	size_t count;
	struct paced vifs[VIFS_MAX];
};

int nfqueue_set_pace(struct nfqueue *nfqueue, int fd)
{
	nfqueue->pace = calloc(1, sizeof(*nfqueue->pace));
	if (nfqueue->pace == NULL)
		return -ENOMEM;
	nfqueue->pace->fd = fd;
	return 0;
}

void nfqueue_pace_free(struct nfqueue *nfqueue)
{
	free(nfqueue->pace);
}

static enum policy_way way_of(const struct nfqueue *nfqueue, uint16_t zone)
{
	const struct policy_vif *vif = policy_vif_of(
		nfqueue->config.policy,
		zones_get(nfqueue->config.zones, zone)->interface);

	return vif != NULL ? vif->way : POLICY_WAY_QUEUE;
}

/* From now on what should wait goes, or waits in netback: whoever waits here
 * already goes before. */
void nfqueue_pace_set_policy(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_pace *pace = nfqueue->pace;

	if (pace == NULL)
		return;
	for (uint32_t i = 0; i < ZONES_MAX; i++) {
		const struct pump_guest guest = { .zone = (uint16_t)i };
		enum policy_way way;

		if (!pace->holds[i])
			continue;
		way = way_of(nfqueue, guest.zone);
		if (way != POLICY_WAY_RATE && way != POLICY_WAY_NETBACK)
			continue;
		pace->holds[i] = false;
		pump_let_go_guest(nfqueue->config.pump, &guest, now_ns);
		nfqueue_collect(nfqueue);
	}
	memset(pace->zones, 0, sizeof(pace->zones));
}

/* ------ whose it is */

/* A place that nobody needs any more is taken anew. */
static size_t place_of(struct nfqueue *nfqueue, const char *interface)
{
	struct nfqueue_pace *pace = nfqueue->pace;
	size_t free_at = VIFS_MAX;

	for (size_t i = 0; i < pace->count; i++) {
		struct paced *vif = &pace->vifs[i];

		if (strcmp(vif->interface, interface) == 0)
			return i;
		if (vif->owed_pkts == 0 && !vif->told &&
		    policy_vif_of(nfqueue->config.policy, vif->interface) ==
			    NULL)
			free_at = i;
	}
	if (free_at == VIFS_MAX && pace->count < VIFS_MAX)
		free_at = pace->count++;
	if (free_at < VIFS_MAX)
		pace->vifs[free_at] = (struct paced){ 0 };
	return free_at;
}

static uint16_t look_up(struct nfqueue *nfqueue, uint16_t zone)
{
	const char *interface =
		zones_get(nfqueue->config.zones, zone)->interface;
	struct paced *vif;
	size_t at;

	if (way_of(nfqueue, zone) != POLICY_WAY_RATE)
		return NOT_PACED;
	at = place_of(nfqueue, interface);
	if (at == VIFS_MAX)
		return NOT_PACED;
	vif = &nfqueue->pace->vifs[at];
	snprintf(vif->interface, sizeof(vif->interface), "%s", interface);
	return (uint16_t)(FIRST + at);
}

bool nfqueue_paces(struct nfqueue *nfqueue, const struct pump_packet *packet)
{
	uint16_t *zone;

	if (nfqueue->pace == NULL)
		return false;
	zone = &nfqueue->pace->zones[packet->src_zone];
	if (*zone == UNKNOWN)
		*zone = look_up(nfqueue, packet->src_zone);
	if (*zone == NOT_PACED)
		nfqueue->pace->holds[packet->src_zone] = true;
	return *zone >= FIRST &&
	       policy_is_inside(nfqueue->config.policy, packet->meta.ends.src);
}

/* ------ what it owes */

static void tell(struct nfqueue *nfqueue, struct paced *vif)
{
	struct vif_debt debt = { .engine = nfqueue->config.shard,
				 .owed_pkts = vif->owed_pkts,
				 .packet_bytes = vif->packet_bytes };

	if (vif->told == (vif->owed_pkts > 0))
		return;
	memcpy(debt.interface, vif->interface, sizeof(debt.interface));
	if (send(nfqueue->pace->fd, &debt, sizeof(debt),
		 MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(debt))
		vif->told = vif->owed_pkts > 0;
	else
		nfqueue->pace->untold = true;
}

void nfqueue_pace_owe(struct nfqueue *nfqueue, struct pump_packet *packet,
		      uint64_t now_ns)
{
	size_t at = (size_t)(nfqueue->pace->zones[packet->src_zone] - FIRST);
	struct paced *vif = &nfqueue->pace->vifs[at];
	uint32_t pieces = packet->wire_pkts, owed_pkts = vif->owed_pkts;

	packet->verdict = PUMP_PASS;
	for (; pieces > 0 && vif->owed_pkts < OWED_MAX_PKTS; pieces--) {
		struct pump_packet each = *packet;

		each.id = NFQUEUE_PACE_TICKET | at;
		each.wire_pkts = 1;
		pump_hold(nfqueue->config.pump, &each, 1, now_ns);
		if (each.verdict != PUMP_WAIT)
			break;
		vif->owed_pkts++;
		vif->packet_bytes = ETH_HLEN + packet->meta.length_bytes /
						       packet->wire_pkts;
		/* Not if it may leave by now. */
		nfqueue_collect(nfqueue);
	}
	if (vif->owed_pkts > owed_pkts)
		nfqueue_count(nfqueue, NFQUEUE_paced_owed_pkts,
			      vif->owed_pkts - owed_pkts);
	nfqueue_count(nfqueue, NFQUEUE_paced_beyond_pkts, pieces);
}

void nfqueue_pace_left(struct nfqueue *nfqueue, uint64_t id)
{
	size_t at = (size_t)(id & ~NFQUEUE_PACE_TICKET);

	nfqueue->pace->vifs[at].owed_pkts--;
}

/* At the end of a wake-up: what came and went meanwhile is nobody's matter. */
void nfqueue_pace_tell(struct nfqueue *nfqueue)
{
	struct nfqueue_pace *pace = nfqueue->pace;

	if (pace == NULL)
		return;
	pace->untold = false;
	for (size_t i = 0; i < pace->count; i++)
		tell(nfqueue, &pace->vifs[i]);
}
