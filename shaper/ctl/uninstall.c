/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/uninstall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/ctl/client.h"
#include "shaper/daemon/answers.h"
#include "shaper/io/nft_rules.h"

static bool daemon_answers(const char *socket_path)
{
	struct client client;
	char *answer = NULL;
	bool answers = client_open(&client, socket_path) == 0 &&
		       client_ask(&client, "status", &answer) == 0;

	free(answer);
	client_close(&client);
	return answers;
}

static int refuse(const char *why, int error, bool json)
{
	char *line = json ? answers_no(why) : NULL;

	if (line != NULL)
		fputs(line, stdout);
	else
		fprintf(stderr, "symtapctl: uninstall: %s\n", why);
	free(line);
	return error;
}

static int remove_rules(bool json)
{
	struct nftrules *rules;
	int error = nftrules_open(&rules);

	if (error < 0)
		return refuse(error == -EPERM ? "only root may"
					      : strerror(-error),
			      error, json);
	error = nftrules_uninstall(rules);
	if (error < 0)
		refuse(nftrules_error(rules), error, json);
	nftrules_close(rules);
	return error;
}

int uninstall(const char *socket_path, bool json)
{
	int error;

	if (daemon_answers(socket_path))
		return refuse("symtapd runs and uses its rules; stop it first",
			      -EBUSY, json);
	error = remove_rules(json);
	if (error < 0)
		return error;
	puts(json ? "{\"ok\":{\"uninstalled\":true}}"
		  : "No rule and no changed sysctl of symtap is left.");
	return 0;
}
