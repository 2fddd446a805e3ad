/* SPDX-License-Identifier: GPL-2.0-or-later */
/* symtap-sim: what symtapd would do, before it does. */
#include <stdio.h>
#include <string.h>

#include "sim/verbs.h"

static const struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{ "replay", replay_main, "what it would have done to a capture" },
	{ "run", run_main, "what it does in a simulated world" },
	{ "judge", judge_main, "whom it would have hurt, and held" },
	{ "sweep", sweep_main, "what each setting costs, and what it buys" },
};

static void usage(FILE *file)
{
	fputs("usage: symtap-sim VERB [OPTION...] [FILE...]\n\n", file);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(file, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	fputs("\nsymtap-sim VERB --help tells more; symtap-sim(1) all.\n",
	      file);
}

/* Also what an earlier write of many lost. */
static int tell_lost(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fputs("symtap-sim: standard output cannot be written\n", stderr);
	return status == EXIT_DONE ? EXIT_NO : status;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return tell_lost(verbs[i].main(argc - 1, argv + 1));
	if (strcmp(name, "--version") == 0) {
		puts("symtap-sim " SYMTAP_VERSION);
		return EXIT_DONE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		usage(argc > 1 ? stdout : stderr);
		return argc > 1 ? EXIT_DONE : EXIT_USAGE;
	}
	fprintf(stderr, "symtap-sim: there is no verb \"%s\"\n", name);
	usage(stderr);
	return EXIT_USAGE;
}
