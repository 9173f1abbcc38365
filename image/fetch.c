/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of a pull (the contract is in the header)
 *
 * A job for each diff id; threads take the next one that waits.  The caller's thread sleeps on a
 * condition and draws the display, so display code needs no locks.
 *
 * Locking: crew->lock guards next, states, the first error, and n_running; jobs' byte counts are
 * atomic.
 */
#include "image/fetch.h"

#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/decode.h"
#include "image/layers.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#define MAX_JOBS       16
#define MAKING_POLL_MS 50

struct job {
	const struct descriptor *blob;
	const struct idx_digest *diff_id;
	uint32_t number; /* in the manifest, from 1 */
	_Atomic uint64_t done; /* bytes of the blob */
	enum pull_state state; /* crew->lock */
	int lease; /* crew->lock; -1: none yet */
};

struct crew {
	const struct fetch *f;
	struct job *jobs;
	uint32_t n_jobs;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t next; /* ->lock */
	unsigned int n_running; /* ->lock; threads */
	unsigned int n_changes; /* ->lock */
	int failed; /* ->lock; the first error */
	struct err err; /* ->lock; its text */
};

static void set_state(struct crew *c, struct job *j, enum pull_state state)
{
	pthread_mutex_lock(&c->lock);
	j->state = state;
	c->n_changes++;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* Was the pull given up?  Waits for that at most @ms. */
static bool is_cancelled(const struct crew *c, int ms)
{
	struct pollfd p = { c->f->cancel_fd, POLLIN, 0 };

	return poll(&p, 1, ms) > 0;
}

/* A lease on the layer if the store has it, sound as far as a quick look tells; else -ENOENT. */
static int lease_present(struct crew *c, const struct job *j)
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

/*
 * blob ─ check ─ unpack: one pass.  What came of an earlier attempt could be read here before the
 * origin's blob, if partial downloads are kept one day.
 */
static int open_chain(struct crew *c, struct job *j, struct origin_line *line, struct source **ret,
	struct source **ret_check, struct err *err)
{
	struct origin *o = c->f->origin;
	struct source *s, *check;
	int r = o->ops->blob(o, line, j->blob, &s, err);

	if (r == 0)
		r = source_check_new(&check, s, &j->blob->digest, j->blob->size, &j->done, err);
	if (r == 0)
		r = source_decode_new(ret, check, j->blob->media.codec, err);
	if (r == 0)
		*ret_check = check; /* borrowed from *ret */
	return r;
}

/* layer.tar and layer.idx into a directory, and the diff id proved. */
static int write_layer(
	struct crew *c, struct job *j, struct origin_line *line, int dirfd, struct err *err)
{
	const struct layer_limits limits = { .alg = j->diff_id->alg };
	char is[DIGEST_TEXT_BYTES], want[DIGEST_TEXT_BYTES];
	struct layer_stats stats;
	struct source *check = NULL;
	auto_source s = NULL;
	struct err better = ERR_INIT;
	int r = open_chain(c, j, line, &s, &check, err);

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

/* Download into the staging directory @name and publish.  Return: the lease. */
static int download(
	struct crew *c, struct job *j, struct origin_line *line, const char *name, struct err *err)
{
	int stage = c->f->stage->dirfd, r;
	auto_fd dirfd = -1;

	if (mkdirat(stage, name, 0700) < 0)
		return err_set(err, -errno, "cannot make a directory in the store");
	dirfd = openat(stage, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set(err, -errno, "cannot make a directory in the store");
	r = write_layer(c, j, line, dirfd, err);
	if (r < 0)
		return r;
	return layer_publish(c->f->store, stage, name, j->diff_id, err);
}

/* Return: the lease on the layer, however it came. */
static int bring(struct crew *c, struct job *j, struct origin_line *line, struct err *err)
{
	char name[STORE_DIR_NAME_BYTES];
	int making, lease;

	store_dir_name(j->diff_id, name);
	for (;;) {
		lease = lease_present(c, j);
		if (lease >= 0) {
			set_state(c, j, PULL_PRESENT);
			return lease;
		}
		making = store_try_making(c->f->store, name, err);
		if (making != -EAGAIN)
			break;
		if (j->state != PULL_SHARED)
			set_state(c, j, PULL_SHARED);
		/* A lock's end cannot be polled for; the pull's end can. */
		if (is_cancelled(c, MAKING_POLL_MS))
			return err_say(err, -ECANCELED, "cancelled");
	}
	if (making < 0)
		return making;
	/* Somebody may have finished between the look and the lock. */
	lease = lease_present(c, j);
	if (lease < 0) {
		set_state(c, j, PULL_RUNNING);
		lease = download(c, j, line, name, err);
	}
	store_made(c->f->store, name, making);
	if (lease >= 0)
		set_state(c, j, PULL_DONE);
	return lease;
}

static struct job *take_job(struct crew *c)
{
	struct job *j = NULL;

	pthread_mutex_lock(&c->lock);
	if (!c->failed && c->next < c->n_jobs)
		j = &c->jobs[c->next++];
	pthread_mutex_unlock(&c->lock);
	return j;
}

static void give_up(struct crew *c, int code, const struct err *err)
{
	pthread_mutex_lock(&c->lock);
	if (!c->failed) {
		c->failed = code;
		c->err = *err;
		(void)eventfd_write(c->f->cancel_fd, 1);
	}
	pthread_mutex_unlock(&c->lock);
}

static void *work(void *ctx)
{
	struct crew *c = ctx;
	struct origin *o = c->f->origin;
	struct origin_line *line = NULL;
	struct err err = ERR_INIT;
	int r = o->ops->line_new(o, &line, &err);
	struct job *j;

	if (r < 0)
		give_up(c, r, &err);
	while (r >= 0 && (j = take_job(c))) {
		r = bring(c, j, line, &err);
		if (r < 0) {
			err_wrap(&err, r, "layer %u of %u", j->number, c->f->manifest->n_layers);
			give_up(c, r, &err);
			break;
		}
		pthread_mutex_lock(&c->lock);
		j->lease = r;
		pthread_mutex_unlock(&c->lock);
	}
	o->ops->line_free(line);
	pthread_mutex_lock(&c->lock);
	c->n_running--;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Layers that occur twice are one job. */
static int make_jobs(struct crew *c, struct err *err)
{
	const struct manifest *m = c->f->manifest;

	c->jobs = calloc(m->n_layers + 1, sizeof(*c->jobs));
	if (!c->jobs)
		return err_set(err, -ENOMEM, "cannot pull %u layers", m->n_layers);
	for (uint32_t i = 0; i < m->n_layers; i++) {
		const struct idx_digest *diff_id = &c->f->config->diff_ids[i];
		struct job *j = &c->jobs[c->n_jobs];
		bool seen = false;

		for (uint32_t k = 0; k < c->n_jobs && !seen; k++)
			seen = digest_eq(c->jobs[k].diff_id, diff_id);
		if (seen)
			continue;
		j->blob = &m->layers[i];
		j->diff_id = diff_id;
		j->number = i + 1;
		j->lease = -1;
		c->n_jobs++;
	}
	return 0;
}

/* Called with crew->lock held, which the display does not need to know. */
static void show(struct crew *c, struct pull_layer *layers)
{
	struct pull_status st = { c->f->name, layers, c->n_jobs };

	for (uint32_t i = 0; i < c->n_jobs; i++) {
		struct job *j = &c->jobs[i];

		layers[i] = (struct pull_layer){ j->blob->digest, j->blob->size,
			atomic_load_explicit(&j->done, memory_order_relaxed), j->state };
	}
	pthread_mutex_unlock(&c->lock);
	c->f->opts->progress(c->f->opts->ctx, &st);
	pthread_mutex_lock(&c->lock);
}

/* Until every thread has ended; draw now and then. */
static void watch(struct crew *c, struct pull_layer *layers)
{
	const struct pull_options *opts = c->f->opts;
	unsigned int seen = 0;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		bool ended = c->n_running == 0;
		struct timespec ts;

		if (opts->progress && (opts->tick_ms || c->n_changes != seen)) {
			seen = c->n_changes;
			show(c, layers);
		}
		if (ended)
			break;
		if (c->n_running == 0 || (!opts->tick_ms && c->n_changes != seen))
			continue;
		if (!opts->tick_ms) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += (long)opts->tick_ms * 1000000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		(void)pthread_cond_timedwait(&c->changed, &c->lock, &ts);
	}
	pthread_mutex_unlock(&c->lock);
}

/* Return: 0 if at least one thread runs. */
static int run_threads(struct crew *c, struct pull_layer *layers, struct err *err)
{
	unsigned int want = c->f->opts->jobs ? c->f->opts->jobs : PULL_JOBS, n = 0;
	pthread_t threads[MAX_JOBS];

	if (want > MAX_JOBS)
		want = MAX_JOBS;
	if (want > c->n_jobs)
		want = c->n_jobs;
	pthread_mutex_lock(&c->lock);
	while (n < want && pthread_create(&threads[n], NULL, work, c) == 0)
		n++;
	c->n_running = n;
	pthread_mutex_unlock(&c->lock);
	if (n == 0 && want > 0)
		return err_say(err, -EAGAIN, "cannot start a thread");
	watch(c, layers);
	for (unsigned int i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	return 0;
}

/* Leases into an array of fds, or away. */
static int finish(struct crew *c, int **ret_leases, uint32_t *ret_n, struct err *err)
{
	int *leases = c->failed ? NULL : calloc(c->n_jobs + 1, sizeof(*leases));

	for (uint32_t i = 0; i < c->n_jobs; i++) {
		if (leases)
			leases[i] = c->jobs[i].lease;
		else if (c->jobs[i].lease >= 0)
			(void)close(c->jobs[i].lease);
	}
	if (c->failed) {
		if (err)
			*err = c->err;
		return c->failed;
	}
	if (!leases)
		return err_set(err, -ENOMEM, "cannot pull %u layers", c->n_jobs);
	*ret_leases = leases;
	*ret_n = c->n_jobs;
	return 0;
}

int fetch_layers(const struct fetch *f, int **ret_leases, uint32_t *ret_n, struct err *err)
{
	auto_free struct pull_layer *layers = NULL;
	struct crew c = { .f = f, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_condattr_t attr;
	int r = make_jobs(&c, err);

	if (r < 0)
		return r;
	layers = calloc(c.n_jobs + 1, sizeof(*layers));
	if (!layers) {
		free(c.jobs);
		return err_set(err, -ENOMEM, "cannot pull %u layers", c.n_jobs);
	}
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c.changed, &attr);
	r = run_threads(&c, layers, err);
	if (r == 0)
		r = finish(&c, ret_leases, ret_n, err);
	pthread_cond_destroy(&c.changed);
	pthread_condattr_destroy(&attr);
	free(c.jobs);
	return r;
}
