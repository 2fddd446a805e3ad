/* SPDX-License-Identifier: GPL-2.0-or-later */
/* symtapctl: asks the daemon, and shows what it says. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shaper/ctl/arguments.h"
#include "shaper/ctl/client.h"
#include "shaper/ctl/doctor.h"
#include "shaper/ctl/document.h"
#include "shaper/ctl/import.h"
#include "shaper/ctl/reply.h"
#include "shaper/ctl/show.h"
#include "shaper/ctl/show_vifs.h"
#include "shaper/ctl/top.h"
#include "shaper/ctl/uninstall.h"

enum {
	EXIT_DONE = 0,
	EXIT_NO = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
};

static int unreachable(const char *path, int error)
{
	fprintf(stderr, "symtapctl: symtapd does not answer at %s: %s\n", path,
		strerror(error));
	if (error == ENOENT || error == ECONNREFUSED)
		fputs("Is it running?  `symtapctl doctor` looks further.\n",
		      stderr);
	else if (error == EACCES)
		fputs("The socket is for root and its group.\n", stderr);
	return EXIT_UNREACHABLE;
}

static void show_export(const struct json_t *body)
{
	char *text = document_print(body);

	if (text != NULL)
		puts(text);
	free(text);
}

static void show(enum arguments_command command, const struct json_t *body)
{
	switch (command) {
	case COMMAND_STATUS:
		show_status(body);
		return;
	case COMMAND_STATS:
		show_stats(body);
		return;
	case COMMAND_TOP:
		show_top(body);
		return;
	case COMMAND_EXPLAIN:
		show_explain(body);
		return;
	case COMMAND_RELEASE:
		show_released(body);
		return;
	case COMMAND_EXEMPT:
		show_exempted(body);
		return;
	case COMMAND_RELOAD:
		show_reloaded(body);
		return;
	case COMMAND_VIFS:
		show_vifs(body, time(NULL));
		return;
	case COMMAND_EXPORT:
		show_export(body);
		return;
	case COMMAND_DOCTOR:
	case COMMAND_IMPORT:
	case COMMAND_UNINSTALL:
	case COMMAND_HELP:
	case COMMAND_VERSION:
		return;
	}
}

static int tell(const struct arguments *arguments, const char *answer)
{
	struct reply *reply = reply_parse(answer);
	enum reply_verdict verdict;

	if (reply == NULL) {
		fputs("symtapctl: out of memory\n", stderr);
		return EXIT_NO;
	}
	verdict = reply_verdict(reply);
	if (arguments->json && verdict != REPLY_NONSENSE)
		puts(answer);
	else if (verdict == REPLY_OK)
		show(arguments->command, reply_body(reply));
	else if (verdict == REPLY_NONSENSE)
		fputs("symtapctl: that was not an answer of symtapd\n", stderr);
	else
		fprintf(stderr, "symtapctl: %s\n", reply_why(reply));
	reply_free(reply);
	switch (verdict) {
	case REPLY_OK:
		return EXIT_DONE;
	case REPLY_BAD:
		return EXIT_USAGE;
	case REPLY_NO:
	case REPLY_NONSENSE:
		break;
	}
	return EXIT_NO;
}

static int ask(const struct arguments *arguments, const char *request)
{
	struct client client;
	char *answer = NULL;
	int error = client_open(&client, arguments->socket_path);
	int status;

	if (error == 0)
		error = client_ask(&client, request, &answer);
	client_close(&client);
	if (error < 0)
		return unreachable(arguments->socket_path, -error);
	status = tell(arguments, answer);
	free(answer);
	return status;
}

/* One table, or one after the other for who reads them in a pipe. */
static int top_plain(struct arguments *arguments)
{
	char request[REQUEST_LINE_BYTES];
	int status;

	top_request(&arguments->view, arguments->view.limit, request);
	for (;;) {
		status = ask(arguments, request);
		if (status != EXIT_DONE || !arguments->has_interval ||
		    arguments->once || fflush(stdout) != 0)
			return status;
		poll(NULL, 0, arguments->view.interval_ms);
		if (!arguments->json)
			putchar('\n');
	}
}

static int run_top(struct arguments *arguments)
{
	bool live = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) &&
		    !arguments->json && !arguments->once;

	if (!live)
		return top_plain(arguments);
	if (top_live(arguments->socket_path, &arguments->view) < 0)
		return top_plain(arguments);
	return EXIT_DONE;
}

static int run_doctor(const struct arguments *arguments)
{
	int found = doctor(arguments->socket_path, arguments->policy_path,
			   arguments->json);

	if (found < 0)
		fprintf(stderr, "symtapctl: doctor: %s\n", strerror(-found));
	return found == 0 ? EXIT_DONE : EXIT_NO;
}

static int run_import(const struct arguments *arguments)
{
	int error = 0;

	switch (import_document(arguments->socket_path, arguments->json,
				&error)) {
	case IMPORT_DONE:
		return EXIT_DONE;
	case IMPORT_NO:
		break;
	case IMPORT_WRONG:
		return EXIT_USAGE;
	case IMPORT_UNREACHABLE:
		return unreachable(arguments->socket_path, -error);
	}
	return EXIT_NO;
}

static int run(struct arguments *arguments)
{
	switch (arguments->command) {
	case COMMAND_STATUS:
	case COMMAND_STATS:
	case COMMAND_EXPLAIN:
	case COMMAND_RELEASE:
	case COMMAND_EXEMPT:
	case COMMAND_RELOAD:
	case COMMAND_VIFS:
	case COMMAND_EXPORT:
		return ask(arguments, arguments->request);
	case COMMAND_IMPORT:
		return run_import(arguments);
	case COMMAND_TOP:
		return run_top(arguments);
	case COMMAND_DOCTOR:
		return run_doctor(arguments);
	case COMMAND_UNINSTALL:
		return uninstall(arguments->socket_path, arguments->json) < 0
			       ? EXIT_NO
			       : EXIT_DONE;
	case COMMAND_HELP:
		arguments_help(arguments->of);
		return EXIT_DONE;
	case COMMAND_VERSION:
		puts("symtapctl " SYMTAP_VERSION);
		return EXIT_DONE;
	}
	return EXIT_USAGE;
}

int main(int argc, char *argv[])
{
	char wrong[ARGUMENTS_WRONG_BYTES];
	struct arguments arguments;
	int status;

	if (!arguments_read(argc, argv, &arguments, wrong)) {
		fprintf(stderr, "symtapctl: %s\n", wrong);
		return EXIT_USAGE;
	}
	status = run(&arguments);
	if (fflush(stdout) != 0 && status == EXIT_DONE)
		status = EXIT_NO;
	return status;
}
