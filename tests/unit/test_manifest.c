/* SPDX-License-Identifier: Apache-2.0 */
#include "image/manifest.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "tests/unit/test.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OCI "application/vnd.oci.image."
#define DESC(type, size)                                                                           \
	"{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":" size "}"
#define CONFIG DESC(OCI "config.v1+json", "2")
#define LAYER  DESC(OCI "layer.v1.tar+gzip", "10")
#define HEAD   "{\"schemaVersion\":2,"

static int parse(const char *text)
{
	auto_manifest m = { 0 };

	return manifest_parse(text, strlen(text), &m, NULL);
}

TEST(a_manifest_is_read)
{
	static const char text[] = HEAD
		"\"mediaType\":\"" OCI "manifest.v1+json\",\"config\":" CONFIG ",\"layers\":[" LAYER
		",{\"mediaType\":\"" OCI "layer.v1.tar+zstd\",\"digest\":\"sha256:" HEX
		"\",\"size\":1099511627776,\"urls\":[\"http://x\"]}],"
		"\"subject\":{},\"unknown\":null}";
	auto_manifest m = { 0 };

	CHECK_INT(manifest_kind(text, strlen(text), OCI "manifest.v1+json", NULL), ==,
		MEDIA_MANIFEST);
	CHECK_INT(manifest_parse(text, strlen(text), &m, NULL), ==, 0);
	CHECK_INT(m.n_layers, ==, 2);
	CHECK_INT(m.layers[0].media.codec, ==, CODEC_GZIP);
	CHECK_INT(m.layers[1].media.codec, ==, CODEC_ZSTD);
	CHECK_INT(m.layers[1].size, ==, LIMIT_BLOB_BYTES);
	CHECK_INT(m.config.size, ==, 2);
}

TEST(malformed_manifests_are_refused)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"null",
		"{\"schemaVersion\":1,\"config\":" CONFIG ",\"layers\":[]}",
		"{\"schemaVersion\":\"2\",\"config\":" CONFIG ",\"layers\":[]}",
		"{\"schemaVersion\":2.0,\"config\":" CONFIG ",\"layers\":[]}",
		"{\"config\":" CONFIG ",\"layers\":[]}",
		HEAD "\"config\":" CONFIG "}",
		HEAD "\"layers\":[]}",
		HEAD "\"config\":" CONFIG ",\"layers\":{}}",
		HEAD "\"config\":" CONFIG ",\"layers\":[null]}",
		HEAD "\"config\":" CONFIG ",\"layers\":[]}x",
		HEAD "\"config\":" CONFIG ",\"layers\":[],\"layers\":[]}",
		HEAD "\"config\":" CONFIG ",\"layers\":[],\"Layers\":[]}",
		HEAD "\"config\":" CONFIG ",\"layers\":[],\"x\":\"\xff\"}",
		HEAD "\"config\":" DESC(OCI "config.v1+json", "-1") ",\"layers\":[]}",
		HEAD "\"config\":" DESC(OCI "config.v1+json", "2.5") ",\"layers\":[]}",
		HEAD "\"config\":" DESC(OCI "config.v1+json", "\"2\"") ",\"layers\":[]}",
		HEAD "\"config\":" DESC(OCI "config.v1+json", "4194305") ",\"layers\":[]}",
		HEAD "\"config\":" DESC(OCI "layer.v1.tar", "2") ",\"layers\":[]}",
		HEAD "\"config\":" DESC("application/vnd.oci.empty.v1+json", "2") ",\"layers\":[]}",
		HEAD "\"config\":" CONFIG ",\"layers\":[" DESC(OCI "layer.v1.tar+lz4", "2") "]}",
		HEAD "\"config\":" CONFIG
		     ",\"layers\":[" DESC(OCI "layer.v1.tar+gzip+encrypted", "2") "]}",
		HEAD "\"config\":" CONFIG
		     ",\"layers\":[" DESC(OCI "layer.v1.tar", "1099511627777") "]}",
		HEAD "\"config\":" CONFIG
		     ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha1:00\",\"size\":1}]}",
		HEAD "\"config\":" CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX
		     "\",\"size\":1}]}",
		HEAD "\"config\":" CONFIG ",\"layers\":[{\"mediaType\":7,\"digest\":\"sha256:" HEX
		     "\",\"size\":1}]}",
		HEAD "\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"" OCI
		     "layer.v1.tar\",\"digest\":\"sha256:" HEX "\",\"Digest\":\"sha256:" HEX
		     "\",\"size\":1}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (parse(bad[i]) != -EBADMSG)
			test_fail(__FILE__, __LINE__, "case %zu is accepted: %s", i, bad[i]);
	CHECK_INT(parse(HEAD "\"config\":" DESC(OCI "config.v1+json", "4194304") ",\"layers\":[]}"),
		==, 0);
}

