/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "policy/errors.h"

enum { BLOCK_BYTES = 16384 };

/* Nodes and texts live in blocks, so that pointers to them stay. */
struct block {
	struct block *older;
	size_t used;
	max_align_t bytes[];
};

struct yaml_tree {
	struct block *blocks;
	const struct yaml_node *root;
};

struct level {
	struct yaml_node *node; /* the list or map that is open */
	struct yaml_node *last; /* in it */
	const char *key;        /* map: read, its value is still to come */
	uint32_t key_line, key_column;
};

struct builder {
	struct yaml_tree *tree;
	struct policy_errors *errors;
	struct level levels[YAML_DEPTH_MAX];
	size_t depth;
	size_t nodes;
	size_t documents;
};

static void add_error(struct builder *builder, yaml_mark_t mark,
		      const char *wrong, const char *right)
{
	struct policy_error error = {
		.line = (uint32_t)mark.line + 1,
		.column = (uint32_t)mark.column + 1,
	};

	snprintf(error.wrong, sizeof(error.wrong), "%s", wrong);
	snprintf(error.right, sizeof(error.right), "%s", right);
	policy_errors_add(builder->errors, &error);
}

static void *tree_alloc(struct yaml_tree *tree, size_t bytes)
{
	size_t rounded = (bytes + sizeof(max_align_t) - 1) /
			 sizeof(max_align_t) * sizeof(max_align_t);
	size_t room = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;
	struct block *block = tree->blocks;
	void *place;

	if (block == NULL || rounded > BLOCK_BYTES ||
	    block->used + rounded > BLOCK_BYTES) {
		block = malloc(sizeof(*block) + room);
		if (block == NULL)
			return NULL;
		block->older = tree->blocks;
		block->used = 0;
		tree->blocks = block;
	}
	place = (unsigned char *)block->bytes + block->used;
	block->used += rounded;
	return place;
}

