/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vifs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/policy.h"
#include "shaper/daemon/daemon.h"
#include "shaper/daemon/engines.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/reload.h"
#include "shaper/daemon/travel.h"
#include "shaper/daemon/vif_netback.h"
#include "shaper/daemon/vif_poll.h"
#include "shaper/daemon/vif_process.h"
#include "shaper/daemon/vif_table.h"
#include "shaper/daemon/vif_ways.h"
#include "shaper/io/clock.h"

enum { ORDERS_AT_ONCE = 1024 };

struct vif {
	struct vifkeys keys;
	bool leaving;
	struct letting_go *going; /* leaving; NULL: out of memory */
	bool waits;               /* the process is to hear of it */
	bool applied;      /* the policy that is being taken over has it */
	bool refused;      /* the way that was asked for cannot be had */
	bool cannot_stamp; /* nor the MAC be written */
	bool in_netback;   /* is to be guarded there */
	struct waynetback_settings netback;
	bool asks_ring;
	const char *ring_lacks; /* when its way was chosen */
	enum policy_way way;
	char why[WAY_TEXT_BYTES];  /* that way, or none */
	char told[WAY_TEXT_BYTES]; /* logged last */
};

struct vifs {
	struct daemon *daemon;
	int fd;
	int pace_fd; /* whoever can pause vifs; engines write there */
	struct vif *list;
	size_t count, room;
	struct waynetback *netback; /* NULL: it cannot be asked */
	struct viftable *table;     /* also of those that are not guarded */
	struct vifpoll *poll;
};

/* One that leaves. */
struct letting_go {
	struct vifs *vifs;
	struct vifkeys keys;
	size_t departures; /* under way */
	uint64_t released_pkts;
};

/* ------ how the guests do */

static bool figures_equal(const struct vif_figures *a,
			  const struct vif_figures *b)
{
	return a->s_centi == b->s_centi && a->held_pkts == b->held_pkts &&
	       a->since_s == b->since_s && a->is_unguarded == b->is_unguarded &&
	       strcmp(a->way, b->way) == 0;
}

/* Who has no room for it now is told in a second. */
static void tell_figures(const struct vifs *vifs, struct viftable_row *row)
{
	struct vif_report word;

	if (row->is_told && figures_equal(&row->told, &row->figures) &&
	    row->figures.since_s == 0 && row->slots <= 0)
		return;
	memset(&word, 0, sizeof(word));
	word.kind = VIF_REPORT_FIGURES;
	word.domain = row->keys.domain;
	word.handle = row->keys.handle;
	word.figures = row->figures;
	memcpy(word.interface, row->keys.interface, sizeof(word.interface));
	word.queues = row->keys.queues;
	if (send(vifs->fd, &word, sizeof(word), MSG_NOSIGNAL | MSG_DONTWAIT) <
	    0)
		return;
	row->told = row->figures;
	row->is_told = true;
}

/* No engine knows what waits inside of netback. */
static void add_netback(const struct vifs *vifs)
{
	uint64_t counters[WAYNETBACK_COUNTERS];

	for (size_t i = 0; i < vifs->count; i++) {
		const struct vif *vif = &vifs->list[i];
		const char *interface = vif->keys.interface;

		if (vif->in_netback &&
		    waynetback_counters(vifs->netback, interface, counters) ==
			    0)
			viftable_add(vifs->table, interface, 0,
				     (uint32_t)waynetback_waiting(counters), 0);
	}
}

static void on_figures(void *self)
{
	const struct vifs *vifs = self;

	add_netback(vifs);
	for (size_t i = 0; vifs->fd >= 0 && i < viftable_count(vifs->table);
	     i++) {
		struct viftable_row *row = viftable_at(vifs->table, i);

		if (row->state == VIF_ACTIVE)
			tell_figures(vifs, row);
	}
}

void vifs_measure(struct vifs *vifs, uint64_t wall_ns, uint64_t now_ns)
{
	if (vifs != NULL && vifpoll_start(vifs->poll, wall_ns, now_ns) < 0)
		log_debug(0, "xen: the engines are slow to answer");
}

const struct viftable *vifs_table(const struct vifs *vifs)
{
	return vifs->table;
}

/* ------ life */

int vifs_new(struct daemon *daemon, struct vifs **ret_vifs)
{
	struct vifs *vifs = calloc(1, sizeof(*vifs));
	int error = -ENOMEM;

	if (vifs == NULL)
		return -ENOMEM;
	vifs->daemon = daemon;
	vifs->fd = -1;
	vifs->pace_fd = -1;
	if (waynetback_open(&vifs->netback) < 0)
		vifs->netback = NULL;
	vifs->table = viftable_new();
	if (vifs->table != NULL)
		vifs->poll = vifpoll_new(engines_mailboxes(daemon->engines),
					 engines_count(daemon->engines),
					 vifs->table, on_figures, vifs);
	if (vifs->poll != NULL)
		error = vifs->fd = vif_process_start(&vifs->pace_fd);
	if (error >= 0)
		error = engines_set_pace(daemon->engines, vifs->pace_fd);
	if (error < 0)
		vifs_free(vifs);
	else
		*ret_vifs = vifs;
	return error;
}

