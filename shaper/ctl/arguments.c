/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/arguments.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_PATH "/run/symtap/control.sock"
#define POLICY_PATH "/etc/symtap/symtap.yaml"

enum {
	OPTION_BY = 256,
	OPTION_SCOPE,
	OPTION_LIMIT,
	OPTION_INTERVAL,
	OPTION_ONCE,
	OPTION_CONFIG,
	OPTION_UUID,
	OPTION_ADDRESS,
	INTERVAL_MS_DEFAULT = 2000,
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "by", required_argument, NULL, OPTION_BY },
	{ "scope", required_argument, NULL, OPTION_SCOPE },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{ "interval", required_argument, NULL, OPTION_INTERVAL },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "uuid", required_argument, NULL, OPTION_UUID },
	{ "address", required_argument, NULL, OPTION_ADDRESS },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	const char *name, *operands, *summary, *help;
} commands[COMMANDS] = {
	[COMMAND_STATUS] = { "status", "", "what is in force, and how full",
			     "" },
	[COMMAND_STATS] = { "stats", "", "every counter", "" },
	[COMMAND_TOP] = { "top",
			  " [--by S|rate|held] [--scope pair|flow|host]\n"
			  "                     [--limit N] [--interval TIME] "
			  "[--once]",
			  "who sends what, live; once when not in a terminal",
			  "  --by S|rate|held      first those with the "
			  "highest "
			  "S (default), the highest\n"
			  "                        rate, or the most packets "
			  "waiting\n"
			  "  --scope pair|flow|host  what a row is (default: "
			  "pair)\n"
			  "  --limit N             rows, 1..1000 (default 20; "
			  "in "
			  "a terminal: its height)\n"
			  "  --interval TIME       again and again: 100ms..60s "
			  "(in a terminal 2s)\n"
			  "  --once                once, also in a terminal\n"
			  "\n"
			  "S off and S out are log2((out+1)/(in+1)) of what "
			  "was "
			  "offered and let out in\n"
			  "the last window; OFF, OUT and IN are packets a "
			  "second; NEXT is when the next\n"
			  "packet of a held key leaves.\n" },
	[COMMAND_EXPLAIN] = { "explain", " ADDRESS",
			      "why it is held, and what would free it", "" },
	[COMMAND_RELEASE] = { "release", " ADDRESS",
			      "let out what waits, and forget its penalties",
			      "" },
	[COMMAND_EXEMPT] = { "exempt", " ADDRESS for TIME | ADDRESS end",
			     "hold nothing of it for a while",
			     "  TIME is a whole number of s, m, h or d: 90s, "
			     "10m, 2h; at most 30d.\n" },
	[COMMAND_RELOAD] = { "reload", "", "read the policy again",
			     "  A policy with a mistake changes nothing.\n" },
	[COMMAND_DOCTOR] = { "doctor", " [--config FILE]",
			     "what is wrong here, and what to do",
			     "  --config FILE         the policy to go by when "
			     "symtapd does not run\n"
			     "                        (default " POLICY_PATH
			     ")\n" },
	[COMMAND_VIFS] = { "vifs", "", "guests of this Xen host, one a row",
			   "  S is of a guest's busiest key; SLOTS are "
			   "places in its ring that packets\n"
			   "  take up; SINCE is how long packets have been "
			   "waiting.\n" },
	[COMMAND_EXPORT] = { "state export",
			     " [--uuid UUID | --address ADDRESS | all]",
			     "penalties and windows, as JSON",
			     "  --uuid UUID           of this guest, here or "
			     "away\n"
			     "  --address ADDRESS     of this guarded address\n"
			     "  all                   of all (default)\n" },
	[COMMAND_IMPORT] = { "state import", " < FILE",
			     "take such penalties up; lifts none",
			     "  A file with a mistake changes nothing.\n" },
	[COMMAND_UNINSTALL] = { "uninstall", "",
				"remove the rules of a daemon that died", "" },
};

__attribute__((format(printf, 2, 3))) static bool
wrong(char ret_wrong[ARGUMENTS_WRONG_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_wrong, ARGUMENTS_WRONG_BYTES, format, args);
	va_end(args);
	return false;
}

static bool find_command(const char *name, enum arguments_command *ret_command)
{
	int i;

	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(name, commands[i].name) == 0) {
			*ret_command = (enum arguments_command)i;
			return true;
		}
	}
	return false;
}

