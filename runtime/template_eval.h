/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The inside of actions, for runtime/template.c: words, pipelines, functions.  Pure. */

#include "runtime/template.h"

#include <stdbool.h>
#include <stdint.h>

struct template_var {
	const char *name; /* in the text, without "$" */
	size_t len;
	json_t *value; /* a reference */
};

/* A template that is being run. */
struct template
{
	const char *text;
	size_t len, pos;
	const json_t *root;
	struct buf *out;
	struct template_var vars[LIMIT_TEMPLATE_VARS];
	size_t n_vars;
	unsigned int depth;
	uint64_t steps;
	struct err *err;
};

/** template_fail() - -EINVAL with the text and where it is */
int template_fail(struct template *t, const char *what);

/** template_space() - skip white space within an action */
void template_space(struct template *t);

/** template_at_end() - whether the action ends here */
bool template_at_end(const struct template *t);

/** template_word() - take this word if it stands here */
bool template_word(struct template *t, const char *word);

/** template_take_var() - "$name": its place in the text; false if there is none */
bool template_take_var(struct template *t, const char **ret, size_t *ret_len);

/** template_set_var() - a new reference is taken */
int template_set_var(struct template *t, const char *name, size_t len, json_t *value);

/** template_pipeline() - its value, a new reference */
int template_pipeline(struct template *t, const json_t *dot, json_t **ret);

/** template_skip_pipeline() - go to the end of the action */
int template_skip_pipeline(struct template *t);

/** template_truth() - what {{if}} makes of a value */
bool template_truth(const json_t *v);

/**
 * template_call() - a function by its name
 * @name: not NUL-terminated
 * Return: 0 with a new reference; -ENOENT if there is no such function.
 */
int template_call(struct template *t, const char *name, size_t len, json_t *const *args, size_t n,
	json_t **ret);
