/* SPDX-License-Identifier: Apache-2.0 */
/* Lists (the contract is in the header). */
#include "runtime/cli/out.h"

#include "base/str.h"
#include "runtime/template.h"

#define LIMIT_COLUMNS 32
#define GAP	      2 /* spaces between columns */

struct table {
	struct strv lines; /* cells with tabs between */
	size_t widths[LIMIT_COLUMNS];
};

/* Columns on the screen; a byte each where it is not valid UTF-8. */
static size_t width_of(const char *s, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

static int add_line(struct table *t, const char *line)
{
	size_t column = 0;

	for (const char *s = line; column < LIMIT_COLUMNS; column++) {
		size_t n = strcspn(s, "\t"), width = width_of(s, n);

		if (width > t->widths[column])
			t->widths[column] = width;
		if (!s[n])
			break;
		s += n + 1;
	}
	return strv_add(&t->lines, line);
}

static void print_line(const struct table *t, const char *line)
{
	size_t column = 0;

	for (;; column++) {
		size_t n = strcspn(line, "\t"), width = width_of(line, n);

		printf("%.*s", (int)n, line);
		if (!line[n])
			break;
		if (column < LIMIT_COLUMNS)
			printf("%*s", (int)(t->widths[column] - width) + GAP, "");
		line += n + 1;
	}
	printf("\n");
}

int out_table(const struct strv *lines)
{
	struct table t = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < lines->n; i++)
		r = add_line(&t, lines->v[i]);
	for (size_t i = 0; r == 0 && i < t.lines.n; i++)
		print_line(&t, t.lines.v[i]);
	strv_done(&t.lines);
	return r;
}

static int print_table(const json_t *rows, const char *format, struct err *err)
{
	auto_strv lines = { 0 };
	auto_buf header = { 0 };
	int r;

	r = template_header(format, &header);
	if (r == 0)
		r = strv_add(&lines, header.data ? header.data : "");
	for (size_t i = 0; r == 0 && i < json_array_size(rows); i++) {
		auto_buf line = { 0 };

		r = template_run(format, json_array_get(rows, i), &line, err);
		if (r < 0)
			return r;
		r = strv_add(&lines, line.data ? line.data : "");
	}
	if (r == 0)
		r = out_table(&lines);
	return r < 0 ? err_set(err, r, "cannot print the table") : 0;
}

int out_rows(const json_t *rows, const char *format, struct err *err)
{
	int r = 0;

	if (str_eq(format, "json")) {
		if (json_dumpf(rows, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0)
			r = err_set(err, -EIO, "cannot print the list");
		return r;
	}
	if (str_starts(format, "table "))
		return print_table(rows, format + strlen("table "), err);
	for (size_t i = 0; r == 0 && i < json_array_size(rows); i++) {
		auto_buf line = { 0 };

		r = template_run(format, json_array_get(rows, i), &line, err);
		if (r == 0 && printf("%s\n", line.data) < 0)
			r = err_set(err, -EIO, "cannot print the list");
	}
	return r;
}
