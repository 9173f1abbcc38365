/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Lists for people and scripts */

#include "base/err.h"
#include "base/json.h"

/**
 * out_rows() - print a list of objects
 * @format: "json"; a template for each row; or "table TEMPLATE": with a header, in columns that are
 *          separated by tabs in the template
 */
int out_rows(const json_t *rows, const char *format, struct err *err);
