/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/tap_options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE = 4242, WAITING = 4096, LONGEST_S = 60, LONGEST_MAX_S = 3600 };

static const struct option long_options[] = {
	{ "device", required_argument, NULL, 'd' },
	{ "fail", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "judge", required_argument, NULL, 'j' },
	{ "longest", required_argument, NULL, 'l' },
	{ "most", required_argument, NULL, 'm' },
	{ "queue", required_argument, NULL, 'q' },
	{ "version", no_argument, NULL, 'V' },
	{ "waiting", required_argument, NULL, 'w' },
	{ NULL, 0, NULL, 0 },
};

static bool read_number(const char *text, unsigned long most,
			unsigned long *ret_number)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (!isdigit(text[0]) || *end != '\0' || number > most)
		return false;
	*ret_number = number;
	return true;
}

static bool read_mode(const char *text, enum tap_mode *ret_mode)
{
	for (enum tap_mode mode = 0; mode < TAP_MODES; mode++) {
		if (strcmp(text, tap_mode_name(mode)) == 0) {
			*ret_mode = mode;
			return true;
		}
	}
	return false;
}

static bool read_fail(const char *text, bool *ret_open)
{
	*ret_open = strcmp(text, "open") == 0;
	return *ret_open || strcmp(text, "closed") == 0;
}

/* NULL: it is good; else what would be right. */
static const char *set(struct tap_options *options, int option,
		       const char *value)
{
	unsigned long number = 0;

	switch (option) {
	case 'd':
		if (options->devices_count == TAP_DEVICES_MAX)
			return "--device: 64 at most";
		options->devices[options->devices_count++] = value;
		return NULL;
	case 'f':
		return read_fail(value, &options->carrier.fail_open)
			       ? NULL
			       : "--fail: `open` or `closed`";
	case 'j':
		return tap_place_read(value, &options->judge)
			       ? NULL
			       : "--judge: `vchan:DOMAIN` or `unix:/PATH`";
	case 'l':
		if (!read_number(value, LONGEST_MAX_S, &number) || number == 0)
			return "--longest: 1 to 3600 seconds";
		options->carrier.longest_ns = number * UINT64_C(1000000000);
		return NULL;
	case 'm':
		return read_mode(value, &options->carrier.most)
			       ? NULL
			       : "--most: `observe`, `interpose` or "
				 "`intercept`";
	case 'q':
		if (!read_number(value, UINT16_MAX - 1, &number))
			return "--queue: 0 to 65534";
		options->queue = (uint16_t)number;
		return NULL;
	case 'w':
		if (!read_number(value, TAP_WAITING_MAX, &number) ||
		    number == 0)
			return "--waiting: 1 to 65536 packets";
		options->carrier.waiting_max = (uint32_t)number;
		return NULL;
	}
	return "that is not an option, or has no value; --help lists them";
}

bool tap_options_read(int argc, char *const argv[],
		      struct tap_options *ret_options, char *ret_wrong,
		      size_t size)
{
	struct tap_options options = {
		.queue = QUEUE,
		.carrier = { .most = TAP_INTERPOSE,
			     .fail_open = true,
			     .waiting_max = WAITING,
			     .longest_ns = LONGEST_S * UINT64_C(1000000000) },
	};
	const char *wrong = NULL;
	bool judged = false;
	int option;

	opterr = 0;
	while (wrong == NULL &&
	       (option = getopt_long(argc, argv, ":hV", long_options, NULL)) >=
		       0) {
		if (option == 'h')
			options.help = true;
		else if (option == 'V')
			options.version = true;
		else
			wrong = set(&options, option, optarg);
		judged |= option == 'j';
	}
	if (wrong == NULL && optind < argc)
		wrong = "no arguments are known, only options";
	if (wrong == NULL && !judged && !options.help && !options.version)
		wrong = "--judge: who judges, `vchan:DOMAIN`?";
	if (wrong != NULL) {
		snprintf(ret_wrong, size, "%s", wrong);
		return false;
	}
	*ret_options = options;
	return true;
}

void tap_options_help(FILE *stream)
{
	fputs("symtap-tap carries packets of a kernel queue to symtapd in "
	      "another domain.\n"
	      "\n"
	      "  symtap-tap --judge vchan:DOMAIN [OPTIONS]\n"
	      "\n"
	      "  --judge PLACE     who judges: vchan:DOMAIN, or unix:/PATH\n"
	      "  --queue N         the kernel's queue (4242)\n"
	      "  --most MODE       that the judge may ask for: observe, "
	      "interpose (default),\n"
	      "                    intercept\n"
	      "  --fail open|closed\n"
	      "                    without a judge, pass (default) or drop\n"
	      "  --waiting N       packets that may wait for a verdict (4096)\n"
	      "  --longest N       seconds that one may (60)\n"
	      "  --device NAME     frames of an intercepting judge may leave "
	      "by it; several\n"
	      "  --version, --help\n"
	      "\n"
	      "SIGUSR1: observe only; SIGUSR2: up to --most again; SIGTERM "
	      "ends it.\n"
	      "Exit status: 0 well, 1 it could not run, 2 the command line is "
	      "wrong.\n"
	      "See symtap-tap(8).\n",
	      stream);
}
