/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into symtapd, this stands for the module symtap_netback, where
 * there is no Xen: it answers on the socket of generic netlink.  It knows no
 * guard; NETBACK_REFUSES is the vif that it refuses.  Before each answer comes
 * one that is late.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xen-hooks/netback/protocol.h"

enum { FAMILY = 0x35, ANSWERS = 3, ANSWER_BYTES = 256 };

struct mnl_socket *mnl_socket_open2(int bus, int flags);
ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request,
			  size_t bytes);
ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *answer,
			    size_t bytes);

static struct mnl_socket *generic;
static _Alignas(struct nlmsghdr) uint8_t answers[ANSWERS][ANSWER_BYTES];
static size_t count, taken;

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *(*open2)(int, int) =
		(struct mnl_socket * (*)(int, int))
			dlsym(RTLD_NEXT, "mnl_socket_open2");
	struct mnl_socket *opened = open2(bus, flags);

	if (bus == NETLINK_GENERIC && generic == NULL)
		generic = opened;
	return opened;
}

int stat(const char *path, struct stat *ret_status)
{
	int (*next)(const char *, struct stat *) =
		(int (*)(const char *, struct stat *))dlsym(RTLD_NEXT, "stat");

	return next(strcmp(path, "/sys/module/symtap_netback") == 0 ? "/"
								    : path,
		    ret_status);
}

static struct nlmsghdr *put(const struct nlmsghdr *request, uint16_t type)
{
	struct nlmsghdr *answer = mnl_nlmsg_put_header(answers[count++]);

	answer->nlmsg_type = type;
	answer->nlmsg_seq = request->nlmsg_seq;
	answer->nlmsg_pid = mnl_socket_get_portid(generic);
	return answer;
}

static void put_error(const struct nlmsghdr *request, int error)
{
	struct nlmsghdr *answer = put(request, NLMSG_ERROR);
	struct nlmsgerr *why = mnl_nlmsg_put_extra_header(answer, sizeof(*why));

	why->error = error;
	why->msg = *request;
}

static void put_family(const struct nlmsghdr *request)
{
	struct nlmsghdr *answer = put(request, GENL_ID_CTRL);
	struct genlmsghdr *head =
		mnl_nlmsg_put_extra_header(answer, sizeof(*head));

	head->cmd = CTRL_CMD_NEWFAMILY;
	mnl_attr_put_u16(answer, CTRL_ATTR_FAMILY_ID, FAMILY);
	mnl_attr_put_u32(answer, CTRL_ATTR_VERSION, NETGUARD_VERSION);
}

static int note_name(const struct nlattr *attribute, void *self)
{
	if (mnl_attr_get_type(attribute) == NETGUARD_INTERFACE)
		*(const char **)self = mnl_attr_get_str(attribute);
	return MNL_CB_OK;
}

static int answer_to(const struct nlmsghdr *request)
{
	const struct genlmsghdr *head = mnl_nlmsg_get_payload(request);
	const char *name = "", *refused = getenv("NETBACK_REFUSES");

	mnl_attr_parse(request, sizeof(*head), note_name, &name);
	if (head->cmd == NETGUARD_SET && refused != NULL &&
	    strcmp(name, refused) == 0)
		return -ENOSPC;
	return head->cmd == NETGUARD_SET || head->cmd == NETGUARD_UNSET
		       ? 0
		       : -ENODEV;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request,
			  size_t bytes)
{
	ssize_t (*sendto)(const struct mnl_socket *, const void *, size_t) =
		(ssize_t(*)(const struct mnl_socket *, const void *,
			    size_t))dlsym(RTLD_NEXT, "mnl_socket_sendto");
	const struct nlmsghdr *message = request;
	struct nlmsghdr late;

	if (socket != generic || generic == NULL)
		return sendto(socket, request, bytes);
	count = taken = 0;
	late = *message;
	late.nlmsg_seq--;
	put_error(&late, -EINVAL);
	if (message->nlmsg_type == GENL_ID_CTRL)
		put_family(message);
	put_error(message,
		  message->nlmsg_type == FAMILY ? answer_to(message) : 0);
	return (ssize_t)bytes;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *answer,
			    size_t bytes)
{
	ssize_t (*recvfrom)(const struct mnl_socket *, void *, size_t) =
		(ssize_t(*)(const struct mnl_socket *, void *,
			    size_t))dlsym(RTLD_NEXT, "mnl_socket_recvfrom");
	const struct nlmsghdr *next = (const void *)answers[taken];

	if (socket != generic || generic == NULL)
		return recvfrom(socket, answer, bytes);
	if (taken == count) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(answer, next, next->nlmsg_len);
	taken++;
	return next->nlmsg_len;
}
