/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_MIN 60000000000ull

static struct {
	pthread_mutex_t lock;
	int fd;
	enum log_level level;
	bool to_journal;
	uint64_t now_ns;
	uint64_t lost;      /* since the start */
	uint64_t lost_told; /* of these, told in a line */
	struct log_limit *limits;
} sink = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.fd = STDERR_FILENO,
	.level = LOG_LEVEL_INFO,
};

void log_open(int fd, enum log_level level, bool to_journal)
{
	pthread_mutex_lock(&sink.lock);
	sink.fd = fd;
	sink.level = level;
	sink.to_journal = to_journal;
	pthread_mutex_unlock(&sink.lock);
}

bool log_is_journal(int fd, const char *journal_stream)
{
	unsigned long long device, inode;
	struct stat st;
	char *end;

	if (journal_stream == NULL)
		return false;
	device = strtoull(journal_stream, &end, 10);
	if (end == journal_stream || *end != ':')
		return false;
	inode = strtoull(end + 1, &end, 10);
	if (*end != '\0' || fstat(fd, &st) < 0)
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

/* sd-daemon(3): the journal reads "<3>" as the line's syslog priority. */
static const char *prefix(enum log_level level, bool to_journal)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return to_journal ? "<3>" : "error: ";
	case LOG_LEVEL_WARN:
		return to_journal ? "<4>" : "warning: ";
	case LOG_LEVEL_INFO:
		return to_journal ? "<6>" : "";
	case LOG_LEVEL_DEBUG:
		return to_journal ? "<7>" : "debug: ";
	}
	return "";
}

/*
 * POLLOUT on a pipe promises room for a page, and a line is shorter, so this
 * write does not block; sockets and files do not block either at this size.
 */
static bool put(const char *line, size_t length_bytes)
{
	struct pollfd room = { .fd = sink.fd, .events = POLLOUT };

	if (poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0)
		return false;
	return write(sink.fd, line, length_bytes) == (ssize_t)length_bytes;
}

/* One event is one line, whatever a stranger put into its text. */
static void blank_control_characters(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void write_line(enum log_level level, int error, const char *text)
{
	char line[LOG_LINE_BYTES];
	char buffer[128];
	const char *why = "";
	int n;

	if (error != 0)
		why = strerror_r(error, buffer, sizeof(buffer));
	n = snprintf(line, sizeof(line) - 1, "%s%s%s%s",
		     prefix(level, sink.to_journal), text,
		     error != 0 ? ": " : "", why);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	blank_control_characters(line);
	line[n] = '\n';
	if (!put(line, (size_t)n + 1))
		sink.lost++;
}

static void tell_lost(void)
{
	uint64_t lost = sink.lost - sink.lost_told;
	char text[96];

	if (lost == 0)
		return;
	snprintf(text, sizeof(text), "log: %llu lines lost, no room for them",
		 (unsigned long long)lost);
	write_line(LOG_LEVEL_WARN, 0, text);
	if (sink.lost - sink.lost_told == lost)
		sink.lost_told = sink.lost;
	else
		sink.lost--; /* the telling is not itself an event */
}

__attribute__((format(printf, 3, 0))) static void
write_event(enum log_level level, int error, const char *format, va_list args)
{
	char text[LOG_LINE_BYTES];

	if (level > sink.level)
		return;
	tell_lost();
	vsnprintf(text, sizeof(text), format, args);
	write_line(level, error, text);
}

#define LEVEL_FUNCTION(name, level)                      \
	void name(int error, const char *format, ...)    \
	{                                                \
		int saved_errno = errno;                 \
		va_list args;                            \
                                                         \
		va_start(args, format);                  \
		pthread_mutex_lock(&sink.lock);          \
		write_event(level, error, format, args); \
		pthread_mutex_unlock(&sink.lock);        \
		va_end(args);                            \
		errno = saved_errno;                     \
	}

LEVEL_FUNCTION(log_error, LOG_LEVEL_ERROR)
LEVEL_FUNCTION(log_warn, LOG_LEVEL_WARN)
LEVEL_FUNCTION(log_info, LOG_LEVEL_INFO)
LEVEL_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

/* Each line spends a minute / lines_per_min, and time earns it back. */
static bool limit_has_room(struct log_limit *limit, uint64_t now_ns)
{
	uint64_t line_ns = NS_PER_MIN / limit->lines_per_min;
	uint64_t earned_ns;

	if (now_ns > limit->last_ns) {
		earned_ns = now_ns - limit->last_ns;
		limit->last_ns = now_ns;
		if (earned_ns >= limit->spent_ns)
			limit->spent_ns = 0;
		else
			limit->spent_ns -= earned_ns;
	}
	return limit->spent_ns + line_ns <= line_ns * limit->burst_lines;
}

bool log_limit_admits(struct log_limit *limit, uint64_t *ret_suppressed,
		      uint64_t now_ns)
{
	if (!limit_has_room(limit, now_ns)) {
		limit->suppressed++;
		return false;
	}
	limit->spent_ns += NS_PER_MIN / limit->lines_per_min;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}

static void list_limit(struct log_limit *limit)
{
	if (limit->is_listed)
		return;
	limit->is_listed = true;
	limit->next = sink.limits;
	sink.limits = limit;
}

static void tell_suppressed(const char *subject, uint64_t count)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: suppressed %llu more lines", subject,
		 (unsigned long long)count);
	write_line(LOG_LEVEL_WARN, 0, text);
}

void log_limited(struct log_limit *limit, enum log_level level, int error,
		 const char *format, ...)
{
	int saved_errno = errno;
	uint64_t suppressed;
	va_list args;

	va_start(args, format);
	pthread_mutex_lock(&sink.lock);
	list_limit(limit);
	if (level <= sink.level &&
	    log_limit_admits(limit, &suppressed, sink.now_ns)) {
		if (suppressed > 0)
			tell_suppressed(limit->subject, suppressed);
		write_event(level, error, format, args);
	}
	pthread_mutex_unlock(&sink.lock);
	va_end(args);
	errno = saved_errno;
}

void log_advance(uint64_t now_ns)
{
	int saved_errno = errno;
	struct log_limit *limit;

	pthread_mutex_lock(&sink.lock);
	if (now_ns > sink.now_ns)
		sink.now_ns = now_ns;
	for (limit = sink.limits; limit != NULL; limit = limit->next) {
		if (limit->suppressed == 0 || !limit_has_room(limit, now_ns))
			continue;
		tell_suppressed(limit->subject, limit->suppressed);
		limit->suppressed = 0;
		limit->spent_ns += NS_PER_MIN / limit->lines_per_min;
	}
	pthread_mutex_unlock(&sink.lock);
	errno = saved_errno;
}

uint64_t log_lost_lines(void)
{
	uint64_t lost;

	pthread_mutex_lock(&sink.lock);
	lost = sink.lost;
	pthread_mutex_unlock(&sink.lock);
	return lost;
}
