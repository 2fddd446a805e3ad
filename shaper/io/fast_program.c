/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_lacks.h"
#include "shaper/io/fast_links.h"

/* Made of fast.bpf.c by the build; it uses the above. */
#include <fast.skel.h>

enum { VERIFIER_LOG_BYTES = 1 << 20 };

struct fastprogram {
	struct symtap *skeleton;
	char *verifier_log; /* until it is loaded */
	struct fastlinks links[FAST_INTERFACES];
};

/* What libbpf has to say goes nowhere: ret_wrong says what matters. */
static int say_nothing(enum libbpf_print_level level, const char *format,
		       va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static struct symtap *open_skeleton(char *verifier_log)
{
	struct bpf_object_open_opts options = { .sz = sizeof(options),
						.kernel_log_buf = verifier_log,
						.kernel_log_size =
							VERIFIER_LOG_BYTES };

	return symtap__open_opts(&options);
}

/* Before the program, which takes long: the daemon begins with these. */
static int make_map(struct bpf_map *map)
{
	struct bpf_map_create_opts options = {
		.sz = sizeof(options),
		.map_flags = bpf_map__map_flags(map),
	};
	int error, fd;

	fd = bpf_map_create(bpf_map__type(map), bpf_map__name(map),
			    bpf_map__key_size(map), bpf_map__value_size(map),
			    bpf_map__max_entries(map), &options);
	if (fd < 0)
		return fd;
	error = bpf_map__reuse_fd(map, fd);
	close(fd);
	return error;
}

static int make_maps(struct fastprogram *program,
		     const struct fast_options *options,
		     char ret_wrong[FAST_TEXT_BYTES])
{
	struct symtap *skeleton = open_skeleton(program->verifier_log);
	int error;

	if (skeleton == NULL) {
		snprintf(ret_wrong, FAST_TEXT_BYTES,
			 "the kernel program cannot be read");
		return -errno;
	}
	program->skeleton = skeleton;
	skeleton->rodata->fast_test = options->test;
	skeleton->rodata->fast_pump_only = options->pump_only;
	error = bpf_map__set_max_entries(skeleton->maps.symtap_slots,
					 FAST_ELEMENTS * options->slots);
	if (error == 0)
		error = make_map(skeleton->maps.symtap_slots);
	if (error == 0)
		error = make_map(skeleton->maps.symtap_heard);
	if (error == 0)
		error = make_map(skeleton->maps.bss);
	if (error < 0)
		fastlacks_tell(error, program->verifier_log, ret_wrong);
	return error;
}

int fastprogram_new(const struct fast_options *options,
		    struct fastprogram **ret_program,
		    char ret_wrong[FAST_TEXT_BYTES])
{
	struct fastprogram *program = calloc(1, sizeof(*program));
	int error = -ENOMEM;

	snprintf(ret_wrong, FAST_TEXT_BYTES, "out of memory");
	libbpf_set_print(say_nothing);
	if (program != NULL)
		program->verifier_log = calloc(1, VERIFIER_LOG_BYTES);
	if (program != NULL && program->verifier_log != NULL)
		error = make_maps(program, options, ret_wrong);
	if (error < 0) {
		fastprogram_free(program);
		return error;
	}
	*ret_program = program;
	return 0;
}

int fastprogram_load(struct fastprogram *program,
		     char ret_wrong[FAST_TEXT_BYTES])
{
	int error = symtap__load(program->skeleton);

	if (error < 0)
		fastlacks_tell(error, program->verifier_log, ret_wrong);
	free(program->verifier_log);
	program->verifier_log = NULL;
	return error;
}

void fastprogram_free(struct fastprogram *program)
{
	if (program == NULL)
		return;
	for (size_t i = 0; i < FAST_INTERFACES; i++)
		fastlinks_detach(&program->links[i]);
	symtap__destroy(program->skeleton);
	free(program->verifier_log);
	free(program);
}

void fastprogram_fds(const struct fastprogram *program,
		     struct fast_fds *ret_fds)
{
	const struct symtap *skeleton = program->skeleton;

	*ret_fds = (struct fast_fds){
		.slots = bpf_map__fd(skeleton->maps.symtap_slots),
		.heard = bpf_map__fd(skeleton->maps.symtap_heard),
		.memory = bpf_map__fd(skeleton->maps.bss),
	};
}

/* ------ interfaces */

/* 0: one that is free. */
static struct fastlinks *links_of(const struct fastprogram *program,
				  uint32_t ifindex)
{
	for (size_t i = 0; i < FAST_INTERFACES; i++)
		if (program->links[i].ifindex == ifindex)
			return (struct fastlinks *)&program->links[i];
	return NULL;
}

int fastprogram_attach(struct fastprogram *program, uint32_t ifindex,
		       char ret_wrong[FAST_TEXT_BYTES])
{
	const struct symtap *skeleton = program->skeleton;
	struct fastlinks *links;

	if (fastprogram_is_attached(program, ifindex))
		return 0;
	fastprogram_detach(program, ifindex);
	links = links_of(program, 0);
	if (ifindex == 0 || links == NULL) {
		snprintf(ret_wrong, FAST_TEXT_BYTES,
			 "more interfaces than it can have");
		return -ENOSPC;
	}
	return fastlinks_attach(links, ifindex,
				bpf_program__fd(skeleton->progs.symtap_in),
				bpf_program__fd(skeleton->progs.symtap_out),
				ret_wrong);
}

bool fastprogram_is_attached(const struct fastprogram *program,
			     uint32_t ifindex)
{
	const struct fastlinks *links = links_of(program, ifindex);

	return links != NULL && fastlinks_are_there(links);
}

bool fastprogram_is_complete(const struct fastprogram *program)
{
	for (size_t i = 0; i < FAST_INTERFACES; i++) {
		const struct fastlinks *links = &program->links[i];

		if (links->ifindex != 0 && !fastlinks_are_there(links))
			return false;
	}
	return true;
}

const char *fastprogram_way(const struct fastprogram *program, uint32_t ifindex)
{
	static const char *const ways[] = { [FASTLINKS_NONE] = "",
					    [FASTLINKS_TCX] = "tcx",
					    [FASTLINKS_CLSACT] = "clsact" };
	const struct fastlinks *links = links_of(program, ifindex);

	return ways[links != NULL ? links->way : FASTLINKS_NONE];
}

void fastprogram_detach(struct fastprogram *program, uint32_t ifindex)
{
	struct fastlinks *links = links_of(program, ifindex);

	if (links != NULL)
		fastlinks_detach(links);
}

/* ------ tests */

struct outcome {
	struct __sk_buff after;
	uint32_t action, duration_ns;
};

static int run(const struct fastprogram *program,
	       const struct fast_frame *frame, int times,
	       struct outcome *ret_outcome)
{
	const struct symtap *skeleton = program->skeleton;
	struct __sk_buff context = {
		.mark = frame->mark,
		.ifindex = 1,
		.ingress_ifindex = frame->came_by ? frame->came_by : 1,
		.gso_size = frame->gso_size,
		.gso_segs = frame->gso_segs,
	};
	struct bpf_test_run_opts options = {
		.sz = sizeof(options),
		.data_in = frame->bytes,
		.data_size_in = frame->count_bytes,
		.ctx_in = &context,
		.ctx_size_in = sizeof(context),
		.ctx_out = &ret_outcome->after,
		.ctx_size_out = sizeof(ret_outcome->after),
		.repeat = times,
	};
	int error = bpf_prog_test_run_opts(
		bpf_program__fd(frame->out ? skeleton->progs.symtap_out
					   : skeleton->progs.symtap_in),
		&options);

	ret_outcome->action = options.retval;
	ret_outcome->duration_ns = options.duration;
	return error;
}

int fastprogram_run(const struct fastprogram *program,
		    const struct fast_frame *frame, int times,
		    uint32_t *ret_mark, uint32_t *ret_ns)
{
	struct outcome outcome;
	int error = run(program, frame, times, &outcome);

	if (error < 0)
		return error;
	*ret_mark = outcome.after.mark;
	*ret_ns = outcome.duration_ns;
	return 0;
}

int fastprogram_redirects(const struct fastprogram *program,
			  const struct fast_frame *frame, bool *ret_redirects)
{
	struct outcome outcome;
	int error = run(program, frame, 1, &outcome);

	*ret_redirects = error == 0 && outcome.action == TC_ACT_REDIRECT;
	return error < 0 ? error : 0;
}

int fastprogram_departs(const struct fastprogram *program,
			const struct fast_frame *frame, uint64_t *ret_ns)
{
	struct outcome outcome;
	int error = run(program, frame, 1, &outcome);

	if (error < 0)
		return error;
	*ret_ns = outcome.action == TC_ACT_SHOT ? UINT64_MAX
						: outcome.after.tstamp;
	return 0;
}
