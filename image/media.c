/* SPDX-License-Identifier: Apache-2.0 */
/* Media types (the contract is in the header). */
#include "image/media.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <strings.h>

#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

static const struct {
	const char *type;
	struct media media;
} types[] = {
	{ MEDIA_OCI_INDEX, { MEDIA_INDEX, CODEC_NONE } },
	{ DOCKER "distribution.manifest.list.v2+json", { MEDIA_INDEX, CODEC_NONE } },
	{ MEDIA_OCI_MANIFEST, { MEDIA_MANIFEST, CODEC_NONE } },
	{ DOCKER "distribution.manifest.v2+json", { MEDIA_MANIFEST, CODEC_NONE } },
	{ DOCKER "distribution.manifest.v1+json", { MEDIA_SCHEMA1, CODEC_NONE } },
	{ DOCKER "distribution.manifest.v1+prettyjws", { MEDIA_SCHEMA1, CODEC_NONE } },
	{ OCI "config.v1+json", { MEDIA_CONFIG, CODEC_NONE } },
	{ DOCKER "container.image.v1+json", { MEDIA_CONFIG, CODEC_NONE } },
	{ OCI "layer.v1.tar", { MEDIA_LAYER, CODEC_NONE } },
	{ OCI "layer.v1.tar+gzip", { MEDIA_LAYER, CODEC_GZIP } },
	{ OCI "layer.v1.tar+zstd", { MEDIA_LAYER, CODEC_ZSTD } },
	{ OCI "layer.nondistributable.v1.tar", { MEDIA_LAYER, CODEC_NONE } },
	{ OCI "layer.nondistributable.v1.tar+gzip", { MEDIA_LAYER, CODEC_GZIP } },
	{ OCI "layer.nondistributable.v1.tar+zstd", { MEDIA_LAYER, CODEC_ZSTD } },
	{ DOCKER "image.rootfs.diff.tar", { MEDIA_LAYER, CODEC_NONE } },
	{ DOCKER "image.rootfs.diff.tar.gzip", { MEDIA_LAYER, CODEC_GZIP } },
	{ DOCKER "image.rootfs.diff.tar.zstd", { MEDIA_LAYER, CODEC_ZSTD } },
	{ DOCKER "image.rootfs.foreign.diff.tar", { MEDIA_LAYER, CODEC_NONE } },
	{ DOCKER "image.rootfs.foreign.diff.tar.gzip", { MEDIA_LAYER, CODEC_GZIP } },
};

/* Length without parameters and the blanks before them. */
static size_t bare_len(const char *type)
{
	size_t len = strcspn(type, ";");

	while (len && (type[len - 1] == ' ' || type[len - 1] == '\t'))
		len--;
	return len;
}

bool media_eq(const char *a, const char *b)
{
	return bare_len(a) == bare_len(b) && strncasecmp(a, b, bare_len(a)) == 0;
}

struct media media_of(const char *type)
{
	static const char encrypted[] = "+encrypted";
	size_t len;

	if (!type)
		return (struct media){ MEDIA_UNKNOWN, CODEC_NONE };
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (media_eq(type, types[i].type))
			return types[i].media;
	len = bare_len(type);
	if (len > sizeof(encrypted) - 1 && strncasecmp(type + len - (sizeof(encrypted) - 1),
						   encrypted, sizeof(encrypted) - 1) == 0)
		return (struct media){ MEDIA_ENCRYPTED, CODEC_NONE };
	return (struct media){ MEDIA_UNKNOWN, CODEC_NONE };
}
