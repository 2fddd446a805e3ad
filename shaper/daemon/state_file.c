/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state's bytes to a file and back. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shaper/daemon/state.h"

static int write_all(int fd, const uint8_t *bytes, size_t size_bytes)
{
	while (size_bytes > 0) {
		ssize_t n = write(fd, bytes, size_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

/* So that the new name outlives a crash of the machine as well. */
static void sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		snprintf(folder, sizeof(folder), ".");
	else
		slash[slash == folder ? 1 : 0] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int save(struct state_writer *writer, const char *path, bool waits)
{
	char draft[PATH_MAX];
	int error = state_finish(writer);
	int n, fd;

	if (error < 0)
		return error;
	n = snprintf(draft, sizeof(draft), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(draft))
		return -ENAMETOOLONG;
	if (unlink(draft) < 0 && errno != ENOENT)
		return -errno;
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return -errno;
	error = write_all(fd, writer->bytes, writer->used_bytes);
	if (error == 0 && waits && fsync(fd) < 0)
		error = -errno;
	close(fd);
	if (error == 0 && rename(draft, path) < 0)
		error = -errno;
	if (error < 0)
		unlink(draft);
	else if (waits)
		sync_folder(path);
	return error;
}

int state_save(struct state_writer *writer, const char *path)
{
	return save(writer, path, true);
}

int state_save_soon(struct state_writer *writer, const char *path)
{
	return save(writer, path, false);
}

/* Room for one byte more than the file seems to have shows that it grew. */
static int read_all(int fd, uint8_t *bytes, size_t room_bytes,
		    size_t *ret_size_bytes)
{
	size_t used_bytes = 0;

	while (used_bytes < room_bytes) {
		ssize_t n =
			read(fd, bytes + used_bytes, room_bytes - used_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used_bytes += (size_t)n;
	}
	*ret_size_bytes = used_bytes;
	return 0;
}

int state_load(const char *path, uint8_t **ret_bytes, size_t *ret_size_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t *bytes;
	struct stat st;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		error = -errno;
	else if (!S_ISREG(st.st_mode))
		error = -EINVAL;
	else if (st.st_size > STATE_BYTES_MAX)
		error = -EFBIG;
	if (error < 0)
		goto out;
	bytes = malloc((size_t)st.st_size + 1);
	if (bytes == NULL) {
		error = -ENOMEM;
		goto out;
	}
	error = read_all(fd, bytes, (size_t)st.st_size + 1, ret_size_bytes);
	if (error < 0)
		free(bytes);
	else
		*ret_bytes = bytes;
out:
	close(fd);
	return error;
}
