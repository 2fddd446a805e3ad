/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One filter a priority, so that each is removed by its number, also by
 * somebody who does not know what it matched; unless an operator has one of
 * that number.
 */
#include "shaper/io/ring_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/io/hold_qdisc.h"
#include "shaper/io/ring_dump.h"

enum {
	KEYS_MAX = 12,
	MESSAGE_BYTES = 1024,
	ANSWER_BYTES = 4096,
	IPV4_SOURCE = 12, /* offsets in the header */
	IPV4_FRAGMENT = 4,
	IPV4_PROTOCOL = 8,
	IPV4_PORTS = 20,
	IPV6_SOURCE = 8,
	IPV6_NEXT = 4,
	IPV6_PORTS = 40,
};
#define AT_INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

struct ringfilter {
	struct mnl_socket *netlink;
	uint32_t number;
};

_Static_assert((int)RINGDUMP_CLASSES == (int)RINGFILTER_CLASSES,
	       "one priority a class");

struct message {
	union {
		char bytes[MESSAGE_BYTES];
		struct nlmsghdr header;
	};
};

struct selector {
	uint32_t count;
	struct tc_u32_key keys[KEYS_MAX];
};

int ringfilter_new(struct ringfilter **ret_filter)
{
	struct ringfilter *filter = calloc(1, sizeof(*filter));
	int error;

	if (filter == NULL)
		return -ENOMEM;
	filter->netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (filter->netlink == NULL ||
	    mnl_socket_bind(filter->netlink, 0, MNL_SOCKET_AUTOPID) < 0) {
		error = -errno;
		ringfilter_free(filter);
		return error;
	}
	*ret_filter = filter;
	return 0;
}

void ringfilter_free(struct ringfilter *filter)
{
	if (filter == NULL)
		return;
	if (filter->netlink != NULL)
		mnl_socket_close(filter->netlink);
	free(filter);
}

/* ------ netlink */

static int say(struct ringfilter *filter, struct message *message)
{
	unsigned int port = mnl_socket_get_portid(filter->netlink);
	char answer[ANSWER_BYTES];
	ssize_t bytes;
	int result;

	message->header.nlmsg_seq = ++filter->number;
	if (mnl_socket_sendto(filter->netlink, message->bytes,
			      message->header.nlmsg_len) < 0)
		return -errno;
	do {
		bytes = mnl_socket_recvfrom(filter->netlink, answer,
					    sizeof(answer));
		if (bytes < 0)
			return -errno;
		result = mnl_cb_run(answer, (size_t)bytes, filter->number, port,
				    NULL, NULL);
		/* Of one before it. */
		if (result == MNL_CB_ERROR && errno == EPROTO)
			result = MNL_CB_OK;
	} while (result == MNL_CB_OK);
	return result == MNL_CB_ERROR ? -errno : 0;
}

static struct tcmsg *begin(struct message *message, uint16_t type,
			   uint16_t flags, uint32_t ifindex, uint32_t parent)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(message->bytes);
	struct tcmsg *body;

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
	body->tcm_family = AF_UNSPEC;
	body->tcm_ifindex = (int)ifindex;
	body->tcm_parent = parent;
	return body;
}

/* One that is there, whoever made it, will do. */
int ringfilter_prepare(struct ringfilter *filter, uint32_t vif)
{
	struct message message;
	struct tcmsg *body = begin(&message, RTM_NEWQDISC,
				   NLM_F_CREATE | NLM_F_EXCL, vif, TC_H_CLSACT);
	int error;

	body->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(&message.header, TCA_KIND, "clsact");
	error = say(filter, &message);
	return error == -EEXIST ? 0 : error;
}

/* ------ what matches */

static void match(struct selector *selector, int at, const void *value,
		  uint32_t mask)
{
	struct tc_u32_key *key = &selector->keys[selector->count++];

	memcpy(&key->val, value, sizeof(key->val));
	key->mask = htonl(mask);
	key->val &= key->mask;
	key->off = at;
}

