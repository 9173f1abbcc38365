/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of a pull (the contract is in the header)
 *
 * A job for each diff id.
 */
#include "image/fetch.h"

#include "base/at.h"
#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/decode.h"
#include "image/layers.h"
#include "image/partial.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define MAKING_POLL_MS 50

struct job {
	const struct descriptor *blob;
	const struct idx_digest *diff_id;
	uint32_t number; /* in the manifest, from 1 */
	int lease; /* the job's thread's until all have ended; -1: none yet */
	struct crew_job *shown;
};

struct fetching {
	const struct fetch *f;
	struct job *jobs;
	struct crew_job *shown;
	uint32_t n_jobs;
};

/* Was the pull given up?  Waits for that at most @ms. */
static bool is_cancelled(const struct fetching *c, int ms)
{
	struct pollfd p = { c->f->cancel_fd, POLLIN, 0 };

	return poll(&p, 1, ms) > 0;
}

/* A lease on the layer if the store has it, sound as far as a quick look tells; else -ENOENT. */
static int lease_present(struct fetching *c, const struct job *j)
{
	int fd = layer_lease(c->f->store, j->diff_id, NULL);
	struct idx *x;

	if (fd < 0)
		return -ENOENT;
	if (layer_open_index(c->f->store, j->diff_id, fd, &x, NULL) < 0) {
		(void)close(fd);
		return -ENOENT;
	}
	idx_close(x);
	return fd;
}

/* Is a file worth it that lets the download go on later, or becomes the blob that is kept? */
static bool wants_partial(const struct fetching *c, const struct job *j)
{
	return c->f->opts->keep_blobs ||
	       (!c->f->origin->is_local && j->blob->size >= PARTIAL_LEAST_BYTES);
}

/* blob ─ check: held bytes first, if there are any. */
static int open_blob(struct fetching *c, struct job *j, struct origin_line *line, struct partial *p,
	struct source **ret, struct err *err)
{
	struct origin *o = c->f->origin;
	struct source *s;
	int r = p ? partial_source(p, o, line, j->blob, &s, err)
		  : o->ops->blob(o, line, j->blob, 0, &s, err);

	atomic_store_explicit(&j->shown->done, 0, memory_order_relaxed);
	return r < 0 ? r
		     : source_check_new(
			       ret, s, &j->blob->digest, j->blob->size, &j->shown->done, err);
}

/* blob ─ check ─ unpack: one pass. */
static int open_chain(struct fetching *c, struct job *j, struct origin_line *line,
	struct partial *p, struct source **ret, struct source **ret_check, struct err *err)
{
	struct source *check;
	int r = open_blob(c, j, line, p, &check, err);

	if (r == 0)
		r = source_decode_new(ret, check, j->blob->media.codec, err);
	if (r == 0)
		*ret_check = check; /* borrowed from *ret */
	return r;
}

/* layer.tar and layer.idx into a directory, and the diff id proved. */
static int write_layer(struct fetching *c, struct job *j, struct origin_line *line,
	struct partial *p, int dirfd, struct err *err)
{
	const struct layer_limits limits = { .alg = j->diff_id->alg };
	char is[DIGEST_TEXT_BYTES], want[DIGEST_TEXT_BYTES];
	struct layer_stats stats;
	struct source *check = NULL;
	auto_source s = NULL;
	struct err better = ERR_INIT;
	int r = open_chain(c, j, line, p, &s, &check, err);

	if (r < 0)
		return r;
	r = layer_write(s, dirfd, &limits, &stats, err);
	/* Nonsense may be what was promised, or damage on the way: the digest tells. */
	if (r == -EBADMSG && source_check_rest(check, &better) == -EBADMSG && err)
		*err = better;
	if (r < 0)
		return r;
	if (!digest_eq(&stats.diff_id, j->diff_id)) {
		digest_text(&stats.diff_id, is);
		digest_text(j->diff_id, want);
		return err_say(err, -EBADMSG, "diff id is %s, not %s", is, want);
	}
	log_debug("image", "layer number=%u members=%u tar_bytes=%llu stripped_xattrs=%u",
		j->number, stats.n_members, (unsigned long long)stats.tar_bytes,
		stats.n_stripped_xattrs);
	return 0;
}

