/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/ring_dump.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "shaper/io/rtdump.h"

/* Hash tables that somebody made have numbers below it. */
enum { FIRST_ROOT = 0x800 };

/* NULL: there is none such. */
static const struct nlattr *inside(const struct nlattr *nest, uint16_t type)
{
	struct rtdump_attributes all = { 0 };

	if (nest == NULL || mnl_attr_parse_nested(nest, rtdump_note, &all) < 0)
		return NULL;
	return all.of[type];
}

static bool is(const struct nlattr *attribute, const char *text, size_t bytes)
{
	return attribute != NULL &&
	       mnl_attr_get_payload_len(attribute) == bytes &&
	       memcmp(mnl_attr_get_payload(attribute), text, bytes) == 0;
}

static bool is_ours(const struct nlattr *options)
{
	const struct nlattr *first = inside(inside(options, TCA_U32_ACT), 1);

	return is(inside(first, TCA_ACT_COOKIE), RINGDUMP_COOKIE,
		  strlen(RINGDUMP_COOKIE));
}

/* Each priority has an entry of its own, without a handle, and a first table,
 * which go with the last of its filters. */
static bool is_filter(uint32_t handle)
{
	return TC_U32_KEY(handle) != 0 ||
	       (handle != 0 && TC_U32_USERHTID(handle) < FIRST_ROOT);
}

static void take_filter(const struct nlmsghdr *message, void *data)
{
	struct ringdump *dump = data;
	const struct tcmsg *body = mnl_nlmsg_get_payload(message);
	struct rtdump_attributes all = { 0 };
	struct ringdump_class *of;
	uint32_t class;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*body) ||
	    mnl_attr_parse(message, sizeof(*body), rtdump_note, &all) < 0)
		return;
	class = (TC_H_MAJ(body->tcm_info) >> 16) - RINGDUMP_FIRST_PRIORITY;
	if (class < 1 || class > RINGDUMP_CLASSES ||
	    !is(all.of[TCA_KIND], "u32", sizeof("u32")) ||
	    !is_filter(body->tcm_handle))
		return;
	of = &dump->of[class][TC_H_MIN(body->tcm_info) == htons(ETH_P_IPV6)];
	if (of->handle == 0 && is_ours(all.of[TCA_OPTIONS]))
		of->handle = body->tcm_handle;
	else
		of->shared = true;
}

bool ringdump_read(uint32_t vif, struct ringdump *ret_dump)
{
	const struct tcmsg body = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)vif,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
	};
	const struct rtdump ask = {
		.type = RTM_GETTFILTER,
		.flags = NLM_F_DUMP,
		.body = &body,
		.body_bytes = sizeof(body),
		.each = take_filter,
		.data = ret_dump,
	};

	memset(ret_dump, 0, sizeof(*ret_dump));
	return rtdump_ask(&ask) == 0;
}
