/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * --format: Go templates, as far as scripts use them, over JSON values.  Pure.
 *
 *      {{.State.Pid}}  {{json .Mounts}}  {{index .Config.Labels "a"}}  {{len .Mounts}}
 *      {{range .Mounts}}{{.Source}} {{end}}  {{range $name, $net := .Networks}}…{{else}}…{{end}}
 *      {{if eq .State.Status "running"}}…{{else if …}}…{{end}}  {{with .X}}…{{end}}
 *      {{.Id | printf "%.12s"}}  {{- trims white space -}}
 *
 * Functions: json index len join split lower upper title slice truncate print println printf eq ne
 * lt le gt ge and or not.  A field is found by its name, else without regard to case.  A missing
 * member of a map is "<no value>"; a missing field of anything else is an error.
 *
 * A template comes from its user, what it is applied to may come from an image: the work and the
 * output are bounded.
 * Spec: Go's text/template
 */

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define LIMIT_TEMPLATE_BYTES  65536
#define LIMIT_TEMPLATE_OUTPUT (16 << 20)
#define LIMIT_TEMPLATE_STEPS  1000000 /* actions that are run */
#define LIMIT_TEMPLATE_DEPTH  32 /* of blocks, and of parentheses */
#define LIMIT_TEMPLATE_VARS   32

/**
 * template_run() - append what the template makes of @data
 * @text: borrowed; "\t" and "\n" in it are what they are in a shell's single quotes: a tab and a
 *        newline, outside of actions
 * @data: borrowed
 *
 * Return: 0; -EINVAL with a text; -E2BIG above a limit; -ENOMEM.
 */
int template_run(const char *text, const json_t *data, struct buf *out, struct err *err);

/**
 * template_header() - names of the columns of a "table {{.A}}\t{{.B}}" template: "A\tB"
 * Return: 0 or -ENOMEM.
 */
int template_header(const char *text, struct buf *out);

/** template_print() - a value as it is shown, appended; 0, -E2BIG or -ENOMEM */
int template_print(const json_t *value, struct buf *out);
