/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/ring.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shaper/daemon/heir.h"
#include "shaper/io/hold_qdisc.h"
#include "shaper/io/ring_filter.h"
#include "shaper/io/vif_taps.h"

#define NAME "symtap-ring"

enum {
	MTU_MAX_BYTES = 59000,
	HEADER_BYTES = 14 + 2 * 4, /* Ethernet, and two tags */
	/* What four rings have places for: a guest stands still before a class
	 * is full, but for small packets. */
	ROOM_PKTS = 1024,
};
#define LEAK_NS UINT64_C(2000000000)

struct ring {
	struct holdqdisc *device;
	struct ringfilter *filter;
	struct heir heir;
};

/* Filters first: without the device they would drop. */
static void clear(void)
{
	struct if_nameindex *all = if_nameindex();
	struct ringfilter *filter;

	if (all == NULL)
		return;
	if (ringfilter_new(&filter) == 0) {
		for (size_t i = 0; all[i].if_index != 0; i++)
			ringfilter_clear(filter, all[i].if_index);
		ringfilter_free(filter);
	}
	if_freenameindex(all);
}

/* Unless the next daemon has done so. */
static void at_end(uint32_t ifindex)
{
	if (if_nametoindex(NAME) != ifindex)
		return;
	clear();
	holdqdisc_remove(ifindex);
}

static int probe(struct ring *ring, char ret_wrong[RING_TEXT_BYTES])
{
	int error = ringfilter_new(&ring->filter);

	if (error == 0)
		error = ringfilter_probe(ring->filter,
					 holdqdisc_ifindex(ring->device));
	if (error < 0)
		snprintf(ret_wrong, RING_TEXT_BYTES,
			 "this kernel has no clsact, u32 or mirred "
			 "(CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32, "
			 "CONFIG_NET_ACT_MIRRED)");
	return error;
}

static int set_up(struct ring *ring, const struct priv_user *user,
		  char ret_wrong[RING_TEXT_BYTES])
{
	const struct holdqdisc_options options = {
		.name = NAME,
		.longest_bytes = MTU_MAX_BYTES + HEADER_BYTES,
		.room_pkts = ROOM_PKTS,
		.later = true,
		.leak_ns = LEAK_NS,
	};
	char text[HOLDQDISC_TEXT_BYTES];
	int error;

	clear();
	error = holdqdisc_new(&options, &ring->device, text);
	if (error == 0) {
		error = holdqdisc_make(ring->device, HOLDQDISC_CLASSES_MAX);
		snprintf(text, sizeof(text),
			 "this kernel has no TBF (CONFIG_NET_SCH_TBF)");
	}
	if (error < 0) {
		snprintf(ret_wrong, RING_TEXT_BYTES, "%s", text);
		return error;
	}
	error = probe(ring, ret_wrong);
	if (error < 0)
		return error;
	error = heir_start(&ring->heir, user, holdqdisc_ifindex(ring->device),
			   at_end);
	if (error < 0)
		snprintf(ret_wrong, RING_TEXT_BYTES,
			 "there can be no second process");
	return error;
}

int ring_new(const struct priv_user *user, struct ring **ret_ring,
	     char ret_wrong[RING_TEXT_BYTES])
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int error;

	if (ring == NULL) {
		snprintf(ret_wrong, RING_TEXT_BYTES, "out of memory");
		return -ENOMEM;
	}
	ring->heir.life = -1;
	error = set_up(ring, user, ret_wrong);
	if (error < 0)
		ring_free(ring);
	else
		*ret_ring = ring;
	return error;
}

void ring_free(struct ring *ring)
{
	if (ring == NULL)
		return;
	heir_end(&ring->heir);
	ringfilter_free(ring->filter);
	holdqdisc_free(ring->device);
	free(ring);
}

struct holdqdisc *ring_device(const struct ring *ring)
{
	return ring->device;
}

/* ------ */

static int mtu_of(const char *interface)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		request.ifr_mtu = 0;
	close(fd);
	return request.ifr_mtu;
}

const char *ring_lacks(const char *interface, const struct viftaps *taps)
{
	if (mtu_of(interface) > MTU_MAX_BYTES)
		return "its MTU is above 59000";
	if (taps == NULL)
		return "/proc/net/packet, which names who listens to it, "
		       "cannot be read";
	if (viftaps_has(taps, if_nametoindex(interface)))
		return "somebody listens to it (tcpdump, lldpd, a DHCP "
		       "server: see /proc/net/packet), and its guest would "
		       "not wait";
	return NULL;
}

void ring_prepare(struct ring *ring, const char *interface)
{
	(void)ringfilter_prepare(ring->filter, if_nametoindex(interface));
}
