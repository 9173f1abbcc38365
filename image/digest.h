/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Digests of content: text form, binary form, and hashing (the one file around OpenSSL's EVP)
 *
 * Text is "sha256:" and 64 lower-case hex digits, or "sha512:" and 128; nothing else is a digest,
 * so a valid one is safe as a file name once the colon is replaced.
 * Spec: OCI image-spec, descriptor.md, "Digests".
 */

#include "base/err.h"
#include "overlay/index_format.h"

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_TEXT_BYTES (7 + 128 + 1)

/** digest_parse() - strict; 0 or -EINVAL */
int digest_parse(const char *text, struct idx_digest *ret);

/** digest_text() - write the text form into @ret */
void digest_text(const struct idx_digest *d, char ret[static DIGEST_TEXT_BYTES]);

/** digest_hex() - the part behind the colon, inside a text form */
const char *digest_hex(const char *text);

/** digest_alg_name() - "sha256" or "sha512" */
const char *digest_alg_name(const struct idx_digest *d);

bool digest_eq(const struct idx_digest *a, const struct idx_digest *b);

/** digest_of() - hash a buffer with SHA-256 */
int digest_of(const void *data, size_t len, struct idx_digest *ret);

struct hasher;
/** hasher_new() - for @alg of enum idx_digest_alg; 0, -ENOMEM, -EINVAL */
int hasher_new(struct hasher **ret, uint16_t alg);
void hasher_free(struct hasher *h);
void hasher_update(struct hasher *h, const void *data, size_t len);
/** hasher_finish() - the digest of all bytes so far; the hasher can only be freed afterwards */
void hasher_finish(struct hasher *h, struct idx_digest *ret);
