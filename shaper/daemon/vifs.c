/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vifs.h"

#include <errno.h>
#include <poll.h>
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
#include "shaper/daemon/vif_poll.h"
#include "shaper/daemon/vif_process.h"
#include "shaper/daemon/vif_table.h"
#include "shaper/daemon/vifs_netback.h"
#include "shaper/daemon/vifs_state.h"
#include "shaper/io/clock.h"

enum { ORDERS_AT_ONCE = 1024, BEGIN_NS = 1000000000 };

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

static void on_figures(void *self)
{
	struct vifs *vifs = self;

	vifsnetback_measure(vifs);
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
	if (error < 0) {
		vifs_free(vifs);
		return error;
	}
	vifsnetback_begin(vifs);
	*ret_vifs = vifs;
	return error;
}

void vifs_stop(struct vifs *vifs)
{
	if (vifs != NULL)
		vifsnetback_remember(vifs);
}

void vifs_free(struct vifs *vifs)
{
	if (vifs == NULL)
		return;
	vifsnetback_end(vifs);
	if (vifs->fd >= 0)
		close(vifs->fd);
	if (vifs->pace_fd >= 0)
		close(vifs->pace_fd);
	vifpoll_free(vifs->poll);
	viftable_free(vifs->table);
	if (vifs->taps_list != NULL)
		fclose(vifs->taps_list);
	free(vifs->list);
	free(vifs);
}

int vifs_fd(const struct vifs *vifs)
{
	return vifs->fd;
}

/* ------ what was done */

void vifs_report(struct vifs *vifs, const struct vifkeys *keys,
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

void vifs_remove_at(struct vifs *vifs, size_t at)
{
	vifs->list[at] = vifs->list[--vifs->count];
}

/* ------ what its guest holds */

struct travel_vif vifs_travel(const struct vifkeys *keys)
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
	const struct travel_vif vif = vifs_travel(keys);

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
	vifs_report(going->vifs, &going->keys, VIF_DRAINED, "");
	free(going);
}

static void depart(struct letting_go *going)
{
	const struct travel_vif vif = vifs_travel(&going->keys);

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
void vifs_drain(struct vifs *vifs, const struct vifkeys *keys,
		struct letting_go *going)
{
	if (going == NULL) {
		vifs_report(vifs, keys, VIF_DRAINED, "");
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

/* Whoever is there is asked for with each event of his, until the process hears
 * that he is guarded. */
static bool is_asked_twice(struct vifs *vifs, const struct vif *vif,
			   const struct vifkeys *keys)
{
	if (vif->leaving || !vifkeys_equal(&vif->keys, keys) ||
	    !(vif->waits || vif->guarded))
		return false;
	if (!vif->waits)
		vifs_report(vifs, keys, VIF_GUARDED, "");
	return true;
}

/* Is there something to change in how they are guarded? */
static bool take(struct vifs *vifs, const struct vif_order *order)
{
	struct vif *vif = find(vifs, &order->keys);

	if (order->action == VIF_DO_DRAIN) {
		struct letting_go *going = let_go(vifs, &order->keys);

		if (vif == NULL) {
			vifs_drain(vifs, &order->keys, going);
			return false;
		}
		vif->leaving = true;
		vif->waits = true;
		vif->going = going;
		return true;
	}
	arrive(vifs, &order->keys);
	if (order->action == VIF_DO_EXPECT ||
	    (vif != NULL && is_asked_twice(vifs, vif, &order->keys)))
		return false;
	if (vif == NULL)
		vif = add(vifs);
	if (vif == NULL) {
		vifs_report(vifs, &order->keys, VIF_REFUSED, "out of memory");
		return false;
	}
	if (!vifkeys_equal(&vif->keys, &order->keys))
		vif->netback_wrong[0] = '\0';
	vif->keys = order->keys;
	vif->waits = true;
	vif->leaving = vif->applied = vif->guarded = false;
	return true;
}

static void lose(struct vifs *vifs)
{
	log_error(0, "xen: the process that follows XenStore has ended; vifs "
		     "stay as they are until symtapd is started anew");
	close(vifs->fd);
	vifs->fd = -1;
}

static bool take_orders(struct vifs *vifs)
{
	struct vif_order order;
	bool any = false;
	ssize_t got = 0;

	for (int i = 0; vifs->fd >= 0 && i < ORDERS_AT_ONCE; i++) {
		got = recv(vifs->fd, &order, sizeof(order), MSG_DONTWAIT);
		if (got != (ssize_t)sizeof(order))
			break;
		vifs->has_looked |= order.has_looked;
		if (order.has_looked)
			continue;
		if (!viftable_see(vifs->table, &order))
			log_error(0, "xen: out of memory");
		if (order.action == VIF_DO_NOTHING)
			continue;
		any |= take(vifs, &order);
	}
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		lose(vifs);
	return any;
}

bool vifs_begin(struct vifs *vifs, struct policy *policy)
{
	uint64_t until_ns = clock_now_ns() + BEGIN_NS;
	struct pollfd ready = { .fd = vifs->fd, .events = POLLIN };

	while (!vifs->has_looked && vifs->fd >= 0 &&
	       clock_now_ns() < until_ns) {
		poll(&ready, 1, 10);
		take_orders(vifs);
	}
	return vifs_apply(vifs, policy);
}

void vifs_read(struct vifs *vifs)
{
	if (take_orders(vifs))
		reload_vifs(vifs->daemon->reload);
}
