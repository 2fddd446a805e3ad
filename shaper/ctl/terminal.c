/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* ECMA-48, and xterm's alternate screen. */
#define ENTER_SCREEN "\033[?1049h\033[?25l"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"
#define HOME         "\033[H"
#define CLEAR_LINE   "\033[K"
#define CLEAR_BELOW  "\033[J"
#define BOLD         "\033[1m"
#define REVERSE      "\033[7m"
#define PLAIN        "\033[m"

static struct termios before;
static bool is_open;
static size_t page_width, page_height, page_lines;
static volatile sig_atomic_t ended, resized, suspended;

static void on_end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

static void on_resize(int signal_number)
{
	(void)signal_number;
	resized = 1;
}

static void on_suspend(int signal_number)
{
	(void)signal_number;
	suspended = 1;
}

/* No SA_RESTART: a signal ends the wait for a key. */
static void catch (int signal_number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

static int enter(void)
{
	struct termios raw = before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		return -errno;
	fputs(ENTER_SCREEN, stdout);
	fflush(stdout);
	return 0;
}

static void leave(void)
{
	fputs(LEAVE_SCREEN, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

int terminal_open(void)
{
	const char *kind = getenv("TERM");
	int error;

	if (kind == NULL || kind[0] == '\0' || strcmp(kind, "dumb") == 0)
		return -ENOTSUP;
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	catch (SIGINT, on_end);
	catch (SIGTERM, on_end);
	catch (SIGHUP, on_end);
	catch (SIGPIPE, on_end);
	catch (SIGWINCH, on_resize);
	catch (SIGTSTP, on_suspend);
	error = enter();
	is_open = error == 0;
	return error;
}

void terminal_close(void)
{
	if (is_open)
		leave();
	is_open = false;
}

void terminal_size(size_t *ret_width, size_t *ret_height)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*ret_width = size.ws_col > 0 ? size.ws_col : 80;
	*ret_height = size.ws_row > 0 ? size.ws_row : 24;
}

static void stop_and_go_on(void)
{
	suspended = 0;
	leave();
	raise(SIGSTOP);
	enter();
}

int terminal_key(int wait_ms)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int ready = poll(&input, 1, wait_ms);
	unsigned char key;

	if (ended)
		return TERMINAL_ENDED;
	if (suspended) {
		stop_and_go_on();
		return TERMINAL_RESIZED;
	}
	if (resized) {
		resized = 0;
		return TERMINAL_RESIZED;
	}
	if (ready <= 0)
		return TERMINAL_TIME_UP;
	if (read(STDIN_FILENO, &key, 1) != 1)
		return TERMINAL_ENDED;
	return key;
}

void terminal_begin(void)
{
	terminal_size(&page_width, &page_height);
	page_lines = 0;
	fputs(HOME, stdout);
}

void terminal_line(enum terminal_style style, const char *text)
{
	size_t column;

	if (page_lines == page_height)
		return;
	if (page_lines++ > 0)
		fputs("\r\n", stdout);
	if (style != TERMINAL_PLAIN)
		fputs(style == TERMINAL_BOLD ? BOLD : REVERSE, stdout);
	for (column = 0; column < page_width && *text != '\0'; column++) {
		unsigned char c = (unsigned char)*text++;

		putchar(c >= 0x20 && c < 0x7f ? c : '?');
	}
	for (; style == TERMINAL_REVERSE && column < page_width; column++)
		putchar(' ');
	if (style != TERMINAL_PLAIN)
		fputs(PLAIN, stdout);
	if (column < page_width)
		fputs(CLEAR_LINE, stdout);
}

void terminal_end(void)
{
	if (page_lines < page_height)
		fputs(CLEAR_BELOW, stdout);
	fflush(stdout);
}
