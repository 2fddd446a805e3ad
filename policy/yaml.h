/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_YAML_H
#define POLICY_YAML_H

/*
 * Text to a bounded tree in which every node knows its line and column.  A
 * strict part of YAML: one document, maps with distinct plain keys, lists and
 * scalars; no anchors, aliases, tags or directives.  The only user of libyaml,
 * which has a yaml_free of its own: ours are all yaml_tree_.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy_errors;
struct yaml_tree;

enum {
	YAML_BYTES_MAX = 8 << 20,
	YAML_NODES_MAX = 1 << 20,
	YAML_DEPTH_MAX = 16,
};

enum yaml_kind {
	YAML_SCALAR,
	YAML_LIST,
	YAML_MAP,
	YAML_BROKEN, /* an error was already given; read on past it */
};

struct yaml_node {
	enum yaml_kind kind;
	uint32_t line, column;         /* from 1 */
	uint32_t key_line, key_column; /* of `key` */
	const char *key;               /* in a map: its key; else NULL */
	const char *text;              /* scalar: its value, no NUL inside */
	const struct yaml_node *first; /* list and map: what it holds */
	const struct yaml_node *next;  /* beside it in its list or map */
	size_t count;                  /* list and map: how many it holds */
};

/*
 * NULL when it could not be read to its end; otherwise the tree, although
 * errors (duplicate keys, aliases) may have been added.  The caller frees it.
 */
struct yaml_tree *yaml_tree_parse(const char *text, size_t bytes,
				  struct policy_errors *errors);
void yaml_tree_free(struct yaml_tree *tree);

/* Borrowed from the tree; never NULL. */
const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree);

/* The value of `key` in a map, or NULL. */
const struct yaml_node *yaml_tree_find(const struct yaml_node *map,
				       const char *key);

#endif
