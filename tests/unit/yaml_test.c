/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/errors.h"
#include "policy/keys.h"
#include "policy/nearest.h"
#include "policy/yaml.h"

static struct yaml_tree *parse(const char *text, struct policy_errors *errors)
{
	policy_errors_init(errors, "test.yaml");
	return yaml_tree_parse(text, strlen(text), errors);
}

static void test_yaml_knows_where_everything_stands(void **state)
{
	static const char TEXT[] = "a: 1\n"
				   "bb:\n"
				   "  - x\n"
				   "  - {c: \"y z\", d: []}\n";
	struct policy_errors errors;
	struct yaml_tree *tree = parse(TEXT, &errors);
	const struct yaml_node *root, *a, *bb, *map, *c, *d;

	(void)state;
	assert_non_null(tree);
	assert_int_equal(0, errors.errors);
	root = yaml_tree_root(tree);
	assert_int_equal(YAML_MAP, root->kind);
	assert_int_equal(2, root->count);
	a = yaml_tree_find(root, "a");
	assert_string_equal("1", a->text);
	assert_int_equal(1, a->line);
	assert_int_equal(4, a->column);
	bb = yaml_tree_find(root, "bb");
	assert_int_equal(2, bb->key_line);
	assert_int_equal(1, bb->key_column);
	assert_int_equal(YAML_LIST, bb->kind);
	assert_int_equal(2, bb->count);
	assert_int_equal(3, bb->first->line);
	assert_int_equal(5, bb->first->column);
	map = bb->first->next;
	assert_null(map->next);
	c = yaml_tree_find(map, "c");
	assert_string_equal("y z", c->text);
	assert_int_equal(4, c->key_line);
	assert_int_equal(6, c->key_column);
	d = yaml_tree_find(map, "d");
	assert_int_equal(YAML_LIST, d->kind);
	assert_int_equal(0, d->count);
	assert_null(yaml_tree_find(map, "e"));
	assert_null(yaml_tree_find(a, "a"));
	assert_null(yaml_tree_find(NULL, "a"));
	yaml_tree_free(tree);
}

static void test_yaml_may_begin_with_a_byte_order_mark(void **state)
{
	struct policy_errors errors;
	struct yaml_tree *tree = parse("\xef\xbb\xbf"
				       "a: 1\nb: 2\n",
				       &errors);

	(void)state;
	assert_non_null(tree);
	assert_non_null(yaml_tree_find(yaml_tree_root(tree), "b"));
	yaml_tree_free(tree);
}

