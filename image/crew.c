/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads on a list of blobs (the contract is in the header)
 *
 * Locking: crew->lock guards next, the jobs' states, the first error, and n_running; jobs' byte
 * counts are atomic.
 */
#include "image/crew.h"

#include "base/cleanup.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <time.h>

struct crew {
	const struct crew_task *task;
	struct pull_layer *shown;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t next; /* ->lock */
	unsigned int n_running; /* ->lock; threads */
	unsigned int n_changes; /* ->lock */
	int failed; /* ->lock; the first error */
	struct err err; /* ->lock; its text */
};

void crew_set_state(struct crew *c, uint32_t i, enum pull_state state)
{
	pthread_mutex_lock(&c->lock);
	c->task->jobs[i].state = state;
	c->n_changes++;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* Return: whether there was one. */
static bool take_job(struct crew *c, uint32_t *ret)
{
	bool taken = false;

	pthread_mutex_lock(&c->lock);
	if (!c->failed && c->next < c->task->n_jobs) {
		*ret = c->next++;
		taken = true;
	}
	pthread_mutex_unlock(&c->lock);
	return taken;
}

static void give_up(struct crew *c, int code, const struct err *err)
{
	pthread_mutex_lock(&c->lock);
	if (!c->failed) {
		c->failed = code;
		c->err = *err;
		if (c->task->cancel_fd >= 0)
			(void)eventfd_write(c->task->cancel_fd, 1);
	}
	pthread_mutex_unlock(&c->lock);
}

static void *work(void *arg)
{
	struct crew *c = arg;
	const struct crew_task *t = c->task;
	struct err err = ERR_INIT;
	void *line = NULL;
	uint32_t i;
	int r = t->line_new ? t->line_new(t->ctx, &line, &err) : 0;

	while (r >= 0 && take_job(c, &i))
		r = t->work(t->ctx, c, i, line, &err);
	if (r < 0)
		give_up(c, r, &err);
	if (t->line_free)
		t->line_free(t->ctx, line);
	pthread_mutex_lock(&c->lock);
	c->n_running--;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Called with crew->lock held, which the display does not need to know. */
static void show(struct crew *c)
{
	const struct crew_task *t = c->task;
	struct pull_status st = { t->name, t->doing, c->shown, t->n_jobs };

	for (uint32_t i = 0; i < t->n_jobs; i++) {
		struct crew_job *j = &t->jobs[i];

		c->shown[i] = (struct pull_layer){ j->digest, j->size,
			atomic_load_explicit(&j->done, memory_order_relaxed), j->state };
	}
	pthread_mutex_unlock(&c->lock);
	t->view->progress(t->view->ctx, &st);
	pthread_mutex_lock(&c->lock);
}

/* Until every thread has ended; draw now and then. */
static void watch(struct crew *c)
{
	const struct view *v = c->task->view;
	unsigned int seen = 0;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		bool ended = c->n_running == 0;
		struct timespec ts;

		if (v->progress && (v->tick_ms || c->n_changes != seen)) {
			seen = c->n_changes;
			show(c);
		}
		if (ended)
			break;
		if (c->n_running == 0 || (!v->tick_ms && v->progress && c->n_changes != seen))
			continue;
		if (!v->tick_ms) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += (long)v->tick_ms * 1000000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		(void)pthread_cond_timedwait(&c->changed, &c->lock, &ts);
	}
	pthread_mutex_unlock(&c->lock);
}

/* Return: 0 if at least one thread ran. */
static int run_threads(struct crew *c, struct err *err)
{
	unsigned int want = c->task->n_threads, n = 0;
	pthread_t threads[CREW_MAX_THREADS];

	if (want > CREW_MAX_THREADS)
		want = CREW_MAX_THREADS;
	if (want > c->task->n_jobs)
		want = c->task->n_jobs;
	pthread_mutex_lock(&c->lock);
	while (n < want && pthread_create(&threads[n], NULL, work, c) == 0)
		n++;
	c->n_running = n;
	pthread_mutex_unlock(&c->lock);
	if (n == 0 && want > 0)
		return err_say(err, -EAGAIN, "cannot start a thread");
	watch(c);
	for (unsigned int i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	return 0;
}

int crew_run(const struct crew_task *task, struct err *err)
{
	struct crew c = { .task = task, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_condattr_t attr;
	int r;

	c.shown = calloc(task->n_jobs + 1, sizeof(*c.shown));
	if (!c.shown)
		return err_set(err, -ENOMEM, "cannot move %u blobs", task->n_jobs);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c.changed, &attr);
	r = run_threads(&c, err);
	if (r == 0 && c.failed) {
		r = c.failed;
		if (err)
			*err = c.err;
	}
	pthread_cond_destroy(&c.changed);
	pthread_condattr_destroy(&attr);
	free(c.shown);
	return r;
}