/* "top", or "state export" in two words. */
static void find_help(char *words[], enum arguments_command *ret_command)
{
	char name[32];

	if (words[1] == NULL) {
		find_command(words[0], ret_command);
		return;
	}
	snprintf(name, sizeof(name), "%s %s", words[0], words[1]);
	find_command(name, ret_command);
}

/* "250ms" or "2s" */
static bool read_interval(const char *text, int *ret_interval_ms)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text)
		return false;
	if (strcmp(end, "s") == 0)
		value *= 1000;
	else if (strcmp(end, "ms") != 0)
		return false;
	if (!(value >= TOP_INTERVAL_MS_MIN && value <= TOP_INTERVAL_MS_MAX))
		return false;
	*ret_interval_ms = (int)value;
	return true;
}

/* by=, scope= and limit= are read by who will read them again. */
static bool read_view(struct top_view *view, const char *name,
		      const char *value, char ret_wrong[ARGUMENTS_WRONG_BYTES])
{
	char line[REQUEST_LINE_BYTES];
	struct request_error error;
	struct request request;
	int n = snprintf(line, sizeof(line), "top %s=%s", name, value);

	if (n < 0 || (size_t)n >= sizeof(line) ||
	    !request_parse(line, (size_t)n, &request, &error))
		return wrong(ret_wrong, "--%s %.40s: %s", name, value,
			     (size_t)n < sizeof(line) ? error.text
						      : "too long");
	if (strcmp(name, "by") == 0)
		view->by = request.by;
	else if (strcmp(name, "scope") == 0)
		view->scope = request.scope;
	else
		view->limit = request.limit;
	return true;
}

/* Of the options that not every command takes. */
struct given {
	bool top, doctor;
	const char *uuid, *address;
	bool help, version;
};

static bool read_option(struct arguments *arguments, int option,
			struct given *given,
			char ret_wrong[ARGUMENTS_WRONG_BYTES])
{
	switch (option) {
	case 's':
		arguments->socket_path = optarg;
		return true;
	case 'j':
		arguments->json = true;
		return true;
	case 'h':
		given->help = true;
		return true;
	case 'V':
		given->version = true;
		return true;
	case OPTION_BY:
		given->top = true;
		return read_view(&arguments->view, "by", optarg, ret_wrong);
	case OPTION_SCOPE:
		given->top = true;
		return read_view(&arguments->view, "scope", optarg, ret_wrong);
	case OPTION_LIMIT:
		given->top = true;
		return read_view(&arguments->view, "limit", optarg, ret_wrong);
	case OPTION_INTERVAL:
		given->top = true;
		arguments->has_interval = true;
		if (read_interval(optarg, &arguments->view.interval_ms))
			return true;
		return wrong(ret_wrong,
			     "--interval %.40s: 100ms to 60s, such as 500ms or "
			     "2s",
			     optarg);
	case OPTION_ONCE:
		given->top = true;
		arguments->once = true;
		return true;
	case OPTION_CONFIG:
		given->doctor = true;
		arguments->policy_path = optarg;
		return true;
	case OPTION_UUID:
		given->uuid = optarg;
		return true;
	case OPTION_ADDRESS:
		given->address = optarg;
		return true;
	default:
		return wrong(ret_wrong, "see symtapctl --help");
	}
}

/* The daemon's own parser says what is wrong with it. */
static bool check_request(const char *line,
			  char ret_wrong[ARGUMENTS_WRONG_BYTES])
{
	struct request_error error;
	struct request request;

	if (request_parse(line, strlen(line), &request, &error))
		return true;
	return wrong(ret_wrong, "%s", error.text);
}

static bool build_request(struct arguments *arguments, char *words[],
			  char ret_wrong[ARGUMENTS_WRONG_BYTES])
{
	char *line = arguments->request;
	size_t used = 0;

	for (; *words != NULL; words++) {
		int n = snprintf(line + used, REQUEST_LINE_BYTES - used, "%s%s",
				 used > 0 ? " " : "", *words);

		if (n < 0 || (size_t)n >= REQUEST_LINE_BYTES - used)
			return wrong(ret_wrong, "too long");
		used += (size_t)n;
	}
	return check_request(line, ret_wrong);
}

