/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/facts.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/policy.h"
#include "shaper/ctl/reply.h"
#include "shaper/io/nft_links.h"
#include "shaper/io/offloads.h"

enum { PATH_BYTES = 4096 };

static void want_queue(struct facts *facts, uint32_t number)
{
	if (facts->queues_count < FACTS_QUEUES_MAX)
		facts->queues[facts->queues_count++] = number;
}

static struct facts_interface *want_interface(struct facts *facts,
					      const char *name)
{
	struct facts_interface *interface;

	for (size_t i = 0; i < facts->interfaces_count; i++)
		if (strcmp(facts->interfaces[i].name, name) == 0)
			return &facts->interfaces[i];
	/* The last one gives way. */
	if (facts->interfaces_count < FACTS_INTERFACES_MAX)
		facts->interfaces_count++;
	interface = &facts->interfaces[facts->interfaces_count - 1];
	*interface = (struct facts_interface){ 0 };
	snprintf(interface->name, sizeof(interface->name), "%.15s", name);
	return interface;
}

static void want_fast(struct facts *facts, const char *interface, bool direct)
{
	struct facts_interface *wanted = want_interface(facts, interface);

	wanted->guarded = true;
	wanted->fast = true;
	wanted->direct = direct;
}

static void want_interfaces(struct facts *facts, const struct json_t *status)
{
	size_t count = reply_count(status, "interfaces");
	const struct json_t *item;

	for (size_t i = 0; i < count; i++) {
		item = reply_item(status, "interfaces", i);
		want_interface(facts, reply_text(item, "name"))->guarded =
			reply_is_true(item, "guarded");
	}
	if (!reply_has(status, "fast"))
		return;
	if (reply_is_true(status, "fast.runs"))
		facts->mark_bits =
			(uint32_t)reply_number(status, "fast.mark_bits");
	count = reply_count(status, "fast.interfaces");
	for (size_t i = 0; i < count; i++) {
		item = reply_item(status, "fast.interfaces", i);
		want_fast(facts, reply_text(item, "name"),
			  reply_is_true(item, "direct"));
	}
}

void facts_want_status(struct facts *facts, const struct json_t *status)
{
	size_t count = reply_count(status, "engines");
	size_t i;

	facts->runs = true;
	facts->is_tap = reply_has(status, "tap");
	facts->bridged = reply_is_true(status, "policy.bridged");
	facts->ipv4 = reply_is_true(status, "policy.ipv4");
	facts->ipv6 = reply_is_true(status, "policy.ipv6");
	snprintf(facts->method, sizeof(facts->method), "%s",
		 reply_text(status, "method"));
	for (i = 0; i < count; i++) {
		const struct json_t *engine = reply_item(status, "engines", i);
		double queue = reply_number(engine, "queue");
		double hold_queue = reply_number(engine, "hold_queue");

		if (queue == 0 && hold_queue == 0)
			continue;
		want_queue(facts, (uint32_t)queue);
		want_queue(facts, (uint32_t)hold_queue);
	}
	want_interfaces(facts, status);
}

static bool is_v4(const struct policy_prefix *prefix)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return prefix->length >= 96 && memcmp(prefix->addr, mapped, 12) == 0;
}

void facts_want_policy(struct facts *facts, const struct policy *policy)
{
	size_t i, queues;

	facts->bridged = policy->nfqueue.bridge;
	for (i = 0; i < policy->inside.count; i++) {
		if (is_v4(&policy->inside.list[i]))
			facts->ipv4 = true;
		else
			facts->ipv6 = true;
	}
	/* With `auto` (0) at least those of one engine. */
	queues = policy->nfqueue.queues > 0 ? policy->nfqueue.queues : 1;
	for (i = 0; i < 2 * queues; i++)
		want_queue(facts, policy->nfqueue.first_queue + (uint32_t)i);
	for (i = 0; i < policy->fast.interfaces_count; i++)
		want_fast(facts, policy->fast.interfaces[i],
			  policy->fast.direct);
	if (policy->fast.interfaces_count > 0)
		facts->mark_bits = UINT32_C(15) << policy->fast.mark_bit;
}

static FILE *open_below(const char *root, const char *path)
{
	char whole[PATH_BYTES];
	int n = snprintf(whole, sizeof(whole), "%s%s", root, path);

	if (n < 0 || (size_t)n >= sizeof(whole))
		return NULL;
	return fopen(whole, "re");
}

