/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy.h"
#include "shaper/io/nft_links.h"

static bool is_listed(const struct nftbridge_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->names[i], name) == 0)
			return true;
	return false;
}

static void add_bridge(struct nftbridge_list *list,
		       const struct nftlinks_link *bridge)
{
	if (is_listed(list, bridge->name) || list->count == NFTBRIDGE_MAX)
		return;
	memcpy(list->names[list->count++], bridge->name, sizeof(bridge->name));
}

/* The bridge that an interface named in the policy is, or is a port of. */
static void add_named(struct nftbridge_list *list, const struct nftlinks *links,
		      const char *name)
{
	const struct nftlinks_link *link = name[0] ? nftlinks_find(links, name)
						   : NULL;

	if (link && !link->bridge)
		link = nftlinks_find_index(links, link->master);
	if (link && link->bridge)
		add_bridge(list, link);
}

static void add_all_named(struct nftbridge_list *list,
			  const struct nftlinks *links,
			  const struct policy *policy)
{
	size_t i, j;

	for (i = 0; i < policy->sources_count; i++)
		add_named(list, links, policy->sources[i].interface);
	for (i = 0; i < policy->bindings_count; i++)
		add_named(list, links, policy->bindings[i].interface);
	for (i = 0; i < policy->rules_count; i++)
		add_named(list, links, policy->rules[i].match.interface);
	for (i = 0; i < policy->zones_count; i++)
		for (j = 0; j < policy->zones[i].count; j++)
			add_named(list, links,
				  policy->zones[i].members[j].interface);
}

int nftbridge_find(const struct policy *policy, struct nftbridge_list *ret_list,
		   char *ret_error, size_t size)
{
	const struct nftlinks_link *only = NULL;
	struct nftlinks links;
	size_t bridges = 0;
	size_t i;
	int error = nftlinks_read(&links);

	if (error) {
		snprintf(ret_error, size, "reading interfaces");
		return error;
	}
	ret_list->count = 0;
	add_all_named(ret_list, &links, policy);
	for (i = 0; i < links.count; i++)
		if (links.list[i].bridge) {
			only = &links.list[i];
			bridges++;
		}
	if (ret_list->count == 0 && bridges == 1) {
		add_bridge(ret_list, only);
	} else if (ret_list->count == 0 && bridges > 1) {
		error = -EBUSY;
		snprintf(
			ret_error, size,
			"%s is one of %zu bridges: name a port of the one that "
			"is meant",
			only->name, bridges);
	} else if (ret_list->count == 0) {
		error = -ENODEV;
		snprintf(ret_error, size, "there is no bridge");
	}
	nftlinks_fini(&links);
	return error;
}

/* Not the name of any interface. */
#define GLOBAL  "/"
#define SYSCTLS "/proc/sys/net/bridge/bridge-nf-"

/* -1: there is none. */
static int read_sysctl(const char *name)
{
	char path[96], text[16];
	int value = -1;
	FILE *file;

	snprintf(path, sizeof(path), SYSCTLS "%s", name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fgets(text, sizeof(text), file))
		value = (int)strtol(text, NULL, 10);
	fclose(file);
	return value;
}

bool nftbridge_calls_all(void)
{
	return read_sysctl("call-iptables") == 1 ||
	       read_sysctl("call-ip6tables") == 1;
}

static int write_sysctl(const char *name, int value)
{
	char path[96], text[16];
	int length = snprintf(text, sizeof(text), "%d\n", value);
	int file, error = 0;

	snprintf(path, sizeof(path), SYSCTLS "%s", name);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	if (write(file, text, (size_t)length) != length)
		error = errno ? -errno : -EIO;
	close(file);
	return error;
}

static void add_setting(struct nftbridge_settings *settings, const char *bridge,
			const char *what, int was)
{
	if (settings->count < sizeof(settings->was) / sizeof(settings->was[0]))
		snprintf(settings->was[settings->count++], NFTBRIDGE_TEXT,
			 "%s %s %d", bridge, what, was);
}

/* Frames with tags go by unless these two are on; for every bridge at once. */
static const char *const TAGGED[] = { "filter-vlan-tagged",
				      "filter-pppoe-tagged" };

