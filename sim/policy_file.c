/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/policy_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/parse.h"
#include "policy/policy.h"

/* What contrib/symtap.yaml says. */
static const char shipped[] =
	"mode: enforce\n"
	"inside: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 'fd00::/8']\n";

static struct policy *parse(const char *name, const char *text, size_t bytes)
{
	static struct policy_errors errors;
	struct policy *policy = NULL;
	bool good = policy_parse(name, text, bytes, &policy, &errors);

	for (size_t i = 0; i < errors.count; i++) {
		char line[POLICY_ERROR_LINE_SIZE];

		policy_errors_print(&errors, i, line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	return good ? policy : NULL;
}

/* NULL: it cannot be read, which was said. */
static char *read_all(const char *path, size_t *ret_bytes)
{
	FILE *file = fopen(path, "rb");
	char *text = malloc(POLICY_FILE_BYTES_MAX + 1);
	const char *why = NULL;

	if (!file || !text) {
		why = strerror(errno);
	} else {
		*ret_bytes = fread(text, 1, POLICY_FILE_BYTES_MAX + 1, file);
		if (ferror(file))
			why = strerror(errno);
		else if (*ret_bytes > POLICY_FILE_BYTES_MAX)
			why = "a policy has at most 4 MiB";
	}
	if (file)
		fclose(file);
	if (!why)
		return text;
	fprintf(stderr, "symtap-sim: %s: %s\n", path, why);
	free(text);
	return NULL;
}

struct policy *policy_file_load(const char *path)
{
	struct policy *policy;
	size_t bytes = 0;
	char *text;

	if (path) {
		text = read_all(path, &bytes);
		policy = text ? parse(path, text, bytes) : NULL;
		free(text);
	} else {
		policy = parse("the default", shipped, sizeof(shipped) - 1);
	}
	if (policy)
		policy->mode = POLICY_ENFORCE;
	return policy;
}

bool policy_file_set_inside(struct policy *policy, const char *const *prefixes,
			    size_t count)
{
	struct policy_prefix *list = calloc(count, sizeof(*list));

	if (!list) {
		fputs("symtap-sim: out of memory\n", stderr);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		enum address_result result =
			address_parse_prefix(prefixes[i], &list[i]);

		if (result == ADDRESS_OK || result == ADDRESS_HOST_BITS)
			continue;
		fprintf(stderr,
			"symtap-sim: \"%s\" is no address or prefix, such as "
			"10.20.0.0/16\n",
			prefixes[i]);
		free(list);
		return false;
	}
	free(policy->inside.list);
	policy->inside = (struct policy_prefixes){ list, count };
	return policy_prepare(policy);
}