static const char *copy_text(struct yaml_tree *tree, const char *text,
			     size_t length)
{
	char *copy = tree_alloc(tree, length + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

/* Hang a new node where the document stands.  NULL: an error was added. */
static struct yaml_node *add_node(struct builder *builder, enum yaml_kind kind,
				  yaml_mark_t mark)
{
	struct yaml_node *node;
	struct level *level;

	if (builder->nodes >= YAML_NODES_MAX) {
		add_error(builder, mark, "the file holds too many values",
			  "at most 1048576");
		return NULL;
	}
	node = tree_alloc(builder->tree, sizeof(*node));
	if (node == NULL) {
		add_error(builder, mark, "out of memory", "");
		return NULL;
	}
	builder->nodes++;
	memset(node, 0, sizeof(*node));
	node->kind = kind;
	node->line = (uint32_t)mark.line + 1;
	node->column = (uint32_t)mark.column + 1;
	if (builder->depth == 0) {
		builder->tree->root = node;
		return node;
	}
	level = &builder->levels[builder->depth - 1];
	node->key = level->key;
	node->key_line = level->key_line;
	node->key_column = level->key_column;
	level->key = NULL;
	if (level->last == NULL)
		level->node->first = node;
	else
		level->last->next = node;
	level->last = node;
	level->node->count++;
	return node;
}

static bool wants_key(const struct builder *builder)
{
	const struct level *level;

	if (builder->depth == 0)
		return false;
	level = &builder->levels[builder->depth - 1];
	return level->node->kind == YAML_MAP && level->key == NULL;
}

/* An anchor or a tag is refused, and what bears it is read all the same. */
static void check_plain(struct builder *builder, yaml_mark_t mark,
			const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		add_error(builder, mark, "anchors (&) are not allowed",
			  "write the value out where it is used");
	if (tag != NULL)
		add_error(builder, mark, "tags (!) are not allowed",
			  "values have the type that their key asks for");
}

static bool on_scalar(struct builder *builder, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	struct yaml_node *node;
	const char *text;

	check_plain(builder, event->start_mark, event->data.scalar.anchor,
		    event->data.scalar.tag);
	if (memchr(value, '\0', length) != NULL) {
		add_error(builder, event->start_mark, "a NUL inside of text",
			  "");
		return false;
	}
	text = copy_text(builder->tree, value, length);
	if (text == NULL) {
		add_error(builder, event->start_mark, "out of memory", "");
		return false;
	}
	if (wants_key(builder)) {
		struct level *level = &builder->levels[builder->depth - 1];

		level->key = text;
		level->key_line = (uint32_t)event->start_mark.line + 1;
		level->key_column = (uint32_t)event->start_mark.column + 1;
		return true;
	}
	node = add_node(builder, YAML_SCALAR, event->start_mark);
	if (node != NULL)
		node->text = text;
	return node != NULL;
}

static bool on_alias(struct builder *builder, const yaml_event_t *event)
{
	add_error(builder, event->start_mark, "aliases (*) are not allowed",
		  "write the value out where it is used");
	if (wants_key(builder))
		return false;
	return add_node(builder, YAML_BROKEN, event->start_mark) != NULL;
}

static bool on_start(struct builder *builder, enum yaml_kind kind,
		     yaml_mark_t mark)
{
	struct yaml_node *node;

	if (wants_key(builder)) {
		add_error(builder, mark, "a key must be plain text",
			  "key: value");
		return false;
	}
	if (builder->depth == YAML_DEPTH_MAX) {
		add_error(builder, mark, "nested too deep", "at most 16 deep");
		return false;
	}
	node = add_node(builder, kind, mark);
	if (node == NULL)
		return false;
	builder->levels[builder->depth++] = (struct level){ .node = node };
	return true;
}

static int compare_keys(const void *a, const void *b)
{
	const struct yaml_node *const *left = a, *const *right = b;
	int order = strcmp((*left)->key, (*right)->key);

	if (order != 0)
		return order;
	if ((*left)->key_line != (*right)->key_line)
		return (*left)->key_line < (*right)->key_line ? -1 : 1;
	return (*left)->key_column < (*right)->key_column ? -1 : 1;
}

static void add_duplicate(struct builder *builder,
			  const struct yaml_node *first,
			  const struct yaml_node *again)
{
	struct policy_error error = {
		.line = again->key_line,
		.column = again->key_column,
	};
	size_t length = 0;

	/* The map that has just ended is above the top of the open ones. */
	for (size_t i = 0; i <= builder->depth; i++) {
		const char *key = builder->levels[i].node->key;
		size_t room = sizeof(error.key) - length;
		int more = snprintf(error.key + length, room, "%s%s",
				    key != NULL ? key : "",
				    key != NULL ? "." : "");

		length += more > 0 && (size_t)more < room ? (size_t)more : 0;
	}
	snprintf(error.key + length, sizeof(error.key) - length, "%s",
		 again->key);
	snprintf(error.wrong, sizeof(error.wrong),
		 "is given twice, first on line %u", first->key_line);
	snprintf(error.right, sizeof(error.right), "give it once");
	policy_errors_add(builder->errors, &error);
}

static bool on_map_end(struct builder *builder, yaml_mark_t mark)
{
	const struct yaml_node *map = builder->levels[--builder->depth].node;
	const struct yaml_node **sorted, *node = map->first;

	if (map->count < 2)
		return true;
	sorted = calloc(map->count, sizeof(const struct yaml_node *));
	if (sorted == NULL) {
		add_error(builder, mark, "out of memory", "");
		return false;
	}
	for (size_t i = 0; i < map->count; i++, node = node->next)
		sorted[i] = node;
	qsort(sorted, map->count, sizeof(const struct yaml_node *),
	      compare_keys);
	for (size_t i = 1, first = 0; i < map->count; i++) {
		if (strcmp(sorted[first]->key, sorted[i]->key) != 0)
			first = i;
		else if (!policy_errors_count_only(builder->errors))
			add_duplicate(builder, sorted[first], sorted[i]);
	}
	free(sorted);
	return true;
}

static bool on_document(struct builder *builder, const yaml_event_t *event)
{
	if (event->data.document_start.version_directive != NULL ||
	    event->data.document_start.tag_directives.start !=
		    event->data.document_start.tag_directives.end) {
		add_error(builder, event->start_mark,
			  "directives (%) are not allowed", "leave them out");
		return false;
	}
	if (builder->documents++ > 0) {
		add_error(builder, event->start_mark,
			  "a second document begins here",
			  "one file holds one document");
		return false;
	}
	return true;
}

/* false: no use to read on. */
static bool on_event(struct builder *builder, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return true;
	case YAML_DOCUMENT_START_EVENT:
		return on_document(builder, event);
	case YAML_ALIAS_EVENT:
		return on_alias(builder, event);
	case YAML_SCALAR_EVENT:
		return on_scalar(builder, event);
	case YAML_SEQUENCE_START_EVENT:
		check_plain(builder, event->start_mark,
			    event->data.sequence_start.anchor,
			    event->data.sequence_start.tag);
		return on_start(builder, YAML_LIST, event->start_mark);
	case YAML_MAPPING_START_EVENT:
		check_plain(builder, event->start_mark,
			    event->data.mapping_start.anchor,
			    event->data.mapping_start.tag);
		return on_start(builder, YAML_MAP, event->start_mark);
	case YAML_SEQUENCE_END_EVENT:
		builder->depth--;
		return true;
	case YAML_MAPPING_END_EVENT:
		return on_map_end(builder, event->start_mark);
	}
	return false;
}

static void add_syntax_error(struct builder *builder,
			     const yaml_parser_t *parser)
{
	char wrong[160];
	yaml_mark_t mark = parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR) {
		add_error(builder, parser->mark, "out of memory", "");
		return;
	}
	if (parser->error == YAML_READER_ERROR)
		mark = parser->mark;
	snprintf(wrong, sizeof(wrong), "this is not YAML: %s%s%s",
		 parser->problem != NULL ? parser->problem : "unknown",
		 parser->context != NULL ? " " : "",
		 parser->context != NULL ? parser->context : "");
	add_error(builder, mark, wrong,
		  "indent with spaces, close every bracket and quote, and "
		  "quote text that ends in a colon, such as \"2001:db8::\"");
}