static void test_yaml_refuses_what_it_must(void **state)
{
	static const struct {
		const char *text;
		bool has_tree; /* reading goes on past the mistake */
		uint32_t line;
		const char *wrong;
	} rows[] = {
		{ "a: &x 1\n", true, 1, "anchors" },
		{ "a: [1]\nb: *x\n", true, 2, "aliases" },
		{ "a: !!int 1\n", true, 1, "tags" },
		{ "!!map {a: 1}\n", true, 1, "tags" },
		{ "a: 1\nb: 2\na: 3\n", true, 3, "given twice" },
		{ "*x : 1\n", false, 1, "aliases" },
		{ "[a]: 1\n", false, 1, "key must be plain" },
		{ "a: 1\n---\na: 1\n", false, 2, "second document" },
		{ "%YAML 1.1\n--- a\n", false, 1, "directives" },
		{ "%TAG ! tag:x,2026:\n--- a\n", false, 1, "directives" },
		{ "a: [1\n", false, 2, "not YAML" },
		{ "a: \"\\0\"\n", false, 1, "NUL" },
		{ "", false, 1, "empty" },
		{ "--- \n...\n--- \n...\n", false, 3, "second document" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_errors errors;
		struct yaml_tree *tree = parse(rows[i].text, &errors);

		assert_int_equal(rows[i].has_tree, tree != NULL);
		assert_int_equal(1, errors.errors);
		assert_int_equal(rows[i].line, errors.list[0].line);
		assert_non_null(strstr(errors.list[0].wrong, rows[i].wrong));
		yaml_tree_free(tree);
	}
}

static struct yaml_tree *parse_nested(size_t depth)
{
	struct policy_errors errors;
	char text[2 * YAML_DEPTH_MAX + 8] = "";

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	return parse(text, &errors);
}

static void test_yaml_nests_sixteen_deep_and_no_deeper(void **state)
{
	struct yaml_tree *tree = parse_nested(YAML_DEPTH_MAX);

	(void)state;
	assert_non_null(tree);
	yaml_tree_free(tree);
	assert_null(parse_nested(YAML_DEPTH_MAX + 1));
}

static struct yaml_tree *parse_list(size_t values)
{
	struct policy_errors errors;
	size_t bytes = 2 * values + 2;
	struct yaml_tree *tree;
	char *text = malloc(bytes);

	assert_non_null(text);
	policy_errors_init(&errors, "test.yaml");
	memset(text, 'x', bytes);
	for (size_t i = 0; i < values; i++)
		text[2 * i] = ',';
	text[0] = '[';
	text[bytes - 2] = ']';
	text[bytes - 1] = '\n';
	tree = yaml_tree_parse(text, bytes, &errors);
	free(text);
	return tree;
}

static void test_yaml_is_bounded_in_values_and_bytes(void **state)
{
	struct yaml_tree *tree = parse_list(YAML_NODES_MAX - 1);
	struct policy_errors errors;
	char *text;

	(void)state;
	assert_non_null(tree);
	assert_int_equal(YAML_NODES_MAX - 1, yaml_tree_root(tree)->count);
	yaml_tree_free(tree);
	assert_null(parse_list(YAML_NODES_MAX));

	text = malloc(YAML_BYTES_MAX + 1);
	assert_non_null(text);
	memset(text, '#', YAML_BYTES_MAX + 1);
	policy_errors_init(&errors, "test.yaml");
	assert_null(yaml_tree_parse(text, YAML_BYTES_MAX + 1, &errors));
	assert_string_equal("the file is too large", errors.list[0].wrong);
	free(text);
}

static void test_yaml_takes_text_that_ends_anywhere(void **state)
{
	static const char TEXT[] = "a: {b: [1, \"x\\n\", 'y'], c: |\n  z\n}\n";

	(void)state;
	for (size_t bytes = 0; bytes < sizeof(TEXT); bytes++) {
		struct policy_errors errors;
		char *text = malloc(bytes + 1);

		assert_non_null(text);
		memcpy(text, TEXT, bytes);
		policy_errors_init(&errors, "test.yaml");
		yaml_tree_free(yaml_tree_parse(text, bytes, &errors));
		free(text);
	}
}

/* Any file is read by a table like this one. */
struct sample {
	uint8_t small;
	uint64_t time_ns;
	char name[8];
	bool flag;
};

static const struct keys_entry SAMPLE_KEYS[] = {
	{ .name = "small",
	  .type = KEYS_COUNT,
	  .max = 200,
	  .zero_word = "auto",
	  KEYS_FIELD(struct sample, small),
	  .help = "a small number" },
	{ .name = "time",
	  .type = KEYS_TIME,
	  .max = 1000000000,
	  KEYS_FIELD(struct sample, time_ns),
	  .help = "a time" },
	{ .name = "name",
	  .type = KEYS_TEXT,
	  KEYS_FIELD(struct sample, name),
	  .help = "a name" },
	{ .name = "flag",
	  .type = KEYS_BOOL,
	  .required = true,
	  KEYS_FIELD(struct sample, flag),
	  .help = "true or false" },
	{ 0 },
};

static bool read_sample(const char *text, struct sample *sample,
			struct policy_errors *errors)
{
	struct yaml_tree *tree = parse(text, errors);
	struct keys_reader reader = { .errors = errors };
	bool good;

	assert_non_null(tree);
	good = keys_read(&reader, yaml_tree_root(tree), SAMPLE_KEYS, sample);
	assert_int_equal(0, reader.path_length);
	yaml_tree_free(tree);
	return good;
}

static void test_keys_fill_a_struct_and_leave_the_rest(void **state)
{
	struct sample sample = { .time_ns = 7 };
	struct policy_errors errors;

	(void)state;
	assert_true(read_sample("{small: 200, name: abcdefg, flag: true}",
				&sample, &errors));
	assert_int_equal(200, sample.small);
	assert_int_equal(7, sample.time_ns);
	assert_string_equal("abcdefg", sample.name);
	assert_true(sample.flag);
	assert_true(
		read_sample("{small: auto, flag: false}", &sample, &errors));
	assert_int_equal(0, sample.small);
	assert_false(sample.flag);
}

static void test_keys_tell_every_mistake(void **state)
{
	static const char *const WRONG[] = {
		"there is no such key", "201 is out of range",
		"cannot read \"1\"",    "is 8 characters long",
		"is missing",
	};
	struct sample sample = { 0 };
	struct policy_errors errors;

	(void)state;
	assert_false(
		read_sample("{smal: 1, small: 201, time: 1, name: abcdefgh}",
			    &sample, &errors));
	assert_int_equal(5, errors.errors);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(WRONG[i], errors.list[i].wrong);
	assert_string_equal("did you mean small?", errors.list[0].right);
	assert_string_equal("smal", errors.list[0].key);
}

static void test_errors_keep_to_their_room(void **state)
{
	struct policy_error error = { .warning = true, .line = 9 };
	struct policy_errors errors;
	char line[POLICY_ERROR_LINE_SIZE], small[10];

	(void)state;
	policy_errors_init(&errors, "a\nb");
	for (unsigned i = 0; i < POLICY_ERRORS_MAX + 5; i++)
		policy_errors_add(&errors, &error);
	assert_int_equal(POLICY_ERRORS_MAX, errors.count);
	assert_int_equal(POLICY_ERRORS_MAX + 5, errors.warnings);

	/* An error is never lost to warnings. */
	error = (struct policy_error){ .line = 3, .column = 4 };
	memset(error.key, 'k', sizeof(error.key) - 1);
	memset(error.wrong, '\x1b', sizeof(error.wrong) - 1);
	memset(error.right, 'r', sizeof(error.right) - 1);
	policy_errors_add(&errors, &error);
	policy_errors_sort(&errors);
	assert_false(errors.list[0].warning);
	assert_int_equal(strlen("a?b:3:4: error: : ; ") + sizeof(error.key) +
				 sizeof(error.wrong) + sizeof(error.right) - 3,
			 policy_errors_print(&errors, 0, line, sizeof(line)));
	assert_null(strchr(line, '\x1b'));
	assert_int_equal(0, strncmp(line, "a?b:3:4: error: kkk", 19));
	assert_int_equal(9,
			 policy_errors_print(&errors, 0, small, sizeof(small)));
	assert_string_equal("a?b:3:4: ", small);
}

static void test_nearest_counts_the_changes_between_words(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} rows[] = {
		{ "", "", 0 },
		{ "pairs", "pairs", 0 },
		{ "PAIRS", "pairs", 0 },
		{ "pair", "pairs", 1 },
		{ "pairsx", "pairs", 1 },
		{ "pbirs", "pairs", 1 },
		{ "piars", "pairs", 1 },
		{ "priasx", "pairs", 3 },
		{ "flows", "pairs", 4 },
		{ "", "abc", 3 },
		{ "abcdefghijklmnopqrstuvwxyzabcdef", "a", 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(rows[i].distance,
				 nearest_distance(rows[i].a, rows[i].b, 3));
		assert_int_equal(rows[i].distance,
				 nearest_distance(rows[i].b, rows[i].a, 3));
	}
	assert_string_equal("flow", nearest_of("flows", NULL, "flow"));
	assert_string_equal("flow", nearest_of("flows", "flow", "slow"));
	assert_null(nearest_of("ab", NULL, "cd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_knows_where_everything_stands),
		cmocka_unit_test(test_yaml_may_begin_with_a_byte_order_mark),
		cmocka_unit_test(test_yaml_refuses_what_it_must),
		cmocka_unit_test(test_yaml_nests_sixteen_deep_and_no_deeper),
		cmocka_unit_test(test_yaml_is_bounded_in_values_and_bytes),
		cmocka_unit_test(test_yaml_takes_text_that_ends_anywhere),
		cmocka_unit_test(test_keys_fill_a_struct_and_leave_the_rest),
		cmocka_unit_test(test_keys_tell_every_mistake),
		cmocka_unit_test(test_errors_keep_to_their_room),
		cmocka_unit_test(test_nearest_counts_the_changes_between_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