static int check_others(const struct nftbridge_list *list,
			const struct nftlinks *links, char *ret_error,
			size_t size)
{
	bool everywhere = nftbridge_calls_all();
	size_t i;

	for (i = 0; i < links->count; i++) {
		const struct nftlinks_link *link = &links->list[i];

		if (!link->bridge || is_listed(list, link->name) ||
		    !(everywhere || link->call_iptables ||
		      link->call_ip6tables))
			continue;
		snprintf(ret_error, size,
			 "tagged frames of bridge %s would pass the host's "
			 "rules, too: switch br_netfilter off for it",
			 link->name);
		return -EBUSY;
	}
	return 0;
}

static int plan_bridge(const struct nftbridge_list *list, size_t index,
		       const struct nftlinks *links,
		       struct nftbridge_settings *settings, char *ret_error,
		       size_t size)
{
	const struct nftlinks_link *link =
		nftlinks_find(links, list->names[index]);

	if (!link || !link->known_call) {
		snprintf(ret_error, size, "bridge %s: no br_netfilter",
			 list->names[index]);
		return -EOPNOTSUPP;
	}
	if (!link->call_iptables)
		add_setting(settings, link->name, "call-iptables", 0);
	if (!link->call_ip6tables)
		add_setting(settings, link->name, "call-ip6tables", 0);
	return 0;
}

int nftbridge_plan(const struct nftbridge_list *list,
		   struct nftbridge_settings *ret_settings, char *ret_error,
		   size_t size)
{
	struct nftlinks links;
	size_t i;
	int error = nftlinks_read(&links);

	if (error) {
		snprintf(ret_error, size, "reading interfaces");
		return error;
	}
	ret_settings->count = 0;
	for (i = 0; i < 2; i++) {
		int was = read_sysctl(TAGGED[i]);

		if (was < 0) {
			snprintf(ret_error, size, "there is no br_netfilter");
			error = -EOPNOTSUPP;
		}
		if (was == 0)
			add_setting(ret_settings, GLOBAL, TAGGED[i], was);
	}
	if (!error && ret_settings->count)
		error = check_others(list, &links, ret_error, size);
	for (i = 0; !error && i < list->count; i++)
		error = plan_bridge(list, i, &links, ret_settings, ret_error,
				    size);
	nftlinks_fini(&links);
	return error;
}

static int change(const char *text, bool on)
{
	char bridge[16], what[32];
	int was, value, error;

	if (sscanf(text, "%15s %31s %d", bridge, what, &was) != 3)
		return -EBADMSG;
	value = on ? 1 : was;
	if (strcmp(bridge, GLOBAL) == 0)
		error = write_sysctl(what, value);
	else
		error = nftlinks_set_bridge(bridge,
					    strcmp(what, "call-iptables") == 0
						    ? IFLA_BR_NF_CALL_IPTABLES
						    : IFLA_BR_NF_CALL_IP6TABLES,
					    (uint8_t)value);
	return error == -ENODEV ? 0 : error;
}

static int change_all(const struct nftbridge_settings *settings, bool on)
{
	int first = 0;
	size_t i;

	for (i = 0; i < settings->count; i++) {
		int error = change(settings->was[i], on);

		if (error && !first)
			first = error;
	}
	return first;
}

int nftbridge_switch_on(const struct nftbridge_settings *settings)
{
	return change_all(settings, true);
}

int nftbridge_put_back(const struct nftbridge_settings *settings)
{
	return change_all(settings, false);
}

static bool is_on(const struct nftlinks *links, const char *text)
{
	char bridge[16], what[32];
	const struct nftlinks_link *link;
	int was;

	if (sscanf(text, "%15s %31s %d", bridge, what, &was) != 3)
		return true;
	if (strcmp(bridge, GLOBAL) == 0)
		return read_sysctl(what) == 1;
	link = nftlinks_find(links, bridge);
	if (!link)
		return true;
	return strcmp(what, "call-iptables") == 0 ? link->call_iptables
						  : link->call_ip6tables;
}

bool nftbridge_is_on(const struct nftbridge_settings *settings)
{
	struct nftlinks links;
	bool on = true;
	size_t i;

	if (settings->count == 0 || nftlinks_read(&links) != 0)
		return true;
	for (i = 0; on && i < settings->count; i++)
		on = is_on(&links, settings->was[i]);
	nftlinks_fini(&links);
	return on;
}
