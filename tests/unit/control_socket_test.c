/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shaper/daemon/control_socket.h"

enum { PATH_BYTES = 96, OWNERS_MODE = 0600 };

int __real_bind(int fd, const struct sockaddr *address, socklen_t bytes);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t bytes);

/* Who may write the folder puts a link to this there, as soon as there is a
 * socket; NULL: nobody does. */
static const char *linked;

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
	const char *path = ((const struct sockaddr_un *)address)->sun_path;
	int error = __real_bind(fd, address, bytes);

	if (linked != NULL) {
		assert_int_equal(0, unlink(path));
		assert_int_equal(0, symlink(linked, path));
	}
	return error;
}

static int set_up(void **state)
{
	static char folder[PATH_BYTES];

	snprintf(folder, sizeof(folder), "/tmp/symtap-control-XXXXXX");
	linked = NULL;
	*state = folder;
	return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
	char command[2 * PATH_BYTES];

	snprintf(command, sizeof(command), "rm -rf %s", (char *)*state);
	return system(command);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(0, stat(path, &st));
	return st.st_mode & 0777;
}

static void test_control_socket_has_its_mode(void **state)
{
	static const mode_t modes[] = { 0600, 0660, 0666, 0 };
	char path[2 * PATH_BYTES];
	bool made;
	int fd;

	snprintf(path, sizeof(path), "%s/made/control", (char *)*state);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(0, control_socket_open(path, modes[i], "", 1,
							&made, &fd));
		assert_int_equal(i == 0, made);
		assert_int_equal(modes[i], mode_of(path));
		close(fd);
	}
}

static void test_control_socket_follows_no_link(void **state)
{
	char path[2 * PATH_BYTES], other[2 * PATH_BYTES];
	bool made;
	int fd;

	snprintf(path, sizeof(path), "%s/control", (char *)*state);
	snprintf(other, sizeof(other), "%s/other", (char *)*state);
	fd = open(other, O_CREAT | O_WRONLY, OWNERS_MODE);
	assert_true(fd >= 0);
	close(fd);
	linked = other;
	assert_int_equal(-EEXIST,
			 control_socket_open(path, 0666, "", 1, &made, &fd));
	assert_int_equal(OWNERS_MODE, mode_of(other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_control_socket_has_its_mode, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_control_socket_follows_no_link, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
