/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_BYTES = sizeof(((struct sockaddr_un *)NULL)->sun_path) };

static int address_of(const char *path, struct sockaddr_un *ret_address)
{
	size_t length_bytes = strlen(path);

	if (length_bytes == 0 || length_bytes >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	memcpy(ret_address->sun_path, path, length_bytes);
	return 0;
}

/* -EADDRINUSE: there is a listener; 0: the way is free now. */
static int remove_left_over(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, answered;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	answered = connect(fd, (const struct sockaddr *)address,
			   sizeof(*address)) == 0 ||
		   errno == EAGAIN;
	close(fd);
	if (answered)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

/* false: the path has none, or it is the root. */
static bool folder_of(const char *path, char folder[PATH_BYTES])
{
	char *slash;

	snprintf(folder, PATH_BYTES, "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return false;
	*slash = '\0';
	return true;
}

int control_socket_give_folder(const char *path, uid_t uid, gid_t gid)
{
	char folder[PATH_BYTES];

	if (!folder_of(path, folder))
		return -EINVAL;
	return lchown(folder, uid, gid) < 0 ? -errno : 0;
}

/* `node`: opened as a path. */
static int set_group(int node, const char *group)
{
	struct group *entry;

	if (group == NULL || group[0] == '\0')
		return 0;
	errno = 0;
	entry = getgrnam(group);
	if (entry == NULL)
		return errno != 0 && errno != ENOENT ? -errno : -ESRCH;
	return fchownat(node, "", (uid_t)-1, entry->gr_gid, AT_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

/* What has no permissions needs none to be opened, and fchmod refuses it. */
static int set_mode(int node, mode_t mode)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", node);
	return chmod(path, mode & 0777) < 0 ? -errno : 0;
}

/* Of the socket that stands there and of nothing else: whoever may write the
 * folder may put a link in its place. */
static int let_in(const char *path, mode_t mode, const char *group)
{
	int node = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int error = 0;

	if (node < 0)
		return -errno;
	if (fstat(node, &st) < 0)
		error = -errno;
	else if (!S_ISSOCK(st.st_mode))
		error = -EEXIST;
	if (error == 0)
		error = set_group(node, group);
	if (error == 0)
		error = set_mode(node, mode);
	close(node);
	return error;
}

/* Whoever has the name had it when he began to listen. */
static bool is_stranger(int fd, const struct sockaddr_un *address,
			socklen_t length, uid_t user)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t peer_bytes = sizeof(peer);

	if (connect(fd, (const struct sockaddr *)address, length) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) < 0)
		return true;
	return peer.uid != 0 && peer.uid != geteuid() && peer.uid != user;
}

int control_socket_claim(uid_t user, int *ret_fd)
{
	static const char name[] = "\0symtapd";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length =
		offsetof(struct sockaddr_un, sun_path) + sizeof(name) - 1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, name, sizeof(name) - 1);
	if (bind(fd, (const struct sockaddr *)&address, length) == 0 &&
	    listen(fd, SOMAXCONN) == 0) {
		*ret_fd = fd;
		return 0;
	}
	error = -errno;
	if (error == -EADDRINUSE)
		error = is_stranger(fd, &address, length, user) ? 0 : -EALREADY;
	close(fd);
	*ret_fd = -1;
	return error;
}

/* Bound with no permissions for others, so that there is no moment in which
 * somebody may connect whom the mode keeps out. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int error = 0;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		error = -errno;
	umask(before);
	return error;
}

int control_socket_open(const char *path, mode_t mode, const char *group,
			int backlog, bool *ret_made_folder, int *ret_fd)
{
	struct sockaddr_un address;
	char folder[PATH_BYTES];
	bool made_folder;
	int error = address_of(path, &address);
	int fd;

	if (error < 0)
		return error;
	made_folder = folder_of(path, folder) && mkdir(folder, 0755) == 0;
	error = remove_left_over(&address);
	if (error < 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = bind_private(fd, &address);
	if (error < 0)
		goto fail;
	error = let_in(path, mode, group);
	if (error == 0 && listen(fd, backlog) < 0)
		error = -errno;
	if (error < 0)
		goto fail_bound;
	*ret_made_folder = made_folder;
	*ret_fd = fd;
	return 0;
fail_bound:
	unlink(path);
fail:
	close(fd);
	return error;
}
