/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/options.h"

#include <getopt.h>

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, 'n' },
	{ "foreground", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "tap", required_argument, NULL, 't' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

bool options_read(int argc, char *const argv[], struct options *ret_options,
		  char *ret_wrong, size_t size)
{
	struct options options = {
		.policy_path = SYMTAP_CONFIGURATION,
	};
	bool check = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:fhnt:vV", long_options,
				     NULL)) >= 0) {
		switch (option) {
		case 'c':
			options.policy_path = optarg;
			break;
		case 'f': /* it always stays there */
			break;
		case 'n':
			check = true;
			break;
		case 't':
			options.tap = optarg;
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'h':
			options.action = OPTIONS_HELP;
			break;
		case 'V':
			options.action = OPTIONS_VERSION;
			break;
		case ':':
			snprintf(ret_wrong, size,
				 "%s needs a value: a file, or a place",
				 argv[optind - 1]);
			return false;
		default:
			snprintf(ret_wrong, size,
				 "%s is not an option; --help lists them",
				 argv[optind - 1]);
			return false;
		}
	}
	if (optind < argc) {
		snprintf(ret_wrong, size,
			 "%s: no such argument; a policy's file is given "
			 "with -c",
			 argv[optind]);
		return false;
	}
	if (check && options.action == OPTIONS_RUN)
		options.action = options.verbose ? OPTIONS_PRINT
						 : OPTIONS_CHECK;
	*ret_options = options;
	return true;
}

void options_help(FILE *stream)
{
	fputs("symtapd withholds packets that nobody answers.\n"
	      "\n"
	      "  symtapd [-v] [-c FILE]   guard this gateway, in the "
	      "foreground\n"
	      "  symtapd -n [-c FILE]     check the policy and do nothing\n"
	      "  symtapd -nv [-c FILE]    and print what was understood\n"
	      "\n"
	      "  -c, --config FILE   the policy (" SYMTAP_CONFIGURATION ")\n"
	      "  -n, --check         check it only\n"
	      "  -t, --tap PLACE     judge what symtap-tap carries: "
	      "vchan:DOMAIN,\n"
	      "                      unix:/PATH\n"
	      "  -v, --verbose       log more; with -n: print the policy\n"
	      "  -f, --foreground    stay in the foreground (always so)\n"
	      "  -V, --version       print the version\n"
	      "  -h, --help          print this\n"
	      "\n"
	      "SIGHUP loads the policy anew, SIGTERM and SIGINT end it.\n"
	      "Exit status: 0 well, 1 it could not run, 2 the command line or\n"
	      "the policy is wrong.  See symtapd(8) and symtap.yaml(5).\n",
	      stream);
}