static void let_netback_go(struct vifs *vifs)
{
	for (size_t i = 0; i < vifs->count; i++)
		if (vifs->list[i].in_netback)
			waynetback_unset(vifs->netback,
					 vifs->list[i].keys.interface);
	waynetback_close(vifs->netback);
}

void vifs_free(struct vifs *vifs)
{
	if (vifs == NULL)
		return;
	let_netback_go(vifs);
	if (vifs->fd >= 0)
		close(vifs->fd);
	if (vifs->pace_fd >= 0)
		close(vifs->pace_fd);
	vifpoll_free(vifs->poll);
	viftable_free(vifs->table);
	free(vifs->list);
	free(vifs);
}

int vifs_fd(const struct vifs *vifs)
{
	return vifs->fd;
}

/* ------ what was done */

static void report(struct vifs *vifs, const struct vifkeys *keys,
		   enum vif_event event, const char *wrong)
{
	struct vif_report report;

	memset(&report, 0, sizeof(report));
	report.kind = VIF_REPORT_DONE;
	report.domain = keys->domain;
	report.handle = keys->handle;
	report.event = event;
	report.announce = vifs->daemon->policy->xen.announce;
	snprintf(report.wrong, sizeof(report.wrong), "%.*s",
		 (int)sizeof(report.wrong) - 1, wrong);
	if (vifs->fd >= 0 &&
	    send(vifs->fd, &report, sizeof(report), MSG_NOSIGNAL) < 0)
		log_error(errno, "xen: the process that follows XenStore "
				 "cannot be told");
}

static void remove_at(struct vifs *vifs, size_t at)
{
	vifs->list[at] = vifs->list[--vifs->count];
}

/* ------ what its guest holds */

static struct travel_vif travel_of(const struct vifkeys *keys)
{
	struct travel_vif vif = { .domain = keys->domain,
				  .handle = keys->handle };

	_Static_assert(sizeof(vif.guest.addresses) == sizeof(keys->addresses),
		       "all of them");
	memcpy(vif.uuid, keys->uuid, sizeof(vif.uuid));
	memcpy(vif.guest.interface, keys->interface,
	       sizeof(vif.guest.interface));
	memcpy(vif.guest.addresses, keys->addresses,
	       sizeof(vif.guest.addresses));
	vif.guest.count = keys->addresses_count;
	return vif;
}

static void arrive(struct vifs *vifs, const struct vifkeys *keys)
{
	const struct travel_vif vif = travel_of(keys);

	travel_arrive(vifs->daemon->travel, &vif, clock_now_ns());
}

static void gone(void *self, uint64_t released_pkts)
{
	struct letting_go *going = self;

	going->released_pkts += released_pkts;
	if (--going->departures > 0)
		return;
	log_info(0, "xen: %s of domain %u is let go, with %llu packets",
		 going->keys.interface, going->keys.domain,
		 (unsigned long long)going->released_pkts);
	report(going->vifs, &going->keys, VIF_DRAINED, "");
	free(going);
}

static void depart(struct letting_go *going)
{
	const struct travel_vif vif = travel_of(&going->keys);

	going->departures++;
	travel_depart(going->vifs->daemon->travel, &vif, gone, going);
}

/* At once, before its guard is taken away: somebody may wait for a domain to
 * end, which it does not while we have its packets. */
static struct letting_go *let_go(struct vifs *vifs, const struct vifkeys *keys)
{
	struct letting_go *going = calloc(1, sizeof(*going));

	if (going == NULL)
		return NULL;
	going->vifs = vifs;
	going->keys = *keys;
	going->departures = 1; /* until its guard is away */
	depart(going);
	return going;
}

/* Its guard is away, and what came meanwhile goes as well. */
static void drain(struct vifs *vifs, const struct vifkeys *keys,
		  struct letting_go *going)
{
	if (going == NULL) {
		report(vifs, keys, VIF_DRAINED, "");
		return;
	}
	depart(going);
	gone(going, 0);
}

/* ------ what is to be done */

static struct vif *find(struct vifs *vifs, const struct vifkeys *keys)
{
	for (size_t i = 0; i < vifs->count; i++)
		if (vifs->list[i].keys.domain == keys->domain &&
		    vifs->list[i].keys.handle == keys->handle)
			return &vifs->list[i];
	return NULL;
}

