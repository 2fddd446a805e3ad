/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "policy/parse.h"

/* 0 or -errno; -EFBIG: more than `size` bytes. */
static int read_all(int fd, char *bytes, size_t size, size_t *ret_length)
{
	size_t length = 0;
	ssize_t got;

	for (;;) {
		got = read(fd, bytes + length, size - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
		if (length == size)
			return -EFBIG;
	}
	*ret_length = length;
	return 0;
}

int load_policy(const char *path, struct policy **ret_policy,
		struct policy_errors *errors)
{
	const struct policy_error too_large = {
		.wrong = "the file is too large",
		.right = "a policy has at most 4 MiB",
	};
	size_t length = 0;
	char *bytes;
	int error, fd;

	/* Whoever names a FIFO is not to be waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	bytes = malloc(LOAD_BYTES_MAX + 1);
	error = bytes == NULL
			? -ENOMEM
			: read_all(fd, bytes, LOAD_BYTES_MAX + 1, &length);
	close(fd);
	if (error == -EFBIG) {
		policy_errors_init(errors, path);
		policy_errors_add(errors, &too_large);
		error = -EINVAL;
	} else if (error == 0 &&
		   !policy_parse(path, bytes, length, ret_policy, errors)) {
		error = -EINVAL;
	}
	free(bytes);
	return error;
}