static void match_address(struct selector *selector, int at,
			  const uint8_t *bytes, int count)
{
	for (int i = 0; i < count; i += 4)
		match(selector, at + i, bytes + i, UINT32_MAX);
}

static bool is_ipv4(const struct flow_key *key)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(key->inside, mapped, sizeof(mapped)) == 0;
}

static void match_flow(struct selector *selector, const struct flow_key *key,
		       bool ipv4)
{
	const uint16_t ports[2] = { htons(key->inside_port),
				    htons(key->outside_port) };
	const uint8_t first[4] = { 0x45 }, none[4] = { 0 };
	const uint8_t protocol[4] = { 0, key->proto };
	const uint8_t next[4] = { 0, 0, key->proto };

	if (ipv4) {
		match(selector, 0, first, 0xff000000);
		match(selector, IPV4_FRAGMENT, none, 0x00003fff);
		match(selector, IPV4_PROTOCOL, protocol, 0x00ff0000);
	} else {
		match(selector, IPV6_NEXT, next, 0x0000ff00);
	}
	match(selector, ipv4 ? IPV4_PORTS : IPV6_PORTS, ports, UINT32_MAX);
}

static void select_key(struct selector *selector, const struct flow_key *key)
{
	bool ipv4 = is_ipv4(key);

	memset(selector, 0, sizeof(*selector));
	if (ipv4) {
		match_address(selector, IPV4_SOURCE, key->inside + 12, 4);
		match_address(selector, IPV4_SOURCE + 4, key->outside + 12, 4);
	} else {
		match_address(selector, IPV6_SOURCE, key->inside, 16);
		match_address(selector, IPV6_SOURCE + 16, key->outside, 16);
	}
	if (key->scope == FLOW_SCOPE_FLOW)
		match_flow(selector, key, ipv4);
}

/* The keys stand behind their count. */
static void put_selector(struct message *message,
			 const struct selector *selector)
{
	const struct tc_u32_sel head = { .flags = TC_U32_TERMINAL,
					 .nkeys = (uint8_t)selector->count };
	size_t keys_bytes = selector->count * sizeof(selector->keys[0]);
	char bytes[sizeof(head) + sizeof(selector->keys)];

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), selector->keys, keys_bytes);
	mnl_attr_put(&message->header, TCA_U32_SEL, sizeof(head) + keys_bytes,
		     bytes);
}

static uint32_t info_of(uint32_t class, bool ipv4)
{
	return TC_H_MAKE((RINGDUMP_FIRST_PRIORITY + class) << 16,
			 htons(ipv4 ? ETH_P_IP : ETH_P_IPV6));
}

/* ------ filters */

static void redirect(struct message *message, uint32_t device)
{
	const struct tc_mirred what = { .action = TC_ACT_STOLEN,
					.eaction = TCA_EGRESS_REDIR,
					.ifindex = device };
	struct nlmsghdr *header = &message->header;
	struct nlattr *actions = mnl_attr_nest_start(header, TCA_U32_ACT);
	struct nlattr *first = mnl_attr_nest_start(header, 1);
	struct nlattr *options;

	mnl_attr_put_strz(header, TCA_ACT_KIND, "mirred");
	mnl_attr_put(header, TCA_ACT_COOKIE, strlen(RINGDUMP_COOKIE),
		     RINGDUMP_COOKIE);
	options = mnl_attr_nest_start(header, TCA_ACT_OPTIONS);
	mnl_attr_put(header, TCA_MIRRED_PARMS, sizeof(what), &what);
	mnl_attr_nest_end(header, options);
	mnl_attr_nest_end(header, first);
	mnl_attr_nest_end(header, actions);
}

