/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/announcer.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shaper/daemon/log.h"
#include "xen-hooks/announce.h"

enum { EXPECTED_MAX = 4096 }; /* as many vifs as are followed */

#define SECOND_NS UINT64_C(1000000000)

struct announcer {
	int fd;    /* -1: there is none, ... */
	int error; /* ... since */
	uint64_t second_ns;
	uint32_t sent; /* since then */
	struct log_limit log;
	size_t count;
	struct {
		uint32_t domain, handle;
	} expected[EXPECTED_MAX];
};

/* Of no protocol: it hears nothing. */
struct announcer *announcer_new(void)
{
	struct announcer *announcer = calloc(1, sizeof(*announcer));

	if (announcer == NULL)
		return NULL;
	announcer->fd =
		socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	announcer->error = announcer->fd < 0 ? errno : 0;
	announcer->log = (struct log_limit){ .subject = "xen",
					     .burst_lines = 3,
					     .lines_per_min = 6 };
	return announcer;
}

void announcer_free(struct announcer *announcer)
{
	if (announcer == NULL)
		return;
	if (announcer->fd >= 0)
		close(announcer->fd);
	free(announcer);
}

static bool take(struct announcer *announcer, uint32_t domain, uint32_t handle)
{
	for (size_t i = 0; i < announcer->count; i++) {
		if (announcer->expected[i].domain != domain ||
		    announcer->expected[i].handle != handle)
			continue;
		announcer->expected[i] =
			announcer->expected[--announcer->count];
		return true;
	}
	return false;
}

void announcer_expect(struct announcer *announcer, uint32_t domain,
		      uint32_t handle)
{
	take(announcer, domain, handle);
	if (announcer->count == EXPECTED_MAX)
		return;
	announcer->expected[announcer->count].domain = domain;
	announcer->expected[announcer->count++].handle = handle;
}

void announcer_forget(struct announcer *announcer, uint32_t domain,
		      uint32_t handle)
{
	take(announcer, domain, handle);
}

static bool has_room(struct announcer *announcer, uint64_t now_ns)
{
	if (now_ns - announcer->second_ns >= SECOND_NS) {
		announcer->second_ns = now_ns;
		announcer->sent = 0;
	}
	return announcer->sent < ANNOUNCER_FRAMES_PER_S;
}

static int send_all(struct announcer *announcer, const struct vifkeys *keys,
		    uint32_t ifindex, uint64_t now_ns, unsigned int *ret_sent)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET,
					.sll_ifindex = (int)ifindex };
	uint8_t frame[ANNOUNCE_BYTES];

	for (uint32_t i = 0; i < keys->addresses_count; i++) {
		size_t bytes =
			announce_frame(keys->mac, &keys->addresses[i], frame);

		if (bytes == 0)
			continue;
		if (!has_room(announcer, now_ns))
			return EBUSY;
		if (sendto(announcer->fd, frame, bytes, MSG_DONTWAIT,
			   (const struct sockaddr *)&to, sizeof(to)) < 0)
			return errno;
		announcer->sent++;
		(*ret_sent)++;
	}
	return 0;
}

void announcer_guarded(struct announcer *announcer, const struct vifkeys *keys,
		       bool asked, uint64_t now_ns)
{
	unsigned int sent = 0;
	uint32_t ifindex;
	int error;

	if (!take(announcer, keys->domain, keys->handle) || !asked ||
	    !keys->has_mac || keys->addresses_count == 0)
		return;
	ifindex = keys->bridge[0] != '\0' ? if_nametoindex(keys->bridge) : 0;
	if (ifindex == 0)
		error = ENODEV;
	else if (announcer->fd < 0)
		error = announcer->error;
	else
		error = send_all(announcer, keys, ifindex, now_ns, &sent);
	if (error == 0)
		log_info(0,
			 "xen: %s of domain %u: %u addresses announced on "
			 "%s",
			 keys->interface, keys->domain, sent, keys->bridge);
	else
		log_limited(&announcer->log, LOG_LEVEL_WARN, error,
			    "xen: %s of domain %u is not announced on %s",
			    keys->interface, keys->domain,
			    keys->bridge[0] != '\0' ? keys->bridge
						    : "no bridge");
}
