/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/fast_empty.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>

/* linux/bpf.h of Debian 12 does not know them yet. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47, GO_ON = -1 };

int empty_load(void)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K,
		  .dst_reg = BPF_REG_0,
		  .imm = GO_ON },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "bench_empty", "GPL",
			     program, sizeof(program) / sizeof(*program), NULL);
}

static int attach_link(int fd, int index)
{
	int link = bpf_link_create(fd, index, (enum bpf_attach_type)TCX_INGRESS,
				   NULL);

	if (link < 0)
		return link;
	link = bpf_link_create(fd, index, (enum bpf_attach_type)TCX_EGRESS,
			       NULL);
	return link < 0 ? link : 0;
}

/* Before Linux 6.6. */
static int attach_clsact(int fd, int index, enum bpf_tc_attach_point where)
{
	struct bpf_tc_hook hook = {
		.sz = sizeof(hook),
		.ifindex = index,
		.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS,
	};
	struct bpf_tc_opts options = {
		.sz = sizeof(options),
		.prog_fd = fd,
	};
	int error = bpf_tc_hook_create(&hook);

	if (error < 0 && error != -EEXIST)
		return error;
	hook.attach_point = where;
	return bpf_tc_attach(&hook, &options);
}

int empty_attach(int fd, const char *interface)
{
	int index = (int)if_nametoindex(interface), error;

	if (index == 0)
		return -ENODEV;
	if (attach_link(fd, index) == 0)
		return 0;
	error = attach_clsact(fd, index, BPF_TC_INGRESS);
	if (error == 0)
		error = attach_clsact(fd, index, BPF_TC_EGRESS);
	return error;
}

int empty_run(int fd, const uint8_t *frame, size_t bytes, int times)
{
	struct bpf_test_run_opts options = {
		.sz = sizeof(options),
		.data_in = frame,
		.data_size_in = (uint32_t)bytes,
		.repeat = times,
	};

	return bpf_prog_test_run_opts(fd, &options);
}