TEST(a_document_is_one_thing_only)
{
	static const struct {
		const char *text, *declared;
		int want;
	} cases[] = {
		{ HEAD "\"manifests\":[]}", NULL, MEDIA_INDEX },
		{ HEAD "\"layers\":[]}", NULL, MEDIA_MANIFEST },
		{ HEAD "\"layers\":[]}", "text/plain", MEDIA_MANIFEST },
		{ HEAD "\"layers\":[]}", OCI "manifest.v1+json; charset=utf-8", MEDIA_MANIFEST },
		{ HEAD "\"layers\":[]}", OCI "index.v1+json", -EBADMSG },
		{ HEAD "\"manifests\":[]}", OCI "manifest.v1+json", -EBADMSG },
		{ HEAD "\"manifests\":[],\"layers\":[]}", NULL, -EBADMSG },
		{ HEAD "\"manifests\":[],\"config\":{}}", NULL, -EBADMSG },
		{ HEAD "\"fsLayers\":[],\"layers\":[]}", NULL, -EBADMSG },
		{ HEAD "\"x\":1}", NULL, -EBADMSG },
		{ HEAD "\"mediaType\":\"" OCI "index.v1+json\",\"layers\":[]}", NULL, -EBADMSG },
		{ HEAD "\"mediaType\":\"x/y\",\"layers\":[]}", NULL, -EBADMSG },
		{ HEAD "\"mediaType\":\"" OCI "manifest.v1+json\",\"layers\":[]}",
			"application/vnd.docker.distribution.manifest.v2+json", -EBADMSG },
		{ "{\"schemaVersion\":1,\"layers\":[]}", NULL, -EBADMSG },
		{ HEAD "\"layers\":[]}",
			"application/vnd.docker.distribution.manifest.v1+prettyjws", -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = manifest_kind(
			cases[i].text, strlen(cases[i].text), cases[i].declared, NULL);

		if (r != cases[i].want)
			test_fail(__FILE__, __LINE__, "case %zu gives %d", i, r);
	}
}

TEST(depth_and_size_are_limited)
{
	auto_buf b = { 0 };
	size_t used;
	const int levels[] = { 63, 64 }; /* inside the outermost object */

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		auto_buf deep = { 0 };

		CHECK_INT(buf_add_str(&deep, HEAD "\"config\":" CONFIG ",\"layers\":[],\"x\":"), ==,
			0);
		for (int k = 0; k < levels[i]; k++)
			CHECK_INT(buf_add_str(&deep, "["), ==, 0);
		for (int k = 0; k < levels[i]; k++)
			CHECK_INT(buf_add_str(&deep, "]"), ==, 0);
		CHECK_INT(buf_add_str(&deep, "}"), ==, 0);
		CHECK_INT(parse(deep.data), ==, i == 0 ? 0 : -EBADMSG);
	}
	/* White space up to the limit, and one more. */
	CHECK_INT(buf_add_str(&b, HEAD "\"config\":" CONFIG ",\"layers\":[]}"), ==, 0);
	for (used = b.len; used < LIMIT_MANIFEST_BYTES; used++)
		CHECK_INT(buf_add(&b, " ", 1), ==, 0);
	CHECK_INT(parse(b.data), ==, 0);
	CHECK_INT(buf_add(&b, " ", 1), ==, 0);
	CHECK_INT(parse(b.data), ==, -EBADMSG);
}

