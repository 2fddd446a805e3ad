/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/requests.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 12 };

#define NS_PER_S     1000000000ull
#define EXEMPT_S_MAX (30ull * 24 * 3600)

struct words {
	char text[REQUEST_LINE_BYTES + 1];
	char *word[WORDS_MAX];
	size_t count;
};

static const char *const verb_names[REQUEST_VERBS] = {
	[REQUEST_STATUS] = "status",   [REQUEST_STATS] = "stats",
	[REQUEST_TOP] = "top",         [REQUEST_EXPLAIN] = "explain",
	[REQUEST_RELEASE] = "release", [REQUEST_EXEMPT] = "exempt",
	[REQUEST_RELOAD] = "reload",   [REQUEST_DOCTOR] = "doctor",
	[REQUEST_VIFS] = "vifs",       [REQUEST_EXPORT] = "export",
	[REQUEST_IMPORT] = "import",
};

static const char *const order_names[] = {
	[REQUEST_BY_S] = "S",
	[REQUEST_BY_RATE] = "rate",
	[REQUEST_BY_HELD] = "held",
};

const char *request_verb_name(enum request_verb verb)
{
	return verb < REQUEST_VERBS ? verb_names[verb] : "?";
}

const char *request_order_name(enum request_order by)
{
	return by <= REQUEST_BY_HELD ? order_names[by] : "?";
}

__attribute__((format(printf, 2, 3))) static bool
refuse(struct request_error *ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
	va_end(args);
	return false;
}

/* Words are separated by single or several blanks; nothing is quoted. */
static bool split(const char *line, size_t length_bytes, struct words *words,
		  struct request_error *ret_error)
{
	char *rest = NULL;
	char *word;
	size_t i;

	if (length_bytes > REQUEST_LINE_BYTES)
		return refuse(ret_error, "longer than %d bytes",
			      REQUEST_LINE_BYTES);
	for (i = 0; i < length_bytes; i++)
		if (line[i] < 0x20 || line[i] > 0x7e)
			return refuse(ret_error,
				      "byte %zu is not printable ASCII", i + 1);
	memcpy(words->text, line, length_bytes);
	words->text[length_bytes] = '\0';
	words->count = 0;
	for (word = strtok_r(words->text, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		if (words->count == WORDS_MAX)
			return refuse(ret_error, "more than %d words",
				      WORDS_MAX);
		words->word[words->count++] = word;
	}
	if (words->count == 0)
		return refuse(ret_error, "an empty line");
	return true;
}

bool request_parse_address(const char *text, uint8_t ret_address[16])
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		memset(ret_address, 0, 10);
		memset(ret_address + 10, 0xff, 2);
		memcpy(ret_address + 12, &v4, 4);
		return true;
	}
	return inet_pton(AF_INET6, text, ret_address) == 1;
}

/* A whole number of at most nine digits and nothing else. */
static bool parse_number(const char *text, size_t length, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t i;

	if (length == 0 || length > 9)
		return false;
	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_number = number;
	return true;
}

/* "90s" "10m" "2h" "1d", whole numbers, 1 s..30 d. */
static bool parse_duration(const char *text, uint64_t *ret_ns)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 24 * 3600 }
	};
	size_t length = strlen(text);
	uint64_t number;
	size_t i;

	if (length < 2 || !parse_number(text, length - 1, &number))
		return false;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text[length - 1] != units[i].unit)
			continue;
		number *= units[i].seconds;
		if (number < 1 || number > EXEMPT_S_MAX)
			return false;
		*ret_ns = number * NS_PER_S;
		return true;
	}
	return false;
}

static bool find_verb(const char *word, enum request_verb *ret_verb)
{
	int i;

	for (i = 0; i < REQUEST_VERBS; i++) {
		if (strcmp(word, verb_names[i]) == 0) {
			*ret_verb = (enum request_verb)i;
			return true;
		}
	}
	return false;
}

static bool parse_by(const char *value, enum request_order *ret_by)
{
	int i;

	for (i = 0; i <= REQUEST_BY_HELD; i++) {
		if (strcmp(value, order_names[i]) == 0) {
			*ret_by = (enum request_order)i;
			return true;
		}
	}
	return false;
}

static bool parse_scope(const char *value, enum flow_scope *ret_scope)
{
	int i;

	for (i = 0; i < FLOW_SCOPES; i++) {
		if (strcmp(value, flow_scope_name((enum flow_scope)i)) == 0) {
			*ret_scope = (enum flow_scope)i;
			return true;
		}
	}
	return false;
}