/* An empty directory @name of the staging directory. */
static int make_dir(struct fetching *c, const char *name, struct err *err)
{
	int stage = c->f->stage->dirfd, fd;

	(void)at_remove_tree(stage, name);
	if (mkdirat(stage, name, 0700) < 0)
		return err_set(err, -errno, "cannot make a directory in the store");
	fd = openat(stage, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "cannot make a directory in the store") : fd;
}

/* The layer's files; what an earlier try left wrong is no reason to fail. */
static int download_with(struct fetching *c, struct job *j, struct origin_line *line,
	struct partial *p, const char *name, struct err *err)
{
	for (;;) {
		bool resumed = p && partial_held(p) > 0;
		auto_fd dirfd = make_dir(c, name, err);
		int r = dirfd < 0 ? dirfd : write_layer(c, j, line, p, dirfd, err);

		if (r == -EBADMSG && p)
			partial_drop(p);
		if (r != -EBADMSG || !resumed)
			return r;
		log_debug("image", "layer number=%u: what was held is damaged", j->number);
	}
}

/* Download into the staging directory @name and publish.  Return: the lease. */
static int download(struct fetching *c, struct job *j, struct origin_line *line, const char *name,
	struct err *err)
{
	struct partial *p = NULL;
	int r;

	if (wants_partial(c, j))
		(void)partial_open(&p, c->f->store, j->blob);
	r = download_with(c, j, line, p, name, err);
	if (r == 0)
		r = layer_publish(c->f->store, c->f->stage->dirfd, name, j->diff_id, err);
	if (r >= 0)
		partial_close(p, c->f->opts->keep_blobs ? PARTIAL_COMPLETE : PARTIAL_GOES);
	else
		partial_close(p, r == -EBADMSG ? PARTIAL_GOES : PARTIAL_STAYS);
	return r;
}

/* The layer is there, but its blob is to be kept, too. */
static int keep_blob(struct fetching *c, struct job *j, struct origin_line *line, struct err *err)
{
	struct partial *p = NULL;
	auto_source check = NULL;
	const uint8_t *data;
	size_t len;
	int r;

	if (!c->f->opts->keep_blobs || partial_has_blob(c->f->store, j->blob))
		return 0;
	(void)partial_open(&p, c->f->store, j->blob);
	if (!p)
		return err_say(err, -EBUSY, "another process is downloading its blob");
	r = open_blob(c, j, line, p, &check, err);
	while (r >= 0 && (r = source_next(check, &data, &len, err)) > 0)
		;
	source_close(ptr_take(&check));
	partial_close(p, r == -EBADMSG ? PARTIAL_GOES : PARTIAL_COMPLETE);
	return r;
}

/* A layer of the store; @lease is consumed and returned. */
static int present(struct fetching *c, struct crew *crew, uint32_t i, struct origin_line *line,
	int lease, struct err *err)
{
	int r = keep_blob(c, &c->jobs[i], line, err);

	if (r < 0) {
		(void)close(lease);
		return r;
	}
	crew_set_state(crew, i, PULL_PRESENT);
	return lease;
}

/* Return: the lease on the layer, however it came. */
static int bring(struct fetching *c, struct crew *crew, uint32_t i, struct origin_line *line,
	struct err *err)
{
	struct job *j = &c->jobs[i];
	char name[STORE_DIR_NAME_BYTES];
	int making, lease;

