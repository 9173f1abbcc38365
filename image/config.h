/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The config of an image: what the store needs of it, and the promise that the rest is sane
 *
 * Strings that will become arguments, environment and paths hold no NUL and keep to limits; lists
 * are lists of strings.  Unknown fields are ignored.  Pure: no I/O, any thread.
 * Spec: OCI image-spec, config.md.
 */

#include "base/err.h"
#include "base/json.h"
#include "image/digest.h"
#include "image/platform.h"

#include <stdint.h>

#define LIMIT_CONFIG_WORD_BYTES 131072 /* an argument or variable; the kernel's MAX_ARG_STRLEN */
#define LIMIT_CONFIG_WORDS	10000 /* in one list or map */

struct config {
	struct platform platform; /* os "" if the config does not say */
	struct idx_digest *diff_ids; /* lowest first */
	uint32_t n_diff_ids;
	json_t *json; /* the document */
};

/** config_parse() - 0 with @ret filled (config_done() it), -EBADMSG, -ENOMEM */
int config_parse(const char *data, size_t len, struct config *ret, struct err *err);
void config_done(struct config *c);

static inline void cleanup_config(struct config *c)
{
	config_done(c);
}
#define auto_config __attribute__((cleanup(cleanup_config))) struct config
