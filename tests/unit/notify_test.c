/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shaper/daemon/notify.h"

struct manager {
	int fd;
	char name[64]; /* as in $NOTIFY_SOCKET */
};

static void manager_listen(struct manager *manager)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);

	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_true(manager->fd >= 0);
	/* autobind: the kernel picks a free abstract name */
	assert_int_equal(bind(manager->fd, (struct sockaddr *)&address,
			      sizeof(sa_family_t)),
			 0);
	assert_int_equal(getsockname(manager->fd, (struct sockaddr *)&address,
				     &size),
			 0);
	snprintf(manager->name, sizeof(manager->name), "@%.*s",
		 (int)(size - sizeof(sa_family_t) - 1), address.sun_path + 1);
}

static const char *manager_heard(struct manager *manager)
{
	static char text[1024];
	ssize_t n = recv(manager->fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void test_every_message_reaches_the_manager(void **state)
{
	struct manager manager;
	struct notify notify;

	(void)state;
	manager_listen(&manager);
	assert_int_equal(notify_open(&notify, manager.name, NULL, NULL, 1), 0);
	assert_int_equal(notify_ready(&notify, "2 engines\nforged=1"), 0);
	assert_string_equal(manager_heard(&manager),
			    "READY=1\nSTATUS=2 engines forged=1");
	assert_int_equal(notify_ready(&notify, NULL), 0);
	assert_string_equal(manager_heard(&manager), "READY=1\n");
	assert_int_equal(notify_reloading(&notify, 1234567891), 0);
	assert_string_equal(manager_heard(&manager),
			    "RELOADING=1\nMONOTONIC_USEC=1234567");
	assert_int_equal(notify_stopping(&notify), 0);
	assert_string_equal(manager_heard(&manager), "STOPPING=1");
	assert_int_equal(notify_alive(&notify), 0);
	assert_string_equal(manager_heard(&manager), "WATCHDOG=1");
	notify_close(&notify);
	close(manager.fd);
}

static void test_a_path_works_as_an_address(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct manager manager;
	struct notify notify;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/tmp/notify_test.%d", (int)getpid());
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	unlink(address.sun_path);
	assert_int_equal(bind(manager.fd, (struct sockaddr *)&address,
			      sizeof(address)),
			 0);
	assert_int_equal(notify_open(&notify, address.sun_path, NULL, NULL, 1),
			 0);
	assert_int_equal(notify_alive(&notify), 0);
	assert_string_equal(manager_heard(&manager), "WATCHDOG=1");
	notify_close(&notify);
	close(manager.fd);
	unlink(address.sun_path);
}

static void test_nobody_to_tell_is_fine(void **state)
{
	struct notify notify;

	(void)state;
	assert_int_equal(notify_open(&notify, NULL, "1000000", NULL, 1), 0);
	assert_int_equal(notify.watchdog_ns, 0);
	assert_int_equal(notify_ready(&notify, "x"), 0);
	assert_int_equal(notify_stopping(&notify), 0);
	notify_close(&notify);
}

static void test_a_bad_address_is_refused(void **state)
{
	char longer[200];
	struct notify notify;

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[199] = '\0';
	assert_int_equal(notify_open(&notify, "run/x", NULL, NULL, 1), -EINVAL);
	assert_int_equal(notify_open(&notify, "@", NULL, NULL, 1), -EINVAL);
	assert_int_equal(notify_open(&notify, longer, NULL, NULL, 1), -EINVAL);
	assert_int_equal(notify_ready(&notify, NULL), 0);
}

static void test_a_dead_manager_is_an_error_not_a_signal(void **state)
{
	struct manager manager;
	struct notify notify;

	(void)state;
	manager_listen(&manager);
	assert_int_equal(notify_open(&notify, manager.name, NULL, NULL, 1), 0);
	close(manager.fd);
	assert_int_equal(notify_alive(&notify), -ECONNREFUSED);
	notify_close(&notify);
}

static void test_the_watchdog_wants_half_of_its_time(void **state)
{
	static const struct {
		const char *usec, *pid;
		uint64_t ns;
	} rows[] = {
		{ "10000000", NULL, 5000000000ull },
		{ "10000000", "77", 5000000000ull },
		{ "10000000", "78", 0 },
		{ "3", NULL, 1500 },
		{ NULL, NULL, 0 },
		{ "", NULL, 0 },
		{ "10s", NULL, 0 },
		{ "0", NULL, 0 },
		{ "18446744073709551615", NULL, 0 },
		{ "99999999999999999999", NULL, 0 },
	};
	struct manager manager;
	struct notify notify;
	size_t i;

	(void)state;
	manager_listen(&manager);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(notify_open(&notify, manager.name,
					     rows[i].usec, rows[i].pid, 77),
				 0);
		assert_int_equal(notify.watchdog_ns, rows[i].ns);
		notify_close(&notify);
	}
	close(manager.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_message_reaches_the_manager),
		cmocka_unit_test(test_a_path_works_as_an_address),
		cmocka_unit_test(test_nobody_to_tell_is_fine),
		cmocka_unit_test(test_a_bad_address_is_refused),
		cmocka_unit_test(test_a_dead_manager_is_an_error_not_a_signal),
		cmocka_unit_test(test_the_watchdog_wants_half_of_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
