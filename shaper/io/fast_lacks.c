/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_lacks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ------ may we? */

static bool has_capability(const struct __user_cap_data_struct sets[2],
			   unsigned int capability)
{
	return sets[capability / 32].effective >> capability % 32 & 1;
}

/* The first that is missing; NULL: none. */
static const char *capability_missing(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) < 0)
		return NULL;
	if (!has_capability(sets, CAP_NET_ADMIN))
		return "CAP_NET_ADMIN";
	if (has_capability(sets, CAP_SYS_ADMIN))
		return NULL;
	if (!has_capability(sets, CAP_BPF))
		return "CAP_BPF";
	if (!has_capability(sets, CAP_PERFMON))
		return "CAP_PERFMON";
	return NULL;
}

/* ------ can it? */

static int make_map(enum bpf_map_type type, uint32_t key_bytes,
		    uint32_t value_bytes, uint32_t entries, uint32_t flags)
{
	struct bpf_map_create_opts options = { .sz = sizeof(options),
					       .map_flags = flags };
	int fd = bpf_map_create(type, NULL, key_bytes, value_bytes, entries,
				&options);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static const char *feature_missing(void)
{
	static const uint32_t page_bytes = 65536; /* of any machine */

	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL) == 0)
		return "programs of the traffic control (CONFIG_NET_CLS_BPF)";
	if (make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0) < 0)
		return "memory for maps (RLIMIT_MEMLOCK)";
	if (make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE) < 0)
		return "arrays that are mapped (Linux 5.5)";
	if (make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, page_bytes, 0) < 0)
		return "the ring buffer (Linux 5.8)";
	return NULL;
}

/* ------ */

static bool is_a_sum(const char *line, size_t length)
{
	static const char *const sums[] = { "processed ", "verification time",
					    "stack depth" };

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		if (length >= strlen(sums[i]) &&
		    strncmp(line, sums[i], strlen(sums[i])) == 0)
			return true;
	return length == 0;
}

void fastlacks_last_line(const char *verifier_log,
			 char ret_line[FASTLACKS_TEXT_BYTES])
{
	const char *line = verifier_log;

	ret_line[0] = '\0';
	while (*line != '\0') {
		size_t length = strcspn(line, "\n");

		if (!is_a_sum(line, length))
			snprintf(ret_line, FASTLACKS_TEXT_BYTES, "%.*s",
				 length < FASTLACKS_TEXT_BYTES
					 ? (int)length
					 : FASTLACKS_TEXT_BYTES - 1,
				 line);
		line += length + (line[length] == '\n');
	}
}

void fastlacks_tell(int error, const char *verifier_log,
		    char ret_text[FASTLACKS_TEXT_BYTES])
{
	char line[FASTLACKS_TEXT_BYTES];
	const char *missing = capability_missing();

	if (error == -ENOSYS) {
		snprintf(ret_text, FASTLACKS_TEXT_BYTES,
			 "this kernel has no bpf(2) (CONFIG_BPF_SYSCALL)");
		return;
	}
	if (error == -EPERM || (error == -EACCES && missing != NULL)) {
		snprintf(ret_text, FASTLACKS_TEXT_BYTES,
			 missing ? "loading it needs %s"
				 : "bpf(2) is not allowed here: a container, a "
				   "filter of system calls, or lockdown",
			 missing);
		return;
	}
	missing = feature_missing();
	if (missing != NULL) {
		snprintf(ret_text, FASTLACKS_TEXT_BYTES, "this kernel lacks %s",
			 missing);
		return;
	}
	fastlacks_last_line(verifier_log, line);
	snprintf(ret_text, FASTLACKS_TEXT_BYTES,
		 line[0] != '\0' ? "this kernel's verifier refuses it: %.180s"
				 : "this kernel does not load it%s",
		 line);
}
