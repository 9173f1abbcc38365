/* SPDX-License-Identifier: Apache-2.0 */
/* What origins share (the contract is in the header). */
#include "image/origin.h"

#include "base/json.h"
#include "base/str.h"
#include "image/blob_source.h"

void document_done(struct document *d)
{
	free(d->data);
	free(d->media_type);
	memset(d, 0, sizeof(*d));
}

int document_read_take(
	struct source *raw, const struct descriptor *d, struct document *ret, struct err *err)
{
	auto_document doc = { .digest = d->digest };
	auto_source checked = NULL;
	int r;

	if (d->size > LIMIT_MANIFEST_BYTES) {
		source_close(raw);
		return err_say(err, -EBADMSG, "the manifest claims %llu bytes, the limit is %u",
			(unsigned long long)d->size, LIMIT_MANIFEST_BYTES);
	}
	r = source_check_new(&checked, raw, &d->digest, d->size, NULL, err);
	if (r == 0)
		r = source_read_all(checked, LIMIT_MANIFEST_BYTES, &doc.data, &doc.len, err);
	if (r < 0)
		return err_wrap(err, r, "the manifest");
	if (d->media_type) {
		doc.media_type = strdup(d->media_type);
		if (!doc.media_type)
			return err_set(err, -ENOMEM, "cannot read a manifest");
	}
	*ret = doc;
	memset(&doc, 0, sizeof(doc));
	return 0;
}

int document_of_take(char *data, size_t len, struct document *ret, struct err *err)
{
	struct document doc = { data, len, NULL, { 0 } };
	int r = digest_of(data, len, &doc.digest);

	if (r < 0) {
		document_done(&doc);
		return err_set(err, r, "cannot read a manifest");
	}
	*ret = doc;
	return 0;
}

char *document_type(const struct document *d)
{
	auto_json *j = NULL;
	const char *own;

	if (json_parse(d->data, d->len, "the manifest", &j, NULL) < 0)
		return strdup(MEDIA_OCI_MANIFEST);
	own = json_get_str(j, "mediaType");
	if (own)
		return strdup(own);
	if (media_of(d->media_type).kind == MEDIA_MANIFEST ||
		media_of(d->media_type).kind == MEDIA_INDEX)
		return strndup(d->media_type, strcspn(d->media_type, "; \t"));
	return strdup(json_object_get(j, "manifests") ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST);
}

int origin_no_line_new(struct origin *o, struct origin_line **ret, struct err *err)
{
	*ret = NULL;
	return 0;
}

void origin_no_line_free(struct origin_line *l)
{
}
