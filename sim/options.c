/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/address.h"
#include "policy/policy.h"

enum {
	OPTION_INSIDE = 256,
	OPTION_ARRIVES,
	OPTION_JSON,
	OPTION_REPORT,
	OPTION_PLOT,
	OPTION_KEYS,
	OPTION_EXACT,
	OPTION_PROGRESS,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "inside", required_argument, NULL, OPTION_INSIDE },
	{ "arrives", required_argument, NULL, OPTION_ARRIVES },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "report", required_argument, NULL, OPTION_REPORT },
	{ "plot", required_argument, NULL, OPTION_PLOT },
	{ "keys", required_argument, NULL, OPTION_KEYS },
	{ "exact", no_argument, NULL, OPTION_EXACT },
	{ "jobs", required_argument, NULL, 'j' },
	{ "progress", no_argument, NULL, OPTION_PROGRESS },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

const char options_help[] =
	"usage: symtap-sim replay [OPTION...] FILE...\n"
	"\n"
	"Whom symtap would have held in these captures (pcap, pcapng; gzip, "
	"zstd, xz;\n"
	"\"-\" is standard input), and why.\n"
	"\n"
	"  -c, --config FILE    the policy; its mode does not matter (default: "
	"the shipped\n"
	"                       one)\n"
	"  --inside WHO         whom to guard: initiators (default: who sent "
	"the first packet\n"
	"                       of each pair), responders, both (in turn), "
	"policy (its own\n"
	"                       `inside`), or a prefix such as 10.20.0.0/16; "
	"several of them\n"
	"  --arrives inside     all packets came in on the guarded interface: "
	"anti-spoof\n"
	"                       applies\n"
	"  --json FILE          one JSON object a capture, \"-\": to standard "
	"output\n"
	"  --report FILE        a page with charts (HTML)\n"
	"  --plot FILE          one capture's worst keys over time, as .svg or "
	".png\n"
	"  --keys N             the N worst keys (default: all in the JSON, 10 "
	"otherwise);\n"
	"                       0: none, which is fastest\n"
	"  --exact              without bounds and with exact windows\n"
	"  -j, --jobs N         captures at a time (default: as many as "
	"cores)\n"
	"  --progress           how far it is, also when this is no terminal\n";

/* ------ values */

static bool say(const char *what, const char *text)
{
	fprintf(stderr, "symtap-sim: %s: \"%s\"\n", what, text);
	return false;
}

static bool read_count(const char *text, size_t min, size_t max, size_t *ret)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno ||
	    value < min || value > max)
		return say("not a number in range", text);
	*ret = (size_t)value;
	return true;
}

static void guard(struct options *options, enum replay_guarded first,
		  size_t count)
{
	options->passes[0] = first;
	options->passes[1] = REPLAY_RESPONDERS;
	options->passes_count = count;
}

static bool is_prefix(const char *text)
{
	struct policy_prefix prefix;
	enum address_result result = address_parse_prefix(text, &prefix);

	return result == ADDRESS_OK || result == ADDRESS_HOST_BITS;
}

/* "10.20.0.0/16,2001:db8::/32" as well. */
static bool read_prefixes(struct options *options, char *text)
{
	char *rest = NULL;

	guard(options, REPLAY_BY_PREFIX, 1);
	for (char *one = strtok_r(text, ",", &rest); one;
	     one = strtok_r(NULL, ",", &rest)) {
		if (!is_prefix(one))
			return say("neither initiators, responders, both, "
				   "policy nor a prefix",
				   one);
		options->prefixes[options->prefixes_count++] = one;
	}
	return true;
}

static bool read_inside(struct options *options, char *text)
{
	bool again = options->passes_count > 0;

	if (strcmp(text, "initiators") == 0)
		guard(options, REPLAY_INITIATORS, 1);
	else if (strcmp(text, "responders") == 0)
		guard(options, REPLAY_RESPONDERS, 1);
	else if (strcmp(text, "both") == 0)
		guard(options, REPLAY_INITIATORS, 2);
	else if (strcmp(text, "policy") == 0)
		guard(options, REPLAY_BY_PREFIX, 1);
	else if (again && options->prefixes_count == 0)
		return say("--inside was given already", text);
	else
		return read_prefixes(options, text);
	return !again || say("--inside was given already", text);
}

