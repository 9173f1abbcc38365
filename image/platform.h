/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Platforms: os/arch[/variant], and which of an index's manifests suits best
 *
 * Other spellings of an architecture (x86_64, aarch64, armhf) mean the same as Go's.  Variants are
 * matched leniently: arm64 is arm64/v8; arm/v7 runs v6 and v5; amd64/v3 runs v2 and v1.
 * Pure but for platform_host(), which asks uname(2).
 * Spec: OCI image-spec, image-index.md, "platform".
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PLATFORM_WORD_BYTES 32

struct platform {
	char os[PLATFORM_WORD_BYTES];
	char arch[PLATFORM_WORD_BYTES];
	char variant[PLATFORM_WORD_BYTES]; /* "" if there is none, also where it is the default */
};

#define PLATFORM_TEXT_BYTES (3 * PLATFORM_WORD_BYTES)

/** platform_set() - from words; @variant may be NULL; -EINVAL if one is too long or malformed */
int platform_set(struct platform *p, const char *os, const char *arch, const char *variant);

/** platform_parse() - OS/ARCH[/VARIANT], or ARCH alone for linux; 0 or -EINVAL with a text */
int platform_parse(const char *text, struct platform *ret, struct err *err);

/** platform_host() - what this machine runs */
void platform_host(struct platform *ret);

void platform_text(const struct platform *p, char ret[static PLATFORM_TEXT_BYTES]);

/** platform_rank() - how well @have serves @want: 0 not at all, else higher is better */
unsigned int platform_rank(const struct platform *want, const struct platform *have);