	store_dir_name(j->diff_id, name);
	for (;;) {
		lease = lease_present(c, j);
		if (lease >= 0)
			return present(c, crew, i, line, lease, err);
		making = store_try_making(c->f->store, name, err);
		if (making != -EAGAIN)
			break;
		if (j->shown->state != PULL_SHARED)
			crew_set_state(crew, i, PULL_SHARED);
		/* A lock's end cannot be polled for; the pull's end can. */
		if (is_cancelled(c, MAKING_POLL_MS))
			return err_say(err, -ECANCELED, "cancelled");
	}
	if (making < 0)
		return making;
	/* Somebody may have finished between the look and the lock. */
	lease = lease_present(c, j);
	if (lease < 0) {
		crew_set_state(crew, i, PULL_RUNNING);
		lease = download(c, j, line, name, err);
	}
	store_made(c->f->store, name, making);
	if (lease >= 0)
		crew_set_state(crew, i, PULL_DONE);
	return lease;
}

static int work(void *ctx, struct crew *crew, uint32_t i, void *line, struct err *err)
{
	struct fetching *c = ctx;
	int r = bring(c, crew, i, line, err);

	if (r < 0)
		return err_wrap(
			err, r, "layer %u of %u", c->jobs[i].number, c->f->manifest->n_layers);
	c->jobs[i].lease = r;
	return 0;
}

static int line_new(void *ctx, void **ret, struct err *err)
{
	struct origin *o = ((struct fetching *)ctx)->f->origin;
	struct origin_line *l = NULL;
	int r = o->ops->line_new(o, &l, err);

	*ret = l;
	return r;
}

static void line_free(void *ctx, void *line)
{
	((struct fetching *)ctx)->f->origin->ops->line_free(line);
}

/* Layers that occur twice are one job. */
static int make_jobs(struct fetching *c, struct err *err)
{
	const struct manifest *m = c->f->manifest;

	c->jobs = calloc(m->n_layers + 1, sizeof(*c->jobs));
	c->shown = calloc(m->n_layers + 1, sizeof(*c->shown));
	if (!c->jobs || !c->shown)
		return err_set(err, -ENOMEM, "cannot pull %u layers", m->n_layers);
	for (uint32_t i = 0; i < m->n_layers; i++) {
		const struct idx_digest *diff_id = &c->f->config->diff_ids[i];
		struct job *j = &c->jobs[c->n_jobs];
		bool seen = false;

		for (uint32_t k = 0; k < c->n_jobs && !seen; k++)
			seen = digest_eq(c->jobs[k].diff_id, diff_id);
		if (seen)
			continue;
		*j = (struct job){ &m->layers[i], diff_id, i + 1, -1, &c->shown[c->n_jobs] };
		j->shown->digest = j->blob->digest;
		j->shown->size = j->blob->size;
		c->n_jobs++;
	}
	return 0;
}

/* Leases into an array of fds, or away. */
static int finish(
	struct fetching *c, int failed, int **ret_leases, uint32_t *ret_n, struct err *err)
{
	int *leases = failed ? NULL : calloc(c->n_jobs + 1, sizeof(*leases));

	for (uint32_t i = 0; i < c->n_jobs; i++) {
		if (leases)
			leases[i] = c->jobs[i].lease;
		else if (c->jobs[i].lease >= 0)
			(void)close(c->jobs[i].lease);
	}
	if (failed)
		return failed;
	if (!leases)
		return err_set(err, -ENOMEM, "cannot pull %u layers", c->n_jobs);
	*ret_leases = leases;
	*ret_n = c->n_jobs;
	return 0;
}

int fetch_layers(const struct fetch *f, int **ret_leases, uint32_t *ret_n, struct err *err)
{
	struct fetching c = { .f = f };
	struct crew_task task = { .n_threads = f->opts->jobs ? f->opts->jobs : PULL_JOBS,
		.name = f->name,
		.doing = f->origin->is_local ? "reading" : "downloading",
		.view = &f->opts->view,
		.cancel_fd = f->cancel_fd,
		.line_new = line_new,
		.line_free = line_free,
		.work = work,
		.ctx = &c };
	int r = make_jobs(&c, err);

	if (r == 0) {
		task.jobs = c.shown;
		task.n_jobs = c.n_jobs;
		r = finish(&c, crew_run(&task, err), ret_leases, ret_n, err);
	}
	free(c.jobs);
	free(c.shown);
	return r;
}
