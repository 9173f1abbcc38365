/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of content (the contract is in the header). */
#include "image/digest.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <openssl/evp.h>
#include <string.h>

static const struct {
	const char *name;
	uint16_t alg, len;
} algs[] = {
	{ "sha256", IDX_SHA256, 32 },
	{ "sha512", IDX_SHA512, 64 },
};

struct hasher {
	EVP_MD_CTX *ctx;
	uint16_t alg, len;
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int digest_parse(const char *text, struct idx_digest *ret)
{
	struct idx_digest d = { 0 };
	const char *hex = strchr(text, ':');

	for (size_t i = 0; hex && i < ARRAY_SIZE(algs); i++)
		if ((size_t)(hex - text) == strlen(algs[i].name) &&
			str_starts(text, algs[i].name)) {
			d.alg = algs[i].alg;
			d.len = algs[i].len;
		}
	if (!d.alg || strlen(++hex) != 2U * d.len)
		return -EINVAL;
	for (size_t i = 0; i < d.len; i++) {
		int hi = hex_value(hex[2 * i]), lo = hex_value(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		d.bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret = d;
	return 0;
}

const char *digest_alg_name(const struct idx_digest *d)
{
	return d->alg == IDX_SHA512 ? "sha512" : "sha256";
}

void digest_text(const struct idx_digest *d, char ret[static DIGEST_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = (size_t)snprintf(ret, DIGEST_TEXT_BYTES, "%s:", digest_alg_name(d));

	for (size_t i = 0; i < d->len && i < sizeof(d->bytes); i++) {
		ret[at++] = digits[d->bytes[i] >> 4];
		ret[at++] = digits[d->bytes[i] & 15];
	}
	ret[at] = '\0';
}

const char *digest_hex(const char *text)
{
	return strchr(text, ':') + 1;
}

bool digest_eq(const struct idx_digest *a, const struct idx_digest *b)
{
	return a->alg == b->alg && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

int hasher_new(struct hasher **ret, uint16_t alg)
{
	struct hasher *h;

	if (alg != IDX_SHA256 && alg != IDX_SHA512)
		return -EINVAL;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->alg = alg;
	h->len = alg == IDX_SHA256 ? 32 : 64;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, alg == IDX_SHA256 ? EVP_sha256() : EVP_sha512(),
			       NULL) != 1) {
		hasher_free(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hasher_update(struct hasher *h, const void *data, size_t len)
{
	(void)EVP_DigestUpdate(h->ctx, data, len);
}

void hasher_finish(struct hasher *h, struct idx_digest *ret)
{
	*ret = (struct idx_digest){ .alg = h->alg, .len = h->len };
	(void)EVP_DigestFinal_ex(h->ctx, ret->bytes, NULL);
}

int digest_of(const void *data, size_t len, struct idx_digest *ret)
{
	struct hasher *h;
	int r = hasher_new(&h, IDX_SHA256);

	if (r < 0)
		return r;
	hasher_update(h, data, len);
	hasher_finish(h, ret);
	hasher_free(h);
	return 0;
}
