/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program that does nothing at both hooks of an interface, until killed.
 *
 *	fast_attach INTERFACE */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/fast_empty.h"

int main(int argc, char **argv)
{
	int fd, error;

	if (argc != 2) {
		fprintf(stderr, "usage: fast_attach INTERFACE\n");
		return 2;
	}
	fd = empty_load();
	error = fd < 0 ? fd : empty_attach(fd, argv[1]);
	if (error < 0) {
		fprintf(stderr, "fast_attach: %s: %s\n", argv[1],
			strerror(-error));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