/* The first line; "" when there is none. */
static void read_line(const char *root, const char *path,
		      char line[FACTS_NAME_BYTES])
{
	FILE *file = open_below(root, path);

	line[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(line, FACTS_NAME_BYTES, file) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

static long read_number(const char *root, const char *path)
{
	char line[FACTS_NAME_BYTES];
	char *end;
	long number;

	read_line(root, path, line);
	errno = 0;
	number = strtol(line, &end, 10);
	if (end == line || errno != 0 || number < 0)
		return FACTS_UNKNOWN;
	return number;
}

/* Columns: queue, port, waiting, copy mode, copy range, dropped, ... */
static void read_bound(struct facts *facts, const char *root)
{
	FILE *file = open_below(root, "/proc/net/netfilter/nfnetlink_queue");
	unsigned int number;
	char line[256];
	int port;

	if (file == NULL)
		return;
	facts->has_bound = true;
	while (fgets(line, sizeof(line), file) != NULL &&
	       facts->bound_count < FACTS_QUEUES_MAX)
		if (sscanf(line, "%u %d", &number, &port) == 2)
			facts->bound[facts->bound_count++] =
				(struct facts_queue){ number, (uint32_t)port };
	fclose(file);
}

static bool is_there(const char *root, const char *path)
{
	char whole[PATH_BYTES];
	struct stat st;
	int n = snprintf(whole, sizeof(whole), "%s%s", root, path);

	return n > 0 && (size_t)n < sizeof(whole) && stat(whole, &st) == 0;
}

static bool find_bridge(const char *root)
{
	char pattern[PATH_BYTES];
	glob_t found;
	bool any;
	int n = snprintf(pattern, sizeof(pattern), "%s/sys/class/net/*/bridge",
			 root);

	if (n < 0 || (size_t)n >= sizeof(pattern))
		return false;
	any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
	globfree(&found);
	return any;
}

void facts_read(struct facts *facts, const char *root)
{
#define BRIDGE "/proc/sys/net/bridge/bridge-nf-"
	facts->ip_forward = read_number(root, "/proc/sys/net/ipv4/ip_forward");
	facts->ipv6_forward =
		read_number(root, "/proc/sys/net/ipv6/conf/all/forwarding");
	facts->bridge_iptables = read_number(root, BRIDGE "call-iptables");
	facts->bridge_ip6tables = read_number(root, BRIDGE "call-ip6tables");
	facts->bridge_vlan = read_number(root, BRIDGE "filter-vlan-tagged");
	facts->bridge_pppoe = read_number(root, BRIDGE "filter-pppoe-tagged");
#undef BRIDGE
	facts->conntrack_used =
		read_number(root, "/proc/sys/net/netfilter/nf_conntrack_count");
	facts->conntrack_max =
		read_number(root, "/proc/sys/net/netfilter/nf_conntrack_max");
	read_line(root,
		  "/sys/devices/system/clocksource/clocksource0/"
		  "current_clocksource",
		  facts->clock);
	facts->has_bridge = find_bridge(root);
	facts->has_netfilter = is_there(root, "/proc/net/netfilter");
	read_bound(facts, root);
}

static void ask_interface(struct facts *facts, size_t i)
{
	struct facts_interface *interface = &facts->interfaces[i];
	struct hooks_program *room = facts->programs + facts->programs_count;
	size_t count;

	if (hooks_read(interface->name, room,
		       FACTS_PROGRAMS_MAX - facts->programs_count, &count) == 0)
		facts->programs_count += count;
	if (!interface->guarded)
		return;
	offloads_read(interface->name, "rx-lro", &interface->lro);
	offloads_read(interface->name, "hw-tc-offload", &interface->tc_offload);
}

static void ask_bridges(struct facts *facts)
{
	const struct nftlinks_link *port, *master;
	struct facts_interface *interface = facts->interfaces;
	struct nftlinks links;

	if (nftlinks_read(&links) < 0)
		return;
	for (size_t i = 0; i < facts->interfaces_count; i++, interface++) {
		port = interface->fast ? nftlinks_find(&links, interface->name)
				       : NULL;
		master = port ? nftlinks_find_index(&links, port->master)
			      : NULL;
		if (master != NULL && master->bridge)
			memcpy(interface->bridge, master->name,
			       sizeof(interface->bridge));
	}
	nftlinks_fini(&links);
}

void facts_ask_kernel(struct facts *facts)
{
	facts->flowtables_error = nftflowtables_list(facts->flowtables,
						     FACTS_FLOWTABLES_MAX,
						     &facts->flowtables_count);
	for (size_t i = 0; i < facts->interfaces_count; i++)
		ask_interface(facts, i);
	ask_bridges(facts);
	if (facts->mark_bits != 0)
		marks_read(facts->mark_bits, facts->marks, FACTS_MARKS_MAX,
			   &facts->marks_count);
}