static bool parse_limit(const char *value, uint32_t *ret_limit)
{
	uint64_t number;

	if (!parse_number(value, strlen(value), &number) || number < 1 ||
	    number > REQUEST_ROWS_MAX)
		return false;
	*ret_limit = (uint32_t)number;
	return true;
}

static bool parse_top(const struct words *words, struct request *request,
		      struct request_error *ret_error)
{
	size_t i;

	request->by = REQUEST_BY_S;
	request->scope = FLOW_SCOPE_PAIR;
	request->limit = REQUEST_ROWS_DEFAULT;
	for (i = 1; i < words->count; i++) {
		const char *word = words->word[i];

		if (strncmp(word, "by=", 3) == 0) {
			if (!parse_by(word + 3, &request->by))
				return refuse(ret_error,
					      "by= is S, rate or held");
		} else if (strncmp(word, "scope=", 6) == 0) {
			if (!parse_scope(word + 6, &request->scope))
				return refuse(ret_error,
					      "scope= is pair, flow or host");
		} else if (strncmp(word, "limit=", 6) == 0) {
			if (!parse_limit(word + 6, &request->limit))
				return refuse(ret_error, "limit= is 1..%d",
					      REQUEST_ROWS_MAX);
		} else {
			return refuse(ret_error,
				      "top takes by=, scope= and limit=");
		}
	}
	return true;
}

static bool parse_exempt(const struct words *words, struct request *request,
			 struct request_error *ret_error)
{
	if (words->count == 3 && strcmp(words->word[2], "end") == 0) {
		request->exempt_ns = 0;
		return true;
	}
	if (words->count != 4 || strcmp(words->word[2], "for") != 0)
		return refuse(ret_error, "exempt takes ADDRESS for DURATION, "
					 "or ADDRESS end");
	if (!parse_duration(words->word[3], &request->exempt_ns))
		return refuse(ret_error,
			      "a duration is 1s to 30d, such as 90s, 10m, 2h");
	return true;
}

static bool parse_addressed(const struct words *words, struct request *request,
			    struct request_error *ret_error)
{
	if (words->count < 2)
		return refuse(ret_error, "%s takes an address",
			      request_verb_name(request->verb));
	if (!request_parse_address(words->word[1], request->address))
		return refuse(ret_error, "not an IPv4 or IPv6 address: %.45s",
			      words->word[1]);
	if (request->verb == REQUEST_EXEMPT)
		return parse_exempt(words, request, ret_error);
	if (words->count > 2)
		return refuse(ret_error, "%s takes an address only",
			      request_verb_name(request->verb));
	return true;
}

static bool parse_state(const struct words *words, struct request *request,
			struct request_error *ret_error)
{
	char *const *rest = words->word + 1;
	size_t count = words->count - 1;
	const char *wrong = "";
	bool good;

	if (request->verb == REQUEST_EXPORT)
		good = request_state_export(rest, count, &request->state,
					    request->address, &wrong);
	else
		good = request_state_import(rest, count, &request->state,
					    &wrong);
	return good || refuse(ret_error, "%s", wrong);
}

static bool parse_words(const struct words *words, struct request *request,
			struct request_error *ret_error)
{
	if (!find_verb(words->word[0], &request->verb))
		return refuse(ret_error, "unknown request: %.32s",
			      words->word[0]);
	switch (request->verb) {
	case REQUEST_TOP:
		return parse_top(words, request, ret_error);
	case REQUEST_EXPLAIN:
	case REQUEST_RELEASE:
	case REQUEST_EXEMPT:
		return parse_addressed(words, request, ret_error);
	case REQUEST_EXPORT:
	case REQUEST_IMPORT:
		return parse_state(words, request, ret_error);
	case REQUEST_STATUS:
	case REQUEST_STATS:
	case REQUEST_RELOAD:
	case REQUEST_DOCTOR:
	case REQUEST_VIFS:
	case REQUEST_VERBS:
		break;
	}
	if (words->count > 1)
		return refuse(ret_error, "%s takes nothing more",
			      words->word[0]);
	return true;
}

bool request_parse(const char *line, size_t length_bytes,
		   struct request *ret_request, struct request_error *ret_error)
{
	struct request request = { 0 };
	struct words words;

	if (!split(line, length_bytes, &words, ret_error) ||
	    !parse_words(&words, &request, ret_error))
		return false;
	*ret_request = request;
	return true;
}
