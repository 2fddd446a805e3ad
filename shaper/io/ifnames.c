/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/ifnames.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	RECEIVE_BYTES = 32768,
	FIRST_ROOM = 64,
	LISTS_AT_ONCE = 64, /* one after the other was interrupted */
};

struct interface {
	uint32_t ifindex;
	uint32_t mtu_bytes;
	uint32_t vrf;  /* ifindex of the one that it is in; 0: none */
	uint32_t list; /* the last that it was in, or was told of during */
	char name[IFNAMES_NAME_SIZE];
};

/* What a message gives. */
struct told {
	const char *name;
	uint32_t mtu_bytes, master;
	bool has_vrf; /* that is what the master is */
};

/* Sorted by ifindex. */
struct ifnames {
	struct mnl_socket *socket;
	struct interface *list;
	size_t count, room;
	uint32_t generation;
	uint32_t list_number; /* of the one that was asked for last */
	bool asked;           /* it has not come to its end */
	bool again;           /* it, or news, have a gap */
	_Alignas(struct nlmsghdr) uint8_t bytes[RECEIVE_BYTES];
};

/* Where `ifindex` is, or would have to be. */
static size_t place_of(const struct ifnames *names, uint32_t ifindex)
{
	size_t low = 0, high = names->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (names->list[middle].ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct ifnames *names, size_t at, uint32_t ifindex)
{
	return at < names->count && names->list[at].ifindex == ifindex;
}

static bool make_room(struct ifnames *names)
{
	size_t room = names->room ? names->room * 2 : FIRST_ROOM;
	struct interface *list;

	if (names->count < names->room)
		return true;
	if (names->count >= IFNAMES_MAX)
		return false;
	list = realloc(names->list, room * sizeof(*list));
	if (list == NULL)
		return false;
	names->list = list;
	names->room = room;
	return true;
}

static void put(struct ifnames *names, uint32_t ifindex,
		const struct told *told)
{
	uint32_t mtu_bytes = told->mtu_bytes;
	uint32_t vrf = told->has_vrf ? told->master : 0;
	size_t at = place_of(names, ifindex);

	if (is_at(names, at, ifindex)) {
		names->list[at].list = names->list_number;
		if (mtu_bytes == 0) { /* told nothing of these */
			mtu_bytes = names->list[at].mtu_bytes;
			vrf = names->list[at].vrf;
		}
		if (strcmp(names->list[at].name, told->name) == 0 &&
		    names->list[at].mtu_bytes == mtu_bytes &&
		    names->list[at].vrf == vrf)
			return;
	} else {
		if (!make_room(names))
			return;
		memmove(&names->list[at + 1], &names->list[at],
			(names->count - at) * sizeof(*names->list));
		names->count++;
	}
	names->list[at].ifindex = ifindex;
	names->list[at].list = names->list_number;
	names->list[at].mtu_bytes = mtu_bytes;
	names->list[at].vrf = vrf;
	strncpy(names->list[at].name, told->name, IFNAMES_NAME_SIZE - 1);
	names->list[at].name[IFNAMES_NAME_SIZE - 1] = '\0';
	names->generation++;
}

static void take_out(struct ifnames *names, uint32_t ifindex)
{
	size_t at = place_of(names, ifindex);

	if (!is_at(names, at, ifindex))
		return;
	names->count--;
	memmove(&names->list[at], &names->list[at + 1],
		(names->count - at) * sizeof(*names->list));
	names->generation++;
}

static int read_linkinfo(const struct nlattr *attr, void *self)
{
	struct told *ret_told = self;

	if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_KIND &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		ret_told->has_vrf = strcmp(mnl_attr_get_str(attr), "vrf") == 0;
	return MNL_CB_OK;
}

static int read_attr(const struct nlattr *attr, void *self)
{
	struct told *ret_told = self;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			ret_told->name = mnl_attr_get_str(attr);
		break;
	case IFLA_MTU:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			ret_told->mtu_bytes = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			ret_told->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, read_linkinfo, self);
		break;
	}
	return MNL_CB_OK;
}

static void read_link(struct ifnames *names, const struct nlmsghdr *header)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(header);
	struct told told = { 0 };

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*link) ||
	    link->ifi_index <= 0)
		return;
	/* A bridge that lets a port go says so with a RTM_DELLINK of its own
	 * family; the interface stays. */
	if (link->ifi_family != AF_UNSPEC)
		return;
	if (header->nlmsg_type == RTM_DELLINK) {
		take_out(names, (uint32_t)link->ifi_index);
		return;
	}
	mnl_attr_parse(header, sizeof(*link), read_attr, &told);
	if (told.name != NULL)
		put(names, (uint32_t)link->ifi_index, &told);
}

/* ------ lists */

/* One at a time: while another is under way the kernel refuses. */
static int ask(struct ifnames *names)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[64];
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *link;

	header->nlmsg_type = RTM_GETLINK;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = ++names->list_number;
	link = mnl_nlmsg_put_extra_header(header, sizeof(*link));
	link->ifi_family = AF_UNSPEC;
	if (mnl_socket_sendto(names->socket, header, header->nlmsg_len) < 0)
		return -errno;
	names->asked = true;
	names->again = false;
	return 0;
}

