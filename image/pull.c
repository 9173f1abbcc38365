/* SPDX-License-Identifier: Apache-2.0 */
/* Pull: an image into the store (the contract is in the header). */
#include "image/pull.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/copy.h"
#include "image/fetch.h"
#include "image/names.h"
#include "image/partial.h"
#include "image/policy.h"
#include "image/ref.h"
#include "image/transport.h"

#include <sys/eventfd.h>

struct pull {
	struct img_store *store;
	struct pull_options opts; /* with the platform filled in */
	struct origin *origin;
	struct origin_line *line;
	char *name;
	struct document doc; /* of the manifest */
	struct idx_digest source_digest; /* of the document that the reference named */
	struct manifest manifest;
	char *config_data;
	size_t config_len;
	struct config config;
	int cancel_fd;
	int *leases;
	uint32_t n_leases;
};

static void pull_done(struct pull *p)
{
	for (uint32_t i = 0; i < p->n_leases; i++)
		(void)close(p->leases[i]);
	free(p->leases);
	if (p->origin) {
		p->origin->ops->line_free(p->line);
		p->origin->ops->close(p->origin);
	}
	free(p->name);
	document_done(&p->doc);
	manifest_done(&p->manifest);
	config_done(&p->config);
	free(p->config_data);
	if (p->cancel_fd >= 0)
		(void)close(p->cancel_fd);
}

static inline void cleanup_pull(struct pull *p)
{
	pull_done(p);
}
#define auto_pull __attribute__((cleanup(cleanup_pull))) struct pull

static int open_origin(struct pull *p, const char *source, struct err *err)
{
	auto_place place = { 0 };
	int r;

	p->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->cancel_fd < 0)
		return err_set(err, -errno, "cannot start a pull");
	p->opts.transport.registry.http.cancel_fd = p->cancel_fd;
	r = place_parse(source, &place, err);
	if (r == 0)
		r = transport_origin(&p->origin, &place, &p->opts.transport, err);
	if (r == 0)
		r = policy_check(&place, p->origin->name, err);
	return r < 0 ? r : p->origin->ops->line_new(p->origin, &p->line, err);
}

/* The full name to be stored: the person's, else the origin's. */
static int choose_name(struct pull *p, struct err *err)
{
	if (p->opts.name)
		return ref_stored_name(p->opts.name, &p->name, err);
	p->name = strdup(p->origin->name);
	return p->name ? 0 : err_set(err, -ENOMEM, "cannot start a pull");
}

/* Follow indexes down to a manifest. */
static int find_manifest(struct pull *p, struct err *err)
{
	int r = p->origin->ops->top(p->origin, p->line, &p->doc, err);

	p->source_digest = p->doc.digest;
	return r < 0 ? r : copy_choose(p->origin, p->line, &p->opts.platform, &p->doc, err);
}

static int get_config(struct pull *p, struct err *err)
{
	const struct descriptor *d = &p->manifest.config;
	auto_source checked = NULL;
	struct source *raw;
	int r = p->origin->ops->blob(p->origin, p->line, d, 0, &raw, err);

	if (r == 0)
		r = source_check_new(&checked, raw, &d->digest, d->size, NULL, err);
	if (r == 0)
		r = source_read_all(
			checked, LIMIT_MANIFEST_BYTES, &p->config_data, &p->config_len, err);
	if (r < 0)
		return err_wrap(err, r, "the image config");
	r = config_parse(p->config_data, p->config_len, &p->config, err);
	if (r < 0)
		return r;
	if (p->config.n_diff_ids != p->manifest.n_layers)
		return err_say(err, -EBADMSG, "the image has %u layers, but %u diff ids",
			p->manifest.n_layers, p->config.n_diff_ids);
	return 0;
}

/* An image of another platform is pulled if it was named so, but the person is told. */
static void note_platform(struct pull *p)
{
	char is[PLATFORM_TEXT_BYTES], want[PLATFORM_TEXT_BYTES];
	auto_free char *text = NULL;

	if (!p->opts.view.note || !p->config.platform.os[0] ||
		platform_rank(&p->opts.platform, &p->config.platform) > 0)
		return;
	platform_text(&p->config.platform, is);
	platform_text(&p->opts.platform, want);
	text = str_format("the image is for %s, not for %s", is, want);
	if (text)
		p->opts.view.note(p->opts.view.ctx, text);
}

