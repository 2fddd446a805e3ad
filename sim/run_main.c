/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `symtap-sim run`: worlds, and whether they come out as they should. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "sim/policy_file.h"
#include "sim/run.h"
#include "sim/verbs.h"

static const char help[] =
	"usage: symtap-sim run [OPTION...] SCENARIO.yaml...\n"
	"\n"
	"Worlds on a virtual clock: senders that react, links, and a gateway.\n"
	"\n"
	"  -c, --config FILE  judge by this policy, not by the scenario's\n"
	"      --without      with a plain forwarder in the place of symtap\n"
	"      --json FILE    what came of each, a line each; - for standard\n"
	"                     output\n"
	"      --plot FILE    draw the last one, as FILE says: .svg or .png\n"
	"      --progress     say which one is running\n"
	"  -h, --help         this\n"
	"\n"
	"Exit status: 0 all expectations hold, 1 one does not, or something\n"
	"else failed, 2 usage, 3 a scenario or a policy cannot be used.\n";

struct options {
	const char *config, *json, *plot;
	bool without, progress;
};

enum { EXIT_BAD_FILE = EXIT_DAMAGED };

static int complain(const char *file, const char *why)
{
	fprintf(stderr, "symtap-sim: %s: %s\n", file, why);
	return EXIT_NO;
}

static void print_errors(const struct policy_errors *errors)
{
	char line[POLICY_ERROR_LINE_SIZE];

	for (size_t i = 0; i < errors->count; i++) {
		policy_errors_print(errors, i, line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
}

/* ------ reading */

static char *read_all(const char *path, size_t *ret_bytes)
{
	FILE *file = fopen(path, "rb");
	char *text = file ? malloc(SCENARIO_BYTES_MAX + 1) : NULL;

	if (text)
		*ret_bytes = fread(text, 1, SCENARIO_BYTES_MAX + 1, file);
	if (!text || ferror(file)) {
		complain(path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (file)
		fclose(file);
	return text;
}

static struct scenario *load(const char *path)
{
	static struct policy_errors errors;
	struct scenario *scenario = NULL;
	size_t bytes = 0;
	char *text = read_all(path, &bytes);

	if (text && !scenario_parse(path, text, bytes, &scenario, &errors))
		print_errors(&errors);
	free(text);
	return scenario;
}

/* A policy that stands in the scenario itself has several lines. */
static struct policy *policy_of_text(const char *path, const char *text)
{
	static struct policy_errors errors;
	struct policy *policy = NULL;
	char name[128];

	snprintf(name, sizeof(name), "%s: policy", path);
	if (!policy_parse(name, text, strlen(text), &policy, &errors))
		policy = NULL;
	print_errors(&errors);
	if (policy)
		policy->mode = POLICY_ENFORCE;
	return policy;
}

static struct policy *policy_beside(const char *scenario_path, const char *path)
{
	char *folder = strdup(scenario_path);
	char *whole = NULL;
	struct policy *policy = NULL;

	if (path[0] == '/')
		policy = policy_file_load(path);
	else if (folder &&
		 asprintf(&whole, "%s/%s", dirname(folder), path) >= 0)
		policy = policy_file_load(whole);
	free(whole);
	free(folder);
	return policy;
}

static struct policy *find_policy(const struct options *options,
				  const char *path,
				  const struct scenario *scenario)
{
	if (options->config || !scenario->policy)
		return policy_file_load(options->config);
	if (strchr(scenario->policy, '\n'))
		return policy_of_text(path, scenario->policy);
	return policy_beside(path, scenario->policy);
}

static bool suits(const char *path, const struct scenario *scenario,
		  const struct policy *policy)
{
	static struct policy_errors errors;

	policy_errors_init(&errors, path);
	if (scenario_suits(scenario, policy, &errors))
		return true;
	print_errors(&errors);
	return false;
}

/* ------ one scenario */

static int show(const struct options *options, FILE *json,
		const struct run *run)
{
	unsigned int failed = json == stdout ? run_count_failed(run)
					     : run_text(stdout, run);
	int error;

	if (json && !run_json(json, run))
		return complain(options->json, strerror(errno));
	if (options->plot) {
		error = run_plot(options->plot, run);
		if (error < 0)
			return complain(options->plot, strerror(-error));
	}
	return failed > 0 ? EXIT_NO : EXIT_DONE;
}

static int run_world(const struct options *options, FILE *json, struct run *run)
{
	int status;

	if (!world_run(run->scenario, run->policy, &run->result))
		return complain(run->file, strerror(ENOMEM));
	run->compares = expect_compares(run->scenario);
	if (run->compares && !world_run(run->scenario, NULL, &run->without)) {
		world_result_fini(&run->result);
		return complain(run->file, strerror(ENOMEM));
	}
	status = show(options, json, run);
	world_result_fini(&run->result);
	world_result_fini(&run->without);
	return status;
}

static int run_file(const struct options *options, FILE *json, const char *path)
{
	struct scenario *scenario = load(path);
	struct policy *policy = NULL;
	struct run run = { .file = path, .scenario = scenario };
	int status = EXIT_BAD_FILE;

	if (!scenario)
		return EXIT_BAD_FILE;
	if (options->progress)
		fprintf(stderr, "%s\n", path);
	policy = find_policy(options, path, scenario);
	if (policy && suits(path, scenario, policy)) {
		if (!options->without && !scenario->without)
			run.policy = policy;
		status = run_world(options, json, &run);
	}
	policy_free(policy);
	scenario_free(scenario);
	return status;
}

/* ------ all of them */

/* false: the command line is wrong, or asks for help. */
static bool parse(struct options *options, int argc, char **argv,
		  int *ret_status)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", required_argument, NULL, 'j' },
		{ "plot", required_argument, NULL, 'p' },
		{ "without", no_argument, NULL, 'w' },
		{ "progress", no_argument, NULL, 'P' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	*ret_status = EXIT_USAGE;
	while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'j':
			options->json = optarg;
			break;
		case 'p':
			options->plot = optarg;
			break;
		case 'w':
			options->without = true;
			break;
		case 'P':
			options->progress = true;
			break;
		case 'h':
			fputs(help, stdout);
			*ret_status = EXIT_DONE;
			return false;
		default:
			return false;
		}
	}
	if (optind == argc)
		fputs("symtap-sim run: which scenario?\n", stderr);
	return optind < argc;
}

static FILE *open_json(const char *path)
{
	if (strcmp(path, "-") == 0)
		return stdout;
	return fopen(path, "w");
}

int run_main(int argc, char **argv)
{
	struct options options = { 0 };
	FILE *json = NULL;
	int status, worst = EXIT_DONE;

	if (!parse(&options, argc, argv, &status))
		return status;
	if (options.json) {
		json = open_json(options.json);
		if (!json)
			return complain(options.json, strerror(errno));
	}
	for (int i = optind; i < argc; i++) {
		status = run_file(&options, json, argv[i]);
		worst = status > worst ? status : worst;
	}
	if (json && json != stdout && fclose(json) != 0)
		worst = worst > EXIT_NO
				? worst
				: complain(options.json, strerror(errno));
	return worst;
}