/* Who is not in a list without a gap is gone. */
static void end_list(struct ifnames *names, const struct nlmsghdr *end)
{
	size_t kept = 0;

	if (end->nlmsg_seq != names->list_number)
		return;
	names->asked = false;
	if (names->again)
		return;
	for (size_t i = 0; i < names->count; i++)
		if (names->list[i].list == names->list_number)
			names->list[kept++] = names->list[i];
	names->generation += kept < names->count;
	names->count = kept;
}

/* Events carry sequence 0 or that of whoever caused them: not checked. */
static void read_message(struct ifnames *names, const struct nlmsghdr *header)
{
	/* The list changed under us; what it says is true all the same. */
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		names->again = true;
	switch (header->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		read_link(names, header);
		break;
	case NLMSG_ERROR:
		names->again = true;
		end_list(names, header);
		break;
	case NLMSG_DONE:
		end_list(names, header);
		break;
	}
}

/* 1: something came; 0: nothing; or -errno. */
static int receive(struct ifnames *names)
{
	const struct nlmsghdr *header = (const void *)names->bytes;
	ssize_t got = recv(mnl_socket_get_fd(names->socket), names->bytes,
			   sizeof(names->bytes), MSG_DONTWAIT);
	int left = (int)got;

	if (got < 0 && errno == ENOBUFS)
		names->again = true;
	else if (got < 0 && errno == EAGAIN)
		return 0;
	else if (got < 0 && errno != EINTR)
		return -errno;
	for (; mnl_nlmsg_ok(header, left);
	     header = mnl_nlmsg_next(header, &left))
		read_message(names, header);
	return 1;
}

/* The kernel goes on with a list as it is read: when nothing is there, nothing
 * comes. */
int ifnames_update(struct ifnames *names)
{
	int lists = LISTS_AT_ONCE;
	int got;

	for (;;) {
		got = receive(names);
		if (got < 0)
			return got;
		if (got == 0 && names->asked) {
			names->asked = false;
			names->again = true;
		}
		if (got == 0 && !names->again)
			return 0;
		if (!names->again || names->asked)
			continue;
		if (lists-- == 0)
			return -EAGAIN;
		got = ask(names);
		if (got < 0)
			return got;
	}
}

int ifnames_new(struct ifnames **ret_names)
{
	struct ifnames *names = calloc(1, sizeof(*names));
	int error = -ENOMEM;

	if (names == NULL)
		return error;
	names->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (names->socket == NULL || mnl_socket_bind(names->socket, RTMGRP_LINK,
						     MNL_SOCKET_AUTOPID) < 0) {
		error = -errno;
		ifnames_free(names);
		return error;
	}
	error = ask(names);
	if (error == 0)
		error = ifnames_update(names);
	if (error < 0) {
		ifnames_free(names);
		return error;
	}
	*ret_names = names;
	return 0;
}

void ifnames_free(struct ifnames *names)
{
	if (names == NULL)
		return;
	if (names->socket != NULL)
		mnl_socket_close(names->socket);
	free(names->list);
	free(names);
}

int ifnames_fd(const struct ifnames *names)
{
	return mnl_socket_get_fd(names->socket);
}

uint32_t ifnames_generation(const struct ifnames *names)
{
	return names->generation;
}

const char *ifnames_get(const struct ifnames *names, uint32_t ifindex)
{
	size_t at = place_of(names, ifindex);
	size_t vrf;

	if (!is_at(names, at, ifindex))
		return NULL;
	vrf = place_of(names, names->list[at].vrf);
	if (is_at(names, vrf, names->list[at].vrf))
		at = vrf;
	return names->list[at].name;
}

bool ifnames_has_vrf(const struct ifnames *names, uint32_t ifindex)
{
	size_t at = place_of(names, ifindex);

	return is_at(names, at, ifindex) && names->list[at].vrf != 0;
}

/* Its own is larger than any packet. */
static uint32_t mtu_of_ports(const struct ifnames *names, uint32_t vrf)
{
	uint32_t largest_bytes = 0;

	for (size_t i = 0; i < names->count; i++)
		if (names->list[i].vrf == vrf &&
		    names->list[i].mtu_bytes > largest_bytes)
			largest_bytes = names->list[i].mtu_bytes;
	return largest_bytes;
}

uint32_t ifnames_mtu_bytes(const struct ifnames *names, uint32_t ifindex)
{
	size_t at = place_of(names, ifindex);
	uint32_t mtu_bytes;

	if (!is_at(names, at, ifindex))
		return 0;
	if (names->list[at].mtu_bytes <= UINT16_MAX)
		return names->list[at].mtu_bytes;
	mtu_bytes = mtu_of_ports(names, ifindex);
	return mtu_bytes != 0 ? mtu_bytes : names->list[at].mtu_bytes;
}