static struct vif *add(struct vifs *vifs)
{
	size_t room = vifs->room ? 2 * vifs->room : 64;
	struct vif *list;

	if (vifs->count == vifs->room) {
		list = realloc(vifs->list, room * sizeof(*list));
		if (list == NULL)
			return NULL;
		vifs->list = list;
		vifs->room = room;
	}
	vifs->list[vifs->count] = (struct vif){ 0 };
	return &vifs->list[vifs->count++];
}

static void take(struct vifs *vifs, const struct vif_order *order)
{
	struct vif *vif = find(vifs, &order->keys);

	if (order->action == VIF_DO_DRAIN) {
		struct letting_go *going = let_go(vifs, &order->keys);

		if (vif == NULL) {
			drain(vifs, &order->keys, going);
			return;
		}
		vif->leaving = true;
		vif->waits = true;
		vif->going = going;
		return;
	}
	arrive(vifs, &order->keys);
	if (order->action == VIF_DO_EXPECT)
		return;
	if (vif == NULL)
		vif = add(vifs);
	if (vif == NULL) {
		report(vifs, &order->keys, VIF_REFUSED, "out of memory");
		return;
	}
	vif->keys = order->keys;
	vif->waits = true;
	vif->leaving = vif->applied = false;
}

static void lose(struct vifs *vifs)
{
	log_error(0, "xen: the process that follows XenStore has ended; vifs "
		     "stay as they are until symtapd is started anew");
	close(vifs->fd);
	vifs->fd = -1;
}

void vifs_read(struct vifs *vifs)
{
	struct vif_order order;
	bool any = false;
	ssize_t got = 0;

	for (int i = 0; vifs->fd >= 0 && i < ORDERS_AT_ONCE; i++) {
		got = recv(vifs->fd, &order, sizeof(order), MSG_DONTWAIT);
		if (got != (ssize_t)sizeof(order))
			break;
		if (!viftable_see(vifs->table, &order))
			log_error(0, "xen: out of memory");
		if (order.action == VIF_DO_NOTHING)
			continue;
		any |= order.action != VIF_DO_EXPECT;
		take(vifs, &order);
	}
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		lose(vifs);
	if (any)
		reload_vifs(vifs->daemon->reload);
}

/* ------ the policy */

static const char *lacks_ring(const struct vifs *vifs, const struct vif *vif)
{
	return vifs->daemon->ring == NULL ? vifs->daemon->ring_wrong
					  : ring_lacks(vif->keys.interface);
}

/* Somebody begins to listen to a vif, or ends. */
void vifs_look(struct vifs *vifs)
{
	if (vifs == NULL)
		return;
	for (size_t i = 0; i < vifs->count; i++) {
		const struct vif *vif = &vifs->list[i];

		if (vif->leaving || !vif->asks_ring ||
		    vif->ring_lacks == lacks_ring(vifs, vif))
			continue;
		reload_vifs(vifs->daemon->reload);
		return;
	}
}

/* What the operator asks for of this vif, and then the tool stack. */
static void wish_of(const struct policy *policy, const struct vifkeys *keys,
		    struct guest_wish *ret_wish)
{
	const struct guest_identity guest = {
		.name = keys->name,
		.uuid = keys->uuid,
		.vif = keys->interface,
		.bridge = keys->bridge,
		.domain = keys->domain,
	};

	guests_wish_of(policy, &guest, &keys->wish, ret_wish);
}

/* With or without `ip`, no other guest's MAC: nor one that a bridge would learn
 * from a frame that carries no address. */
static bool own_port(struct policy *policy, const struct vifkeys *keys)
{
	struct policy_owner owner;

	memcpy(owner.interface, keys->interface, sizeof(owner.interface));
	memcpy(owner.mac, keys->mac, sizeof(owner.mac));
	return policy_add_owner(policy, &owner);
}

/* A vif without `ip` may send from any address of the inside. */
static bool bind_one(struct policy *policy, struct vifkeys *keys,
		     const struct guest_wish *wish)
{
	struct policy_binding binding = {
		.addresses = { keys->addresses, keys->addresses_count },
	};

	if (!guests_add_rules(policy, keys->interface, wish))
		return false;
	if (!wish->guarded || !keys->has_mac)
		return true;
	if (!own_port(policy, keys))
		return false;
	if (keys->addresses_count == 0)
		return true;
	binding.has_rate = (wish->said & GUEST_RATE) != 0;
	if (binding.has_rate)
		binding.rate = wish->rate;
	memcpy(binding.mac, keys->mac, sizeof(binding.mac));
	memcpy(binding.interface, keys->interface, sizeof(binding.interface));
	return policy_add_binding(policy, &binding);
}

