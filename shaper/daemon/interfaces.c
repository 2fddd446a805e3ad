/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/policy.h"
#include "shaper/daemon/status.h"

bool interfaces_push_back(bool bridged, const char *method,
			  enum interfaces_kind kind)
{
	return bridged && strcmp(method, "queue") == 0 &&
	       kind != INTERFACE_WIRE;
}

bool interfaces_guest_waits(const struct policy_vif *vif, bool bridged,
			    const char *method)
{
	switch (vif->way) {
	case POLICY_WAY_QUEUE:
		return !vif->is_listened &&
		       interfaces_push_back(bridged, method, INTERFACE_TAP);
	case POLICY_WAY_RING:
	case POLICY_WAY_RATE:
	case POLICY_WAY_NETBACK:
		return true;
	case POLICY_WAY_AUTO:
	case POLICY_WAYS:
		break;
	}
	return false;
}

static bool sysfs_has(const char *interface, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/%s", interface,
		 file);
	return access(path, F_OK) == 0;
}

static long sysfs_number(const char *interface, const char *file)
{
	char path[128];
	long number = -1;
	FILE *stream;

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/%s", interface,
		 file);
	stream = fopen(path, "re");
	if (stream == NULL)
		return -1;
	if (fscanf(stream, "%ld", &number) != 1)
		number = -1;
	fclose(stream);
	return number;
}

/* A veth has a peer (iflink), no device, and is no VLAN on another: those
 * have "lower_" links. */
static enum interfaces_kind kind_of(const char *interface)
{
	long index = sysfs_number(interface, "ifindex");
	long peer = sysfs_number(interface, "iflink");
	char lower[32];

	if (sysfs_has(interface, "tun_flags"))
		return INTERFACE_TAP;
	if (index < 0 || peer < 0 || peer == index ||
	    sysfs_has(interface, "device"))
		return INTERFACE_WIRE;
	if (if_indextoname((unsigned int)peer, lower + 6) != NULL) {
		memcpy(lower, "lower_", 6);
		if (sysfs_has(interface, lower))
			return INTERFACE_WIRE;
	}
	return INTERFACE_VETH;
}

static bool sender_waits(const struct status *status, const char *name)
{
	const struct policy *policy = status->policy;
	const struct policy_vif *vif = policy_vif_of(policy, name);
	bool bridged = policy->nfqueue.bridge;

	return vif != NULL
		       ? interfaces_guest_waits(vif, bridged, status->method)
		       : interfaces_push_back(bridged, status->method,
					      kind_of(name));
}

static bool is_named(const struct policy *policy, const char *interface)
{
	size_t i, j;

	if (policy_vif_of(policy, interface) != NULL)
		return true;
	for (i = 0; i < policy->sources_count; i++)
		if (strcmp(policy->sources[i].interface, interface) == 0)
			return true;
	for (i = 0; i < policy->zones_count; i++)
		for (j = 0; j < policy->zones[i].count; j++)
			if (strcmp(policy->zones[i].members[j].interface,
				   interface) == 0)
				return true;
	return false;
}

static bool is_inside(const struct policy *policy,
		      const struct sockaddr *address)
{
	uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };

	if (address == NULL)
		return false;
	if (address->sa_family == AF_INET) {
		memcpy(mapped + 12,
		       &((const struct sockaddr_in *)address)->sin_addr, 4);
		return policy_is_inside(policy, mapped);
	}
	if (address->sa_family != AF_INET6)
		return false;
	memcpy(mapped, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	return policy_is_inside(policy, mapped);
}

/* NULL: there is no room for one more. */
static struct status_interface *find_or_add(struct status *status,
					    const char *name)
{
	struct status_interface *interface;
	size_t i;

	for (i = 0; i < status->interfaces_count; i++)
		if (strcmp(status->interfaces[i].name, name) == 0)
			return &status->interfaces[i];
	if (status->interfaces_count == STATUS_INTERFACES_MAX)
		return NULL;
	interface = &status->interfaces[status->interfaces_count++];
	memset(interface, 0, sizeof(*interface));
	snprintf(interface->name, sizeof(interface->name), "%.15s", name);
	interface->is_guarded = is_named(status->policy, interface->name);
	interface->back_pressure = sender_waits(status, interface->name);
	return interface;
}

void interfaces_renew(struct status *status)
{
	struct ifaddrs *all, *one;

	if (getifaddrs(&all) < 0)
		return;
	status->interfaces_count = 0;
	for (one = all; one != NULL; one = one->ifa_next) {
		struct status_interface *interface;

		if ((one->ifa_flags & IFF_LOOPBACK) != 0)
			continue;
		interface = find_or_add(status, one->ifa_name);
		if (interface != NULL &&
		    is_inside(status->policy, one->ifa_addr))
			interface->is_guarded = true;
	}
	freeifaddrs(all);
}

bool interfaces_is_ethernet(const char *interface)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };
	bool is = false;

	if (fd < 0)
		return false;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request) == 0)
		is = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	close(fd);
	return is;
}

static bool is_listed(char (*names)[INTERFACES_NAME_BYTES], size_t count,
		      const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Netback is asked before any program or rule of ours sees a packet. */
static bool is_judged_before(const struct policy *policy, const char *interface)
{
	const struct policy_vif *vif = policy_vif_of(policy, interface);

	return vif != NULL && vif->way == POLICY_WAY_NETBACK;
}

size_t interfaces_guarded(const struct policy *policy,
			  char (*ret_names)[INTERFACES_NAME_BYTES], size_t max)
{
	struct ifaddrs *all, *one;
	size_t count = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (one = all; one != NULL && count < max; one = one->ifa_next) {
		const char *name = one->ifa_name;

		if ((one->ifa_flags & IFF_LOOPBACK) != 0 ||
		    strlen(name) >= INTERFACES_NAME_BYTES ||
		    (!is_named(policy, name) &&
		     !is_inside(policy, one->ifa_addr)) ||
		    is_judged_before(policy, name) ||
		    is_listed(ret_names, count, name) ||
		    !interfaces_is_ethernet(name))
			continue;
		memcpy(ret_names[count++], name, strlen(name) + 1);
	}
	freeifaddrs(all);
	return count;
}
