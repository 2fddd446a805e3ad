/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/hold.h"

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "policy/policy.h"
#include "shaper/daemon/heir.h"
#include "shaper/io/hold_qdisc.h"
#include "shaper/io/nft_links.h"

enum {
	HEADER_BYTES = 14 + 2 * 4, /* Ethernet, and two tags */
	MTU_BYTES = 1500,
	OLDEST_MAJOR = 6, /* Linux 6.6, which has tcx */
	OLDEST_MINOR = 6,
	MTU_MAX_BYTES = 59000,
};
#define LEAK_NS UINT64_C(2000000000)

struct hold {
	struct holdqdisc *device;
	struct heir heir;
};

/* A kernel without br_netfilter has no such file. */
static bool is_hooked_everywhere(const char *family)
{
	char path[64];
	FILE *stream;
	int value = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/bridge/bridge-nf-call-%s",
		 family);
	stream = fopen(path, "re");
	if (stream == NULL)
		return false;
	if (fscanf(stream, "%d", &value) != 1)
		value = 0;
	fclose(stream);
	return value != 0;
}

/* NULL: it is a port of a pure bridge. */
static const char *lacks(const struct nftlinks *links, const char *name)
{
	const struct nftlinks_link *link = nftlinks_find(links, name);
	const struct nftlinks_link *bridge;

	if (link == NULL)
		return "there is no such interface";
	bridge = nftlinks_find_index(links, link->master);
	if (bridge == NULL || !bridge->bridge)
		return "is no port of a bridge";
	if (bridge->call_iptables || bridge->call_ip6tables ||
	    is_hooked_everywhere("iptables") ||
	    is_hooked_everywhere("ip6tables"))
		return "br_netfilter takes its packets from their senders: set "
		       "net.bridge.bridge-nf-call-iptables and "
		       "-ip6tables to 0";
	return NULL;
}

/* Without tcx links nobody takes the program away from two processes that were
 * killed, and it would go on sending packets to where they wait. */
static bool is_too_old(void)
{
	struct utsname system;
	unsigned int major, minor;

	return uname(&system) < 0 ||
	       sscanf(system.release, "%u.%u", &major, &minor) != 2 ||
	       major < OLDEST_MAJOR ||
	       (major == OLDEST_MAJOR && minor < OLDEST_MINOR);
}

static int check_ports(const struct policy *policy,
		       char ret_wrong[HOLD_TEXT_BYTES])
{
	struct nftlinks links;
	const char *wrong = NULL;
	int error;

	if (is_too_old()) {
		snprintf(ret_wrong, HOLD_TEXT_BYTES, "qdisc needs Linux 6.6");
		return -EOPNOTSUPP;
	}
	error = nftlinks_read(&links);
	if (error < 0) {
		snprintf(ret_wrong, HOLD_TEXT_BYTES,
			 "the interfaces cannot be read");
		return error;
	}
	for (uint32_t i = 0; i < policy->fast.interfaces_count && wrong == NULL;
	     i++) {
		wrong = lacks(&links, policy->fast.interfaces[i]);
		if (wrong != NULL)
			snprintf(ret_wrong, HOLD_TEXT_BYTES, "%s: %s",
				 policy->fast.interfaces[i], wrong);
	}
	nftlinks_fini(&links);
	return wrong == NULL ? 0 : -EOPNOTSUPP;
}

static uint32_t mtu_of(int fd, const char *name)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFMTU, &request) < 0 || request.ifr_mtu < MTU_BYTES)
		return MTU_BYTES;
	return request.ifr_mtu < MTU_MAX_BYTES ? (uint32_t)request.ifr_mtu
					       : MTU_MAX_BYTES;
}

static uint32_t longest(const struct policy *policy)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t mtu_bytes = MTU_BYTES;

	for (uint32_t i = 0; i < policy->fast.interfaces_count; i++) {
		uint32_t of_one = mtu_of(fd, policy->fast.interfaces[i]);

		if (of_one > mtu_bytes)
			mtu_bytes = of_one;
	}
	if (fd >= 0)
		close(fd);
	return mtu_bytes + HEADER_BYTES;
}

static void at_end(uint32_t ifindex)
{
	holdqdisc_remove(ifindex);
}

/* ------ */

static int set_up(struct hold *hold, const struct policy *policy,
		  const struct priv_user *user, char ret_wrong[HOLD_TEXT_BYTES])
{
	const struct holdqdisc_options options = {
		.longest_bytes = longest(policy),
		.leak_ns = LEAK_NS,
	};
	char text[HOLDQDISC_TEXT_BYTES];
	int error = holdqdisc_new(&options, &hold->device, text);

	if (error < 0) {
		snprintf(ret_wrong, HOLD_TEXT_BYTES, "%s", text);
		return error;
	}
	error = heir_start(&hold->heir, user, holdqdisc_ifindex(hold->device),
			   at_end);
	if (error < 0)
		snprintf(ret_wrong, HOLD_TEXT_BYTES,
			 "there can be no second process");
	return error;
}

int hold_new(const struct policy *policy, const struct priv_user *user,
	     struct hold **ret_hold, char ret_wrong[HOLD_TEXT_BYTES])
{
	struct hold *hold;
	int error;

	*ret_hold = NULL;
	if (policy->fast.hold != POLICY_HOLD_QDISC)
		return 0;
	error = check_ports(policy, ret_wrong);
	if (error < 0)
		return error;
	hold = calloc(1, sizeof(*hold));
	if (hold == NULL) {
		snprintf(ret_wrong, HOLD_TEXT_BYTES, "out of memory");
		return -ENOMEM;
	}
	hold->heir.life = -1;
	error = set_up(hold, policy, user, ret_wrong);
	if (error < 0)
		hold_free(hold);
	else
		*ret_hold = hold;
	return error;
}

void hold_free(struct hold *hold)
{
	if (hold == NULL)
		return;
	holdqdisc_free(hold->device);
	heir_end(&hold->heir);
	free(hold);
}

struct holdqdisc *hold_device(const struct hold *hold)
{
	return hold != NULL ? hold->device : NULL;
}
