/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Strict JSON: the one file around jansson
 *
 * Documents come from registries and archives: duplicate keys, trailing data, bad UTF-8 and NUL are
 * refused, and so are documents that are nested or sized beyond the limits.
 */

#include "base/cleanup.h"
#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

/* Levels of nesting.  Manifests need 6; jansson's own parser recurses, so this bounds its stack. */
#define LIMIT_JSON_DEPTH 64

/**
 * json_parse() - one whole document
 * @data: @len bytes, any content
 * @what: names the document in the error, borrowed
 *
 * Return: 0 and a new reference in @ret; -EBADMSG if it is not strict JSON or too deep; -ENOMEM.
 */
int json_parse(const char *data, size_t len, const char *what, json_t **ret, struct err *err);

/** json_get_str() - a string member, borrowed; NULL if it is missing or not a string */
const char *json_get_str(const json_t *obj, const char *key);

/** json_get_u64() - a member that is a non-negative integer; 0, -ENOENT, or -EINVAL */
int json_get_u64(const json_t *obj, const char *key, uint64_t *ret);

static inline void cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define auto_json __attribute__((cleanup(cleanup_json))) json_t
