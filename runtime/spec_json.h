/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config.json as a document: strict JSON plus integers of 64 bits without sign
 *
 * The specification has uint64 members (rlimits, seccomp arguments) and writers put
 * 18446744073709551615 for "no limit", which jansson cannot hold.  Reading turns such a number into
 * a string of its own kind and spec_json_u64() takes both; writing has a string that no document
 * can contain.  Pure: no I/O, any thread.
 */

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#include <stdint.h>

/** spec_json_parse() - json_parse() for documents with wide integers */
int spec_json_parse(const char *data, size_t len, const char *what, json_t **ret, struct err *err);

/**
 * spec_json_u64() - the value of a node that spec_json_parse() or spec_json_new_u64() made
 * Return: 0; -EINVAL if it is not an integer; -ERANGE if it is negative.
 */
int spec_json_u64(const json_t *node, uint64_t *ret);

/** spec_json_new_u64() - a node for any 64-bit number; a new reference, NULL if out of memory */
json_t *spec_json_new_u64(uint64_t v);

/**
 * spec_json_dump() - a document as text: members in their order, tabs, a newline at the end
 * @doc: made by us, at most LIMIT_JSON_DEPTH deep
 * Return: 0 or -ENOMEM, and -E2BIG if @doc is too deep; @out is appended to.
 */
int spec_json_dump(const json_t *doc, struct buf *out);
