/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Lists for people and scripts */

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/**
 * out_rows() - print a list of objects
 * @format: "json"; a template for each row; or "table TEMPLATE": with a header, in columns that are
 *          separated by tabs in the template
 */
int out_rows(const json_t *rows, const char *format, struct err *err);

/** out_table() - print lines whose cells have tabs between in columns; 0 or a negative errno */
int out_table(const struct strv *lines);
