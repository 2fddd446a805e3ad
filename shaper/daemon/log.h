/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_LOG_H
#define SHAPER_DAEMON_LOG_H

/*
 * One line an event, to stderr or the journal, never blocking: a line for
 * which the reader has no room now is lost and counted.  A line begins with
 * its subject ("control: uid 0: release 10.20.0.7: 3 packets"); `error`, when
 * it is not 0, is an errno value whose text ends the line.  errno is left as
 * it was.  Any thread may log; those that move packets should count instead.
 */

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR, /* something asked for does not work */
	LOG_LEVEL_WARN,  /* it works, but not as it should */
	LOG_LEVEL_INFO,  /* what an operator wants to find afterwards */
	LOG_LEVEL_DEBUG,
};

enum { LOG_LINE_BYTES = 1024 };

/*
 * Write to `fd` what is at most `level`.  With `to_journal` each line carries
 * the journal's priority prefix.  Before this call: stderr, LOG_LEVEL_INFO.
 */
void log_open(int fd, enum log_level level, bool to_journal);

/* Is `fd` the stream that $JOURNAL_STREAM ("device:inode") names? */
bool log_is_journal(int fd, const char *journal_stream);

/* Tell the time to the limits below; the loop does it at each wake-up.  Also
 * reports what was left out by limits that have room again. */
void log_advance(uint64_t now_ns);

void log_error(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_warn(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_info(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_debug(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * For events that a stranger can cause as often as he likes.  One static
 * object for each class of call sites; all-zero but for its first members.
 * Up to burst_lines at once, then lines_per_min; what is left out is counted
 * and told in one line.
 */
struct log_limit {
	const char *subject;
	uint32_t burst_lines;   /* 1..1000 */
	uint32_t lines_per_min; /* 1..6000 */
	/* the log's own */
	uint64_t spent_ns; /* not yet earned back */
	uint64_t last_ns;
	uint64_t suppressed;
	bool is_listed;
	struct log_limit *next;
};

void log_limited(struct log_limit *limit, enum log_level level, int error,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * The decision alone: may one more line of this class go out?  If so
 * *ret_suppressed says how many were left out since the last; otherwise one
 * more is counted as left out.  Cannot fail.
 */
bool log_limit_admits(struct log_limit *limit, uint64_t *ret_suppressed,
		      uint64_t now_ns);

/* Lines that found no room, since the start. */
uint64_t log_lost_lines(void);

#endif
