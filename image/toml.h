/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * TOML, as far as configuration of container tools needs it, into JSON values
 *
 * Strings of all four kinds, decimal integers, booleans, arrays, inline tables, tables, arrays of
 * tables, dotted keys.  Floats, dates and other bases are refused, and so is whatever TOML 1.0
 * forbids: a key or table that is defined twice, control characters, bad UTF-8.
 * Pure: no I/O, any thread.  Spec: toml.io, version 1.0.
 */

#include "base/err.h"
#include "base/json.h"

#define LIMIT_TOML_DEPTH 32

/** toml_parse() - 0 with a new reference in @ret; -EBADMSG with the line; -ENOMEM */
int toml_parse(const char *data, size_t len, json_t **ret, struct err *err);