/* By the document, by who sent it, or the one that may leave it out. */
static char *manifest_type(const struct pull *p)
{
	if (p->manifest.media_type)
		return p->manifest.media_type;
	if (media_of(p->doc.media_type).kind == MEDIA_MANIFEST && !strchr(p->doc.media_type, ';'))
		return p->doc.media_type;
	return (char *)MEDIA_OCI_MANIFEST;
}

/* The image becomes visible: blobs first, the index last. */
static int commit(struct pull *p, struct err *err)
{
	char source[DIGEST_TEXT_BYTES];
	auto_index x = { 0 };
	struct descriptor d = { .digest = p->doc.digest,
		.size = p->doc.len,
		.platform = p->config.platform,
		.ref_name = p->name,
		.source_digest = source };
	auto_fd lock = store_lock(p->store, LOCK_EXCLUSIVE, err);
	int r;

	if (lock < 0)
		return lock;
	d.media_type = manifest_type(p);
	digest_text(&p->source_digest, source);
	r = names_load(p->store, &x, err);
	if (r == 0)
		r = store_put_blob(
			p->store, &p->manifest.config.digest, p->config_data, p->config_len, err);
	for (uint32_t i = 0; r == 0 && p->opts.keep_blobs && i < p->manifest.n_layers; i++)
		r = partial_publish(p->store, &p->manifest.layers[i], err);
	if (r == 0)
		r = store_put_blob(p->store, &p->doc.digest, p->doc.data, p->doc.len, err);
	if (r < 0)
		return r;
	r = names_set(&x, &d);
	if (r < 0)
		return err_set(err, r, "cannot store the image's name");
	return names_save(p->store, &x, err);
}

/* The image keeps the manifest that it had before its origin took it apart.  Its layers came as tars,
 * so those that are kept as blobs fit the made-up one alone. */
static int restore_original(struct pull *p, struct err *err)
{
	struct origin *o = p->origin;
	auto_manifest m = { 0 };
	int r;

	if (!o->original.data || p->opts.keep_blobs)
		return 0;
	r = manifest_parse(o->original.data, o->original.len, &m, err);
	if (r < 0)
		return r;
	if (!digest_eq(&m.config.digest, &p->manifest.config.digest) ||
		m.n_layers != p->manifest.n_layers)
		return 0;
	manifest_done(&p->manifest);
	document_done(&p->doc);
	p->manifest = m;
	p->doc = o->original;
	p->source_digest = p->doc.digest;
	memset(&m, 0, sizeof(m));
	memset(&o->original, 0, sizeof(o->original));
	return 0;
}

static int fetch(struct pull *p, struct stage *stage, struct err *err)
{
	struct fetch f = { p->store, stage, p->origin, &p->manifest, &p->config, &p->opts, p->name,
		p->cancel_fd };

	/* A lease a layer, and some more. */
	if (p->manifest.n_layers > 200)
		(void)fd_raise_limit();
	partial_sweep(p->store, PARTIAL_KEEP_S);
	return fetch_layers(&f, &p->leases, &p->n_leases, err);
}

int img_pull(struct img_store *s, const char *source, const struct pull_options *opts,
	struct pull_result *ret, struct err *err)
{
	auto_stage stage = { NULL, -1, -1, "" };
	auto_pull p = { .store = s, .opts = *opts, .cancel_fd = -1 };
	int r;

	if (!p.opts.platform.os[0])
		platform_host(&p.opts.platform);
	r = open_origin(&p, source, err);
	if (r == 0)
		r = choose_name(&p, err);
	if (r < 0)
		return r;
	if (p.opts.view.begin)
		p.opts.view.begin(p.opts.view.ctx, p.name);
	r = find_manifest(&p, err);
	if (r == 0)
		r = manifest_parse(p.doc.data, p.doc.len, &p.manifest, err);
	if (r == 0)
		r = get_config(&p, err);
	if (r < 0)
		return r;
	note_platform(&p);
	r = store_stage_new(s, &stage, err);
	if (r == 0)
		r = fetch(&p, &stage, err);
	if (r == 0)
		r = restore_original(&p, err);
	if (r == 0)
		r = commit(&p, err);
	if (r < 0)
		return r;
	ret->name = ptr_take(&p.name);
	ret->manifest_digest = p.doc.digest;
	ret->config_digest = p.manifest.config.digest;
	return 0;
}