static bool ends_with(const char *text, const char *end)
{
	size_t bytes = strlen(text), end_bytes = strlen(end);

	return bytes > end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

static bool read_option(struct options *options, int option, char *text)
{
	switch (option) {
	case 'c':
		options->config = text;
		return true;
	case OPTION_INSIDE:
		return read_inside(options, text);
	case OPTION_ARRIVES:
		options->arrives_inside = true;
		return strcmp(text, "inside") == 0 ||
		       say("--arrives knows \"inside\" only", text);
	case OPTION_JSON:
		options->json = text;
		return true;
	case OPTION_REPORT:
		options->report = text;
		return true;
	case OPTION_PLOT:
		options->plot = text;
		return ends_with(text, ".svg") || ends_with(text, ".png") ||
		       say("--plot writes .svg or .png", text);
	case OPTION_KEYS:
		options->has_keys = true;
		return read_count(text, 0, OPTIONS_KEYS_ALL - 1,
				  &options->keys);
	case OPTION_EXACT:
		options->exact = true;
		return true;
	case 'j':
		return read_count(text, 1, OPTIONS_JOBS_MAX, &options->jobs);
	case OPTION_PROGRESS:
		options->progress = true;
		return true;
	default: /* getopt has said what is wrong */
		return false;
	}
}

/* ------ all of it */

/* What follows --inside PREFIX may be prefixes as well, unless it is a file. */
static void read_operands(struct options *options, char **operands)
{
	for (; *operands; operands++) {
		if (options->prefixes_count > 0 && is_prefix(*operands) &&
		    access(*operands, F_OK) != 0)
			options->prefixes[options->prefixes_count++] =
				*operands;
		else
			options->files[options->files_count++] = *operands;
	}
}

static bool is_complete(const struct options *options)
{
	size_t inputs = 0;

	for (size_t i = 0; i < options->files_count; i++)
		inputs += strcmp(options->files[i], "-") == 0;
	if (options->files_count == 0)
		fputs("symtap-sim: which capture?\n", stderr);
	else if (inputs > 1)
		fputs("symtap-sim: standard input can be read once\n", stderr);
	else if (options->plot && options->files_count > 1)
		fputs("symtap-sim: --plot is for one capture\n", stderr);
	else
		return true;
	return false;
}

/* Room for every prefix there can be: one a comma, and one an argument. */
static bool make_room(struct options *options, int argc, char **argv)
{
	size_t count = (size_t)argc + 1;

	for (int i = 0; i < argc; i++)
		for (const char *at = argv[i]; *at; at++)
			count += *at == ',';
	options->prefixes = calloc(count, sizeof(*options->prefixes));
	options->files = calloc((size_t)argc + 1, sizeof(*options->files));
	if (options->prefixes && options->files)
		return true;
	fputs("symtap-sim: out of memory\n", stderr);
	return false;
}

enum options_result options_parse(struct options *options, int argc,
				  char **argv)
{
	int option;

	*options = (struct options){ .keys = OPTIONS_KEYS_ALL };
	if (!make_room(options, argc, argv))
		return OPTIONS_WRONG;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:j:h", long_options,
				     NULL)) != -1) {
		if (option == 'h')
			return OPTIONS_HELP;
		if (!read_option(options, option, optarg))
			return OPTIONS_WRONG;
	}
	read_operands(options, argv + optind);
	options->has_inside = options->passes_count > 0;
	if (!options->has_inside)
		guard(options, REPLAY_INITIATORS, 1);
	return is_complete(options) ? OPTIONS_RUN : OPTIONS_WRONG;
}

void options_fini(struct options *options)
{
	free(options->prefixes);
	free(options->files);
}