/* "state" and what to do with it. */
static bool read_state(struct arguments *arguments, char *words[],
		       const struct given *given,
		       char ret_wrong[ARGUMENTS_WRONG_BYTES])
{
	const char *what = words[0] != NULL ? words[0] : "";
	const char *rest = words[0] != NULL ? words[1] : NULL;
	char option[96];

	if (strcmp(what, "import") == 0) {
		arguments->command = COMMAND_IMPORT;
		if (rest != NULL || given->uuid != NULL ||
		    given->address != NULL)
			return wrong(ret_wrong, "state import reads standard "
						"input, and takes nothing");
		return true;
	}
	arguments->command = COMMAND_EXPORT;
	if (strcmp(what, "export") != 0 ||
	    (given->uuid != NULL) + (given->address != NULL) + (rest != NULL) >
		    1 ||
	    (rest != NULL && (strcmp(rest, "all") != 0 || words[2] != NULL)))
		return wrong(ret_wrong,
			     "state takes export, with --uuid, --address or "
			     "all, or import");
	snprintf(option, sizeof(option), "%s%s",
		 given->uuid != NULL      ? "uuid="
		 : given->address != NULL ? "address="
					  : "all",
		 given->uuid != NULL      ? given->uuid
		 : given->address != NULL ? given->address
					  : "");
	return build_request(arguments, (char *[]){ "export", option, NULL },
			     ret_wrong);
}

static bool read_command(struct arguments *arguments, char *words[],
			 const struct given *given,
			 char ret_wrong[ARGUMENTS_WRONG_BYTES])
{
	enum arguments_command command;

	if (words[0] == NULL)
		return wrong(ret_wrong, "a command is missing; see "
					"symtapctl --help");
	if (strcmp(words[0], "state") == 0) {
		if (given->top || given->doctor)
			return wrong(ret_wrong, "state takes --uuid and "
						"--address only");
		return read_state(arguments, words + 1, given, ret_wrong);
	}
	if (given->uuid != NULL || given->address != NULL)
		return wrong(ret_wrong, "--uuid and --address are for state");
	if (!find_command(words[0], &command))
		return wrong(ret_wrong,
			     "unknown command %.40s; see symtapctl --help",
			     words[0]);
	arguments->command = command;
	if (given->top && command != COMMAND_TOP)
		return wrong(ret_wrong, "--by, --scope, --limit, --interval "
					"and --once are for top");
	if (given->doctor && command != COMMAND_DOCTOR)
		return wrong(ret_wrong, "--config is for doctor");
	if (command != COMMAND_TOP && command != COMMAND_DOCTOR &&
	    command != COMMAND_UNINSTALL)
		return build_request(arguments, words, ret_wrong);
	if (words[1] != NULL)
		return wrong(ret_wrong, "%s takes options only", words[0]);
	return true;
}

bool arguments_read(int argc, char *argv[], struct arguments *ret_arguments,
		    char ret_wrong[ARGUMENTS_WRONG_BYTES])
{
	struct arguments arguments = {
		.of = COMMANDS,
		.socket_path = SOCKET_PATH,
		.policy_path = POLICY_PATH,
		.view = { .by = REQUEST_BY_S,
			  .scope = FLOW_SCOPE_PAIR,
			  .limit = REQUEST_ROWS_DEFAULT,
			  .interval_ms = INTERVAL_MS_DEFAULT },
	};
	struct given given = { 0 };
	int option;

	optind = 0; /* from the beginning, also when called again */
	while ((option = getopt_long(argc, argv, "s:jhV", options, NULL)) != -1)
		if (!read_option(&arguments, option, &given, ret_wrong))
			return false;
	if (given.help) {
		arguments.command = COMMAND_HELP;
		if (argv[optind] != NULL)
			find_help(argv + optind, &arguments.of);
	} else if (given.version) {
		arguments.command = COMMAND_VERSION;
	} else if (!read_command(&arguments, argv + optind, &given,
				 ret_wrong)) {
		return false;
	}
	*ret_arguments = arguments;
	return true;
}

static void help_on_all(void)
{
	int i;

	puts("Usage: symtapctl [OPTION...] COMMAND\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].summary);
}

void arguments_help(enum arguments_command of)
{
	if (of < COMMANDS)
		printf("Usage: symtapctl [OPTION...] %s%s\n\n  %s\n%s%s",
		       commands[of].name, commands[of].operands,
		       commands[of].summary,
		       commands[of].help[0] != '\0' ? "\n" : "",
		       commands[of].help);
	else
		help_on_all();
	puts("\n"
	     "  -s, --socket PATH     where symtapd listens "
	     "(default " SOCKET_PATH ")\n"
	     "  -j, --json            the answer as one line of JSON\n"
	     "  -h, --help            this, or with a command: more on it\n"
	     "  -V, --version\n"
	     "\n"
	     "Exit status: 0 done, 1 no, 2 usage, 3 symtapd cannot be "
	     "reached.  See symtapctl(8).");
}
