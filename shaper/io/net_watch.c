/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/net_watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

struct netwatch {
	struct mnl_socket *socket;
	uint64_t changes;
};

int netwatch_new(struct netwatch **ret_watch)
{
	struct netwatch *watch = calloc(1, sizeof(*watch));
	int error;

	if (watch == NULL)
		return -ENOMEM;
	watch->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (watch->socket == NULL ||
	    mnl_socket_bind(watch->socket,
			    RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
				    RTMGRP_IPV6_IFADDR,
			    MNL_SOCKET_AUTOPID) < 0) {
		error = -errno;
		netwatch_free(watch);
		return error;
	}
	*ret_watch = watch;
	return 0;
}

void netwatch_free(struct netwatch *watch)
{
	if (watch == NULL)
		return;
	if (watch->socket != NULL)
		mnl_socket_close(watch->socket);
	free(watch);
}

/* What they say does not matter, nor that some were lost. */
uint64_t netwatch_look(struct netwatch *watch)
{
	int fd = mnl_socket_get_fd(watch->socket);
	char byte;

	for (;;) {
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0 ||
		    errno == ENOBUFS)
			watch->changes++;
		else if (errno != EINTR)
			return watch->changes;
	}
}
