/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes, manifests and configs: whatever comes, an answer and no more. */
#include "base/cleanup.h"
#include "image/config.h"
#include "image/manifest.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	const struct descriptor *d = NULL;
	struct platform want;
	auto_manifest m = { 0 };
	auto_config c = { 0 };
	auto_index x = { 0 };
	struct err err = ERR_INIT;
	static const char *const declared[] = { NULL, MEDIA_OCI_MANIFEST, MEDIA_OCI_INDEX,
		"application/vnd.docker.distribution.manifest.v1+json" };
	int kind = manifest_kind(text, len, NULL, &err);

	(void)manifest_kind(text, len, declared[len % ARRAY_SIZE(declared)], &err);

	assert(platform_parse("linux/arm/v7", &want, NULL) == 0);
	if (index_parse(text, len, &x, &err) == 0) {
		assert(x.n <= LIMIT_INDEX_DESCRIPTORS);
		if (x.n > 0) {
			struct descriptor copy;

			assert(descriptor_copy(&copy, &x.entries[0]) == 0);
			assert(digest_eq(&copy.digest, &x.entries[0].digest));
			descriptor_done(&copy);
		}
		if (index_choose(&x, &want, &d, &err) == 0)
			assert(d >= x.entries && d < x.entries + x.n);
	}
	if (manifest_parse(text, len, &m, &err) == 0) {
		assert(m.config.size <= LIMIT_MANIFEST_BYTES && m.n_layers <= LIMIT_IDX_LAYERS);
		/* What has layers and passes both is never taken for an index. */
		assert(kind != MEDIA_INDEX);
	}
	(void)config_parse(text, len, &c, &err);
	return 0;
}
