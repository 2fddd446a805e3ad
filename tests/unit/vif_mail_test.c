/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shaper/daemon/vif_mail.h"

/* More than a socket has room for, in either direction. */
enum { WORDS = 3000 };

/* symtapd: says all that it has before it listens. */
static void other_end(int fd)
{
	static struct vif_report report;
	static struct vif_order order;

	for (uint32_t i = 0; i < WORDS; i++) {
		report.domain = i;
		if (send(fd, &report, sizeof(report), 0) < 0)
			_exit(1);
	}
	for (uint32_t i = 0; i < WORDS; i++)
		if (recv(fd, &order, sizeof(order), 0) !=
			    (ssize_t)sizeof(order) ||
		    order.keys.domain != i)
			_exit(2);
	_exit(0);
}

static void test_vifmail_both_may_say_much_at_once(void **state)
{
	static struct vif_report report;
	static struct vif_order order;
	struct vifmail *mail;
	uint32_t heard = 0;
	int ends[2], status, got;
	pid_t pid;

	(void)state;
	assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		alarm(20);
		other_end(ends[1]);
	}
	close(ends[1]);
	mail = vifmail_new(ends[0]);
	for (uint32_t i = 0; i < WORDS; i++) {
		order.keys.domain = i;
		assert_true(vifmail_say(mail, &order));
	}
	while ((got = vifmail_hear(mail, &report)) >= 0 && heard < WORDS) {
		struct pollfd ready = { .fd = ends[0], .events = POLLIN };

		if (got == 0) {
			poll(&ready, 1, 1000);
			continue;
		}
		assert_int_equal(heard, report.domain);
		heard++;
	}
	assert_int_equal(WORDS, heard);
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_int_equal(0, status);
	assert_int_equal(-1, vifmail_hear(mail, &report));
	assert_false(vifmail_say(mail, &order));
	vifmail_free(mail);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vifmail_both_may_say_much_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
