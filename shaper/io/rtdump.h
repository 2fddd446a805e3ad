/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_RTDUMP_H
#define SHAPER_IO_RTDUMP_H

/* One question to the kernel's routing netlink, and all of its answers. */

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

struct rtdump {
	uint16_t type, flags; /* RTM_GET*; NLM_F_DUMP, or NLM_F_ACK for one */
	const void *body;     /* struct ifinfomsg and the like */
	size_t body_bytes;
	void (*each)(const struct nlmsghdr *message, void *data);
	void *data;
};

/* 0 or -errno. */
int rtdump_ask(const struct rtdump *dump);

/* A message's attributes by type, borrowed from it; NULL: it has none such. */
struct nlattr;
enum { RTDUMP_ATTRIBUTES = 128 };
struct rtdump_attributes {
	const struct nlattr *of[RTDUMP_ATTRIBUTES];
};

/* For mnl_attr_parse and mnl_attr_parse_nested; `data` is such a struct. */
int rtdump_note(const struct nlattr *attribute, void *data);

/* 0: it is not there, or no number of 32 bits. */
uint32_t rtdump_number(const struct rtdump_attributes *attributes,
		       uint16_t type);

#endif
