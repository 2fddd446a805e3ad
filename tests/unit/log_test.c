/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shaper/daemon/log.h"

#define NS_PER_S 1000000000ull

static int pipe_fds[2];

static int open_pipe(void **state)
{
	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	log_open(pipe_fds[1], LOG_LEVEL_INFO, false);
	return 0;
}

static int close_pipe(void **state)
{
	(void)state;
	log_open(STDERR_FILENO, LOG_LEVEL_INFO, false);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* All that was written so far, as one string. */
static const char *written(void)
{
	static char text[65536];
	size_t used = 0;
	ssize_t n;

	while ((n = read(pipe_fds[0], text + used, sizeof(text) - 1 - used)) >
	       0)
		used += (size_t)n;
	text[used] = '\0';
	return text;
}

static void test_a_line_is_subject_then_errno_text(void **state)
{
	(void)state;
	errno = EAGAIN;
	log_error(ENOENT, "policy: %s", "/etc/x");
	assert_int_equal(errno, EAGAIN);
	log_info(0, "policy: read");
	log_debug(0, "not at this level");
	assert_string_equal(written(),
			    "error: policy: /etc/x: No such file or directory\n"
			    "policy: read\n");
}

static void test_the_journal_gets_priorities(void **state)
{
	(void)state;
	log_open(pipe_fds[1], LOG_LEVEL_DEBUG, true);
	log_error(0, "a: b");
	log_warn(0, "a: b");
	log_info(0, "a: b");
	log_debug(0, "a: b");
	assert_string_equal(written(), "<3>a: b\n<4>a: b\n<6>a: b\n<7>a: b\n");
}

static void test_the_journal_is_recognised_by_its_inode(void **state)
{
	struct stat st;
	char stream[64];

	(void)state;
	assert_int_equal(fstat(pipe_fds[1], &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	assert_true(log_is_journal(pipe_fds[1], stream));
	strcat(stream, "1");
	assert_false(log_is_journal(pipe_fds[1], stream));
	assert_false(log_is_journal(pipe_fds[1], NULL));
	assert_false(log_is_journal(pipe_fds[1], ""));
	assert_false(log_is_journal(pipe_fds[1], "12"));
	assert_false(log_is_journal(pipe_fds[1], "12:x"));
}

static void test_one_event_is_one_line(void **state)
{
	char longer[2 * LOG_LINE_BYTES];
	const char *text;

	(void)state;
	log_info(0, "peer: said \"a\nerror: forged\x1b[2J\"");
	assert_string_equal(written(), "peer: said \"a?error: forged?[2J\"\n");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_info(0, "%s", longer);
	text = written();
	assert_int_equal(strlen(text), LOG_LINE_BYTES - 1);
	assert_ptr_equal(strchr(text, '\n'), text + LOG_LINE_BYTES - 2);
}

static void test_a_full_pipe_never_blocks_and_is_told(void **state)
{
	char expected[96];
	uint64_t before = log_lost_lines();
	const char *last;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++)
		log_info(0, "filler: line %d of many, many more", i);
	assert_true(log_lost_lines() > before);
	snprintf(expected, sizeof(expected),
		 "warning: log: %llu lines lost, no room for them\nafter: it\n",
		 (unsigned long long)(log_lost_lines() - before));
	while (written()[0] != '\0')
		;
	log_info(0, "after: it");
	last = written();
	assert_string_equal(last, expected);
}

static void test_a_limit_admits_its_burst_then_its_rate(void **state)
{
	static struct log_limit limit = { .subject = "a",
					  .burst_lines = 3,
					  .lines_per_min = 60 };
	static const struct {
		uint64_t at_ns;
		bool admitted;
		uint64_t suppressed;
	} rows[] = {
		{ 5 * NS_PER_S, true, 0 },
		{ 5 * NS_PER_S, true, 0 },
		{ 5 * NS_PER_S, true, 0 },
		{ 5 * NS_PER_S, false, 0 },
		{ 6 * NS_PER_S - 1, false, 0 },
		{ 6 * NS_PER_S, true, 2 },
		{ 6 * NS_PER_S, false, 0 },
		{ 3 * NS_PER_S, false, 0 }, /* time that runs back */
		{ 100 * NS_PER_S, true, 2 },
		{ 100 * NS_PER_S, true, 0 },
		{ 100 * NS_PER_S, true, 0 },
		{ 100 * NS_PER_S, false, 0 },
		{ UINT64_MAX, true, 1 },
	};
	uint64_t suppressed;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		suppressed = 0;
		assert_int_equal(log_limit_admits(&limit, &suppressed,
						  rows[i].at_ns),
				 rows[i].admitted);
		assert_int_equal(suppressed, rows[i].suppressed);
	}
}

static void test_what_was_suppressed_is_told_in_the_end(void **state)
{
	static struct log_limit limit = { .subject = "spoof",
					  .burst_lines = 1,
					  .lines_per_min = 60 };
	int i;

	(void)state;
	log_advance(NS_PER_S);
	for (i = 0; i < 5; i++)
		log_limited(&limit, LOG_LEVEL_WARN, 0, "spoof: number %d", i);
	assert_string_equal(written(), "warning: spoof: number 0\n");
	log_advance(NS_PER_S + NS_PER_S / 2);
	assert_string_equal(written(), "");
	log_advance(3 * NS_PER_S);
	assert_string_equal(written(),
			    "warning: spoof: suppressed 4 more lines\n");
	log_advance(9 * NS_PER_S);
	assert_string_equal(written(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)
		T(test_a_line_is_subject_then_errno_text),
		T(test_the_journal_gets_priorities),
		T(test_the_journal_is_recognised_by_its_inode),
		T(test_one_event_is_one_line),
		T(test_a_full_pipe_never_blocks_and_is_told),
		T(test_a_limit_admits_its_burst_then_its_rate),
		T(test_what_was_suppressed_is_told_in_the_end),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