/* At the vif: to the device.  At the device: into the class. */
static int put(struct ringfilter *filter, const struct ringfilter_key *key,
	       bool at_vif)
{
	uint32_t root = holdqdisc_major();
	struct selector selector;
	struct message message;
	struct nlattr *options;
	struct tcmsg *body = begin(&message, RTM_NEWTFILTER,
				   NLM_F_CREATE | NLM_F_EXCL,
				   at_vif ? key->vif : key->device,
				   at_vif ? AT_INGRESS : root);

	body->tcm_info = info_of(key->class, is_ipv4(&key->key));
	select_key(&selector, &key->key);
	mnl_attr_put_strz(&message.header, TCA_KIND, "u32");
	options = mnl_attr_nest_start(&message.header, TCA_OPTIONS);
	put_selector(&message, &selector);
	if (at_vif)
		redirect(&message, key->device);
	else
		mnl_attr_put_u32(&message.header, TCA_U32_CLASSID,
				 root | key->class);
	mnl_attr_nest_end(&message.header, options);
	return say(filter, &message);
}

/* `handle` 0: all of that priority. */
static void drop(struct ringfilter *filter, uint32_t ifindex, uint32_t parent,
		 uint32_t info, uint32_t handle)
{
	struct message message;
	struct tcmsg *body =
		begin(&message, RTM_DELTFILTER, 0, ifindex, parent);

	body->tcm_info = info;
	body->tcm_handle = handle;
	if (handle != 0)
		mnl_attr_put_strz(&message.header, TCA_KIND, "u32");
	(void)say(filter, &message);
}

/* The device is ours, and so is all of it. */
static void drop_at_device(struct ringfilter *filter,
			   const struct ringfilter_key *key)
{
	drop(filter, key->device, holdqdisc_major(),
	     info_of(key->class, is_ipv4(&key->key)), 0);
}

static void drop_at_vif(struct ringfilter *filter, uint32_t vif, uint32_t class,
			bool ipv4, const struct ringdump *dump)
{
	const struct ringdump_class *of = &dump->of[class][!ipv4];

	if (of->handle != 0)
		drop(filter, vif, AT_INGRESS, info_of(class, ipv4),
		     of->shared ? of->handle : 0);
}

int ringfilter_add(struct ringfilter *filter, const struct ringfilter_key *key)
{
	int error = put(filter, key, false);

	if (error < 0)
		return error;
	error = put(filter, key, true);
	if (error < 0 && ringfilter_prepare(filter, key->vif) == 0)
		error = put(filter, key, true);
	if (error < 0)
		drop_at_device(filter, key);
	return error;
}

/* Of a vif whose filters are not told: nobody's packets are to go on waiting,
 * whoever else has that priority. */
void ringfilter_remove(struct ringfilter *filter,
		       const struct ringfilter_key *key)
{
	bool ipv4 = is_ipv4(&key->key);
	struct ringdump dump;

	if (ringdump_read(key->vif, &dump))
		drop_at_vif(filter, key->vif, key->class, ipv4, &dump);
	else
		drop(filter, key->vif, AT_INGRESS, info_of(key->class, ipv4),
		     0);
	drop_at_device(filter, key);
}

void ringfilter_clear(struct ringfilter *filter, uint32_t vif)
{
	struct ringdump dump;

	ringdump_read(vif, &dump);
	for (uint32_t class = 1; class <= RINGFILTER_CLASSES; class ++) {
		drop_at_vif(filter, vif, class, true, &dump);
		drop_at_vif(filter, vif, class, false, &dump);
	}
}

/* While there is any, each packet of the host is asked whether it meets one. */
static void drop_clsact(struct ringfilter *filter, uint32_t device)
{
	struct message message;

	begin(&message, RTM_DELQDISC, 0, device, TC_H_CLSACT);
	say(filter, &message);
}

int ringfilter_probe(struct ringfilter *filter, uint32_t device)
{
	struct ringfilter_key key = {
		.key = { .inside = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
			 .outside = { [10] = 0xff, 0xff, 192, 0, 2, 2 },
			 .scope = FLOW_SCOPE_PAIR },
		.vif = device,
		.device = device,
		.class = 1,
	};
	int error = ringfilter_add(filter, &key);

	if (error == 0)
		ringfilter_remove(filter, &key);
	drop_clsact(filter, device);
	return error;
}
