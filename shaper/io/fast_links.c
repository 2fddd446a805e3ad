/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_links.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	/* linux/bpf.h of Debian 12 does not know them yet. */
	TCX_INGRESS = 46,
	TCX_EGRESS = 47,
	/* Ours among the filters of an interface ("SYMT"): before those whose
	 * priority tc chooses, which begin at 49152 and go down. */
	FILTER_HANDLE = 0x53594d54,
	FILTER_PRIORITY = 83,
};

enum direction { IN, OUT, DIRECTIONS };

/* In is what leaves by the interface. */
static const int tcx_types[DIRECTIONS] = { TCX_EGRESS, TCX_INGRESS };
static const enum bpf_tc_attach_point hook_points[DIRECTIONS] = {
	BPF_TC_EGRESS, BPF_TC_INGRESS
};

/* ------ tcx */

static void close_links(struct fastlinks *links)
{
	for (int i = 0; i < DIRECTIONS; i++)
		if (links->fds[i] > 0)
			close(links->fds[i]);
	memset(links, 0, sizeof(*links));
}

static int attach_tcx(struct fastlinks *links, uint32_t ifindex,
		      const int programs[DIRECTIONS])
{
	for (int i = 0; i < DIRECTIONS; i++) {
		int fd = bpf_link_create(programs[i], (int)ifindex,
					 (enum bpf_attach_type)tcx_types[i],
					 NULL);

		if (fd < 0) {
			close_links(links);
			return fd;
		}
		links->fds[i] = fd;
	}
	links->way = FASTLINKS_TCX;
	links->ifindex = ifindex;
	return 0;
}

/* The interface is 0 when it is gone, or somebody detached the link.  It stands
 * where that of an XDP link does. */
static bool has_link(int fd)
{
	struct bpf_link_info info = { 0 };
	uint32_t bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 &&
	       info.xdp.ifindex != 0;
}

/* ------ clsact */

static struct bpf_tc_hook hook_of(uint32_t ifindex, enum direction direction)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)ifindex,
		.attach_point = hook_points[direction],
	};
}

static struct bpf_tc_opts filter(void)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts),
		.handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY,
	};
}

/* Which program stands at our place; 0: none. */
static uint32_t filter_there(uint32_t ifindex, enum direction direction)
{
	const struct bpf_tc_hook hook = hook_of(ifindex, direction);
	struct bpf_tc_opts options = filter();

	return bpf_tc_query(&hook, &options) == 0 ? options.prog_id : 0;
}

static void remove_filters(struct fastlinks *links)
{
	for (int i = 0; i < DIRECTIONS; i++) {
		const struct bpf_tc_hook hook =
			hook_of(links->ifindex, (enum direction)i);
		const struct bpf_tc_opts options = filter();
		uint32_t there =
			filter_there(links->ifindex, (enum direction)i);

		if (there != 0 && there == links->programs[i])
			bpf_tc_detach(&hook, &options);
	}
	memset(links, 0, sizeof(*links));
}

/* One that was left there is replaced. */
static int add_filter(struct fastlinks *links, enum direction direction,
		      int program)
{
	const struct bpf_tc_hook hook = hook_of(links->ifindex, direction);
	struct bpf_tc_opts options = filter();
	int error;

	options.prog_fd = program;
	options.flags = BPF_TC_F_REPLACE;
	error = bpf_tc_attach(&hook, &options);
	if (error < 0)
		return error;
	links->programs[direction] = options.prog_id;
	return 0;
}

static int attach_clsact(struct fastlinks *links, uint32_t ifindex,
			 const int programs[DIRECTIONS])
{
	struct bpf_tc_hook both = hook_of(ifindex, IN);
	int error;

	both.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	error = bpf_tc_hook_create(&both);
	if (error < 0 && error != -EEXIST)
		return error;
	links->ifindex = ifindex;
	for (int i = 0; i < DIRECTIONS; i++) {
		error = add_filter(links, (enum direction)i, programs[i]);
		if (error < 0) {
			remove_filters(links);
			return error;
		}
	}
	links->way = FASTLINKS_CLSACT;
	/* A qdisc of the kind "ingress" takes filters for egress, too, and runs
	 * them at ingress: then the second has replaced the first. */
	if (fastlinks_are_there(links))
		return 0;
	remove_filters(links);
	return -EBUSY;
}

/* ------ either */

int fastlinks_attach(struct fastlinks *links, uint32_t ifindex, int in, int out,
		     char ret_wrong[FASTLINKS_TEXT_BYTES])
{
	const int programs[DIRECTIONS] = { [IN] = in, [OUT] = out };
	int by_tcx, by_clsact;

	memset(links, 0, sizeof(*links));
	by_tcx = attach_tcx(links, ifindex, programs);
	if (by_tcx == 0)
		return 0;
	by_clsact = attach_clsact(links, ifindex, programs);
	if (by_clsact == 0)
		return 0;
	snprintf(ret_wrong, FASTLINKS_TEXT_BYTES,
		 "this kernel takes neither tcx links (Linux 6.6; %s) nor "
		 "filters of clsact (CONFIG_NET_SCH_INGRESS, "
		 "CONFIG_NET_CLS_BPF; %s)",
		 strerror(-by_tcx), strerror(-by_clsact));
	return by_clsact;
}

bool fastlinks_are_there(const struct fastlinks *links)
{
	for (int i = 0; i < DIRECTIONS; i++) {
		enum direction direction = (enum direction)i;

		switch (links->way) {
		case FASTLINKS_NONE:
			return false;
		case FASTLINKS_TCX:
			if (!has_link(links->fds[i]))
				return false;
			break;
		case FASTLINKS_CLSACT:
			if (filter_there(links->ifindex, direction) !=
			    links->programs[i])
				return false;
			break;
		}
	}
	return true;
}

void fastlinks_detach(struct fastlinks *links)
{
	switch (links->way) {
	case FASTLINKS_NONE:
		break;
	case FASTLINKS_TCX:
		close_links(links);
		break;
	case FASTLINKS_CLSACT:
		remove_filters(links);
		break;
	}
}