TEST(layers_are_counted)
{
	for (int n = LIMIT_IDX_LAYERS; n <= LIMIT_IDX_LAYERS + 1; n++) {
		auto_buf b = { 0 };

		CHECK_INT(buf_add_str(&b, HEAD "\"config\":" CONFIG ",\"layers\":["), ==, 0);
		for (int i = 0; i < n; i++)
			CHECK_INT(buf_add_str(&b, i ? "," LAYER : LAYER), ==, 0);
		CHECK_INT(buf_add_str(&b, "]}"), ==, 0);
		CHECK_INT(parse(b.data), ==, n > LIMIT_IDX_LAYERS ? -EBADMSG : 0);
	}
}

#define ENTRY(digit, type, platform)                                                               \
	"{\"mediaType\":\"" type "\",\"digest\":\"sha256:" digit                                   \
	"3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":7" platform    \
	"}"
#define PLATFORM(os, arch) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"

TEST(an_index_offers_the_right_platform)
{
	static const char text[] = HEAD "\"manifests\":[" ENTRY(
		"0", "application/vnd.in-toto+json", PLATFORM("linux", "amd64")) "," ENTRY("1",
		MEDIA_OCI_MANIFEST, PLATFORM("unknown", "unknown")) "," ENTRY("2",
		MEDIA_OCI_MANIFEST, PLATFORM("linux", "arm64")) "," ENTRY("3", MEDIA_OCI_MANIFEST,
		PLATFORM("linux", "amd64")) "," ENTRY("4", MEDIA_OCI_MANIFEST,
		PLATFORM("linux", "amd64")) "," ENTRY("5", MEDIA_OCI_MANIFEST,
		",\"platform\":{\"os\":\"l i\",\"architecture\":\"x\"}") "]}";
	auto_index x = { 0 };
	struct platform want;
	const struct descriptor *d;
	struct err err = ERR_INIT;

	CHECK_INT(index_parse(text, strlen(text), &x, NULL), ==, 0);
	CHECK_INT(platform_parse("linux/amd64", &want, NULL), ==, 0);
	CHECK_INT(index_choose(&x, &want, &d, NULL), ==, 0);
	CHECK_INT(d->digest.bytes[0], ==, 0x33); /* the first of equals */
	CHECK_INT(platform_parse("linux/riscv64", &want, NULL), ==, 0);
	CHECK_INT(index_choose(&x, &want, &d, &err), ==, -ENOENT);
	CHECK(strstr(err.hint, "linux/arm64"));
}

TEST(an_entry_without_platform_is_the_last_choice)
{
	static const char text[] = HEAD "\"manifests\":[" ENTRY("0", MEDIA_OCI_MANIFEST,
		"") "," ENTRY("1", MEDIA_OCI_INDEX, PLATFORM("linux", "arm64")) "]}";
	auto_index x = { 0 };
	struct platform want;
	const struct descriptor *d;

	CHECK_INT(index_parse(text, strlen(text), &x, NULL), ==, 0);
	CHECK_INT(platform_parse("linux/arm64", &want, NULL), ==, 0);
	CHECK_INT(index_choose(&x, &want, &d, NULL), ==, 0);
	CHECK_INT(d->digest.bytes[0], ==, 0x13);
	CHECK_INT(platform_parse("linux/amd64", &want, NULL), ==, 0);
	CHECK_INT(index_choose(&x, &want, &d, NULL), ==, 0);
	CHECK_INT(d->digest.bytes[0], ==, 0x03);
}
