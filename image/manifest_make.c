/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests made up (the contract is in the header). */
#include "image/manifest_make.h"

json_t *manifest_make_descriptor(const struct made_blob *b)
{
	char digest[DIGEST_TEXT_BYTES];

	digest_text(&b->digest, digest);
	return json_pack("{s:s, s:s, s:I}", "mediaType", b->media_type, "digest", digest, "size",
		(json_int_t)b->size);
}

int manifest_make(const char *type, const struct made_blob *blobs, size_t n, struct document *ret,
	struct err *err)
{
	auto_json *j = json_pack("{s:i, s:s, s:o, s:[]}", "schemaVersion", 2, "mediaType", type,
		"config", manifest_make_descriptor(&blobs[0]), "layers");
	bool failed = !j;
	char *text;

	for (size_t i = 1; !failed && i < n; i++)
		failed = json_array_append_new(json_object_get(j, "layers"),
				 manifest_make_descriptor(&blobs[i])) < 0;
	text = failed ? NULL : json_dumps(j, JSON_COMPACT);
	if (!text)
		return err_set(err, -ENOMEM, "cannot make a manifest");
	return document_of_take(text, strlen(text), ret, err);
}