static bool give_way(struct vifs *vifs, struct policy *policy, struct vif *vif,
		     const struct guest_wish *wish)
{
	struct policy_vif entry = { 0 };
	bool before = vif->refused;

	vif->asks_ring =
		wish->way == POLICY_WAY_RING ||
		(wish->way == POLICY_WAY_AUTO && !policy->nfqueue.bridge);
	vif->ring_lacks = vif->asks_ring ? lacks_ring(vifs, vif)
					 : "not looked for";
	vif->refused = !vifways_choose(policy, vif->keys.interface,
				       vif->ring_lacks,
				       waynetback_lacks(vifs->netback),
				       wish->way, &vif->way, vif->why);
	vif->waits |= vif->refused != before;
	vif->cannot_stamp = wish->mac == POLICY_XEN_MAC_OVERWRITE &&
			    (vif->refused || vif->way != POLICY_WAY_NETBACK);
	vif->in_netback = !vif->refused && wish->guarded &&
			  vif->way == POLICY_WAY_NETBACK;
	vif->asks_ring &= !vif->in_netback;
	vifnetback_settings(policy, wish, &vif->keys, &vif->netback);
	if (vif->refused)
		return true;
	memcpy(entry.interface, vif->keys.interface, sizeof(entry.interface));
	entry.way = vif->way;
	return policy_add_vif(policy, &entry);
}

bool vifs_apply(struct vifs *vifs, struct policy *policy)
{
	struct guest_wish wish;

	if (vifs == NULL || vifs->count == 0)
		return true;
	for (size_t i = 0; i < vifs->count; i++) {
		struct vif *vif = &vifs->list[i];

		vif->applied = true;
		if (vif->leaving)
			continue;
		wish_of(policy, &vif->keys, &wish);
		if (!bind_one(policy, &vif->keys, &wish) ||
		    !give_way(vifs, policy, vif, &wish))
			return false;
		viftable_way(vifs->table, &vif->keys,
			     vif->refused ? "" : policy_way_name(vif->way),
			     vif->why, !wish.guarded);
	}
	return policy_prepare(policy);
}

static void tell_way(struct vif *vif)
{
	char text[WAY_TEXT_BYTES];

	snprintf(text, sizeof(text), "%s%.*s",
		 vif->refused ? "" : policy_way_name(vif->way),
		 WAY_TEXT_BYTES - 16, vif->why);
	if (strcmp(text, vif->told) == 0)
		return;
	memcpy(vif->told, text, sizeof(vif->told));
	if (vif->refused)
		log_error(0, "xen: %s: its packets cannot wait: %s",
			  vif->keys.interface, vif->why);
	else
		log_info(0, "xen: %s: its packets wait by way of %s (%s)",
			 vif->keys.interface, policy_way_name(vif->way),
			 vif->why);
	if (vif->cannot_stamp)
		log_warn(0,
			 "xen: %s: mac: overwrite cannot be had by this way: "
			 "they are judged as with mac: drop",
			 vif->keys.interface);
}

/* Who was there before may have left a guard in netback. */
static void tell_netback(struct vifs *vifs, struct vif *vif)
{
	int error;

	if (vifs->netback == NULL)
		return;
	if (!vif->in_netback) {
		waynetback_unset(vifs->netback, vif->keys.interface);
		return;
	}
	vif->netback.keys = &vif->keys;
	error = waynetback_set(vifs->netback, vif->keys.interface,
			       &vif->netback);
	if (error == 0)
		return;
	vif->refused = true;
	snprintf(vif->why, sizeof(vif->why), "netback refuses it: %s",
		 strerror(-error));
}

/* A vif that is there, once what guards it is in force, or could not be. */
static void applied(struct vifs *vifs, struct vif *vif, bool good,
		    const char *wrong)
{
	bool guarded;

	if (good)
		tell_netback(vifs, vif);
	if (good)
		tell_way(vif);
	guarded = good && !vif->refused;
	if (vif->waits && guarded)
		log_info(0, "xen: %s of domain %u (%s) is guarded",
			 vif->keys.interface, vif->keys.domain, vif->keys.name);
	if (vif->waits)
		report(vifs, &vif->keys, guarded ? VIF_GUARDED : VIF_REFUSED,
		       good ? vif->why : wrong);
	vif->waits = false;
}

void vifs_applied(struct vifs *vifs, bool good, const char *wrong)
{
	size_t i = 0;

	if (vifs == NULL)
		return;
	while (i < vifs->count) {
		struct vif *vif = &vifs->list[i];

		if (!vif->applied || (vif->leaving && !good)) {
			i++;
			continue;
		}
		vif->applied = false;
		if (vif->leaving) {
			drain(vifs, &vif->keys, vif->going);
			remove_at(vifs, i);
			continue;
		}
		applied(vifs, vif, good, wrong);
		i++;
	}
}
