/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/hooks.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shaper/io/rtdump.h"

/* linux/bpf.h of Debian 12 does not know the first two yet. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47, PROGRAMS_MAX = 64 };

struct list {
	const char *interface;
	uint32_t ifindex;
	enum hooks_place place;
	struct hooks_program *programs;
	size_t count, max;
};

static void add(struct list *list, const char *name, bool ours)
{
	struct hooks_program *program;

	if (list->count == list->max)
		return;
	program = &list->programs[list->count++];
	memset(program, 0, sizeof(*program));
	snprintf(program->interface, sizeof(program->interface), "%.15s",
		 list->interface);
	snprintf(program->name, sizeof(program->name), "%.31s", name);
	program->place = list->place;
	program->ours = ours;
}

/* ------ programs, by number */

static long call_bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

/* false: we may not, or it has gone. */
static bool read_name(uint32_t id, char ret_name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attributes;
	long fd, result;

	memset(&attributes, 0, sizeof(attributes));
	attributes.prog_id = id;
	fd = call_bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
	if (fd < 0)
		return false;
	memset(&attributes, 0, sizeof(attributes));
	attributes.info.bpf_fd = (uint32_t)fd;
	attributes.info.info_len = sizeof(info);
	attributes.info.info = (uintptr_t)&info;
	result = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes);
	close((int)fd);
	snprintf(ret_name, BPF_OBJ_NAME_LEN, "%.15s", info.name);
	return result == 0 && ret_name[0] != '\0';
}

static void add_program(struct list *list, uint32_t id)
{
	static const char own[] = "symtap_";
	char name[BPF_OBJ_NAME_LEN], number[HOOKS_NAME_BYTES];

	if (read_name(id, name)) {
		add(list, name, strncmp(name, own, strlen(own)) == 0);
		return;
	}
	snprintf(number, sizeof(number), "program %u", id);
	add(list, number, false);
}

/* Also -EINVAL: this kernel has none. */
static void read_tcx(struct list *list)
{
	uint32_t ids[PROGRAMS_MAX];
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.query.target_fd = list->ifindex;
	attributes.query.attach_type =
		list->place == HOOKS_INGRESS ? TCX_INGRESS : TCX_EGRESS;
	attributes.query.prog_ids = (uintptr_t)ids;
	attributes.query.prog_cnt = PROGRAMS_MAX;
	if (call_bpf(BPF_PROG_QUERY, &attributes) < 0)
		return;
	for (uint32_t i = 0; i < attributes.query.prog_cnt && i < PROGRAMS_MAX;
	     i++)
		add_program(list, ids[i]);
}

/* ------ netlink */

_Static_assert((int)IFLA_XDP_MAX < RTDUMP_ATTRIBUTES &&
		       (int)TCA_MAX < RTDUMP_ATTRIBUTES &&
		       (int)TCA_BPF_MAX < RTDUMP_ATTRIBUTES &&
		       (int)IFLA_XDP < RTDUMP_ATTRIBUTES,
	       "a place for each");

/* One, or one for each mode. */
static void on_link(const struct nlmsghdr *message, void *data)
{
	static const uint16_t modes[] = { IFLA_XDP_DRV_PROG_ID,
					  IFLA_XDP_SKB_PROG_ID,
					  IFLA_XDP_HW_PROG_ID };
	struct rtdump_attributes link = { 0 }, xdp = { 0 };
	bool found = false;

	if (message->nlmsg_type != RTM_NEWLINK ||
	    mnl_attr_parse(message, sizeof(struct ifinfomsg), rtdump_note,
			   &link) < 0 ||
	    !link.of[IFLA_XDP] ||
	    mnl_attr_parse_nested(link.of[IFLA_XDP], rtdump_note, &xdp) < 0)
		return;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		uint32_t id = rtdump_number(&xdp, modes[i]);

		if (id != 0)
			add_program(data, id);
		found |= id != 0;
	}
	if (!found && rtdump_number(&xdp, IFLA_XDP_PROG_ID) != 0)
		add_program(data, rtdump_number(&xdp, IFLA_XDP_PROG_ID));
}

static void on_filter(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *filter = mnl_nlmsg_get_payload(message);
	struct rtdump_attributes attributes = { 0 }, options = { 0 };
	const struct nlattr *kind;

	/* Without a handle it is the place of others. */
	if (message->nlmsg_type != RTM_NEWTFILTER ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*filter) ||
	    filter->tcm_handle == 0 ||
	    mnl_attr_parse(message, sizeof(*filter), rtdump_note, &attributes) <
		    0)
		return;
	kind = attributes.of[TCA_KIND];
	if (!kind || mnl_attr_validate(kind, MNL_TYPE_NUL_STRING) < 0)
		return;
	if (attributes.of[TCA_OPTIONS] &&
	    mnl_attr_parse_nested(attributes.of[TCA_OPTIONS], rtdump_note,
				  &options) < 0)
		return;
	if (strcmp(mnl_attr_get_str(kind), "bpf") == 0 &&
	    rtdump_number(&options, TCA_BPF_ID) != 0)
		add_program(data, rtdump_number(&options, TCA_BPF_ID));
	else
		add(data, mnl_attr_get_str(kind), false);
}

static int read_xdp(struct list *list)
{
	const struct ifinfomsg body = { .ifi_index = (int)list->ifindex };

	list->place = HOOKS_XDP;
	return rtdump_ask(&(struct rtdump){ .type = RTM_GETLINK,
					    .flags = NLM_F_ACK,
					    .body = &body,
					    .body_bytes = sizeof(body),
					    .each = on_link,
					    .data = list });
}

/* tcx comes first. */
static int read_tc(struct list *list, enum hooks_place place)
{
	const struct tcmsg body = {
		.tcm_ifindex = (int)list->ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, place == HOOKS_INGRESS
							     ? TC_H_MIN_INGRESS
							     : TC_H_MIN_EGRESS),
	};

	list->place = place;
	read_tcx(list);
	return rtdump_ask(&(struct rtdump){ .type = RTM_GETTFILTER,
					    .flags = NLM_F_DUMP,
					    .body = &body,
					    .body_bytes = sizeof(body),
					    .each = on_filter,
					    .data = list });
}

int hooks_read(const char *interface, struct hooks_program *ret_programs,
	       size_t max, size_t *ret_count)
{
	struct list list = {
		.interface = interface,
		.ifindex = if_nametoindex(interface),
		.programs = ret_programs,
		.max = max,
	};
	int error;

	if (list.ifindex == 0)
		return -errno;
	error = read_xdp(&list);
	if (error == 0)
		error = read_tc(&list, HOOKS_INGRESS);
	if (error == 0)
		error = read_tc(&list, HOOKS_EGRESS);
	if (error == 0)
		*ret_count = list.count;
	return error;
}