/* false: it ended early, and what is missing would only look like mistakes. */
static bool build(struct builder *builder, yaml_parser_t *parser)
{
	bool good = true, ended = false;

	while (good && !ended) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event)) {
			add_syntax_error(builder, parser);
			return false;
		}
		ended = event.type == YAML_STREAM_END_EVENT;
		good = on_event(builder, &event);
		yaml_event_delete(&event);
	}
	return good;
}

static bool is_too_large(size_t bytes, struct policy_errors *errors)
{
	struct policy_error error = {
		.wrong = "the file is too large",
		.right = "at most 8 MiB",
	};

	if (bytes <= YAML_BYTES_MAX)
		return false;
	policy_errors_add(errors, &error);
	return true;
}

/* What an editor may have put before it all: that it is UTF-8. */
static size_t mark_bytes(const char *text, size_t bytes)
{
	static const char mark[] = { '\xef', '\xbb', '\xbf' };

	return bytes >= sizeof(mark) && memcmp(text, mark, sizeof(mark)) == 0
		       ? sizeof(mark)
		       : 0;
}

struct yaml_tree *yaml_tree_parse(const char *text, size_t bytes,
				  struct policy_errors *errors)
{
	size_t begin = mark_bytes(text, bytes);
	struct builder builder = { .errors = errors };
	yaml_parser_t parser;
	bool good;

	if (is_too_large(bytes, errors))
		return NULL;
	builder.tree = calloc(1, sizeof(*builder.tree));
	if (builder.tree == NULL || !yaml_parser_initialize(&parser)) {
		add_error(&builder, (yaml_mark_t){ 0 }, "out of memory", "");
		free(builder.tree);
		return NULL;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&parser, (const unsigned char *)text + begin, bytes - begin);
	good = build(&builder, &parser);
	yaml_parser_delete(&parser);
	if (good && builder.tree->root == NULL)
		add_error(&builder, (yaml_mark_t){ 0 }, "the file is empty",
			  "");
	if (!good || builder.tree->root == NULL) {
		yaml_tree_free(builder.tree);
		return NULL;
	}
	return builder.tree;
}

void yaml_tree_free(struct yaml_tree *tree)
{
	if (tree == NULL)
		return;
	while (tree->blocks != NULL) {
		struct block *older = tree->blocks->older;

		free(tree->blocks);
		tree->blocks = older;
	}
	free(tree);
}

const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree)
{
	return tree->root;
}

const struct yaml_node *yaml_tree_find(const struct yaml_node *map,
				       const char *key)
{
	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (const struct yaml_node *node = map->first; node != NULL;
	     node = node->next) {
		if (strcmp(node->key, key) == 0)
			return node;
	}
	return NULL;
}
