/* SPDX-License-Identifier: Apache-2.0 */
/* SEEK_DATA and SEEK_HOLE with a writeback cache (how it works is said in the header). */
#include "overlay/fuse_seek.h"

#include "base/cleanup.h"
#include "overlay/ops.h"

#include <pthread.h>
#include <time.h>

#define END_TIMEOUT_S 5

struct seek_request {
	struct seek_request *next;
	fuse_req_t req;
	fuse_ino_t ino;
	off_t off;
	int whence;
};

struct fuse_seek {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct seek_request *first, **last; /* lock */
	bool ends; /* lock */
};

static void answer(const struct seek_request *q)
{
	const struct fuse_adapter *a = fuse_req_userdata(q->req);
	off_t r;

	(void)fuse_lowlevel_notify_inval_inode(a->se, q->ino, 0, 0);
	ovl_begin(a->fs);
	r = ovl_lseek(a->fs, q->ino, q->off, q->whence);
	ovl_end(a->fs);
	if (r < 0)
		(void)fuse_reply_err(q->req, r == -EBADMSG ? EIO : (int)-r);
	else
		(void)fuse_reply_lseek(q->req, r);
}

static struct seek_request *wait_for_one(struct fuse_seek *s)
{
	struct seek_request *q;

	pthread_mutex_lock(&s->lock);
	while (!s->first && !s->ends)
		pthread_cond_wait(&s->changed, &s->lock);
	q = s->first;
	if (q)
		s->first = q->next;
	if (!s->first)
		s->last = &s->first;
	pthread_mutex_unlock(&s->lock);
	return q;
}

static void *seek_main(void *arg)
{
	struct fuse_seek *s = arg;
	struct seek_request *q;

	while ((q = wait_for_one(s))) {
		answer(q);
		free(q);
	}
	return NULL;
}

struct fuse_seek *fuse_seek_new(void)
{
	struct fuse_seek *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->last = &s->first;
	if (pthread_create(&s->thread, NULL, seek_main, s) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

int fuse_seek_free(struct fuse_seek *s)
{
	struct timespec end;

	if (!s)
		return 0;
	pthread_mutex_lock(&s->lock);
	s->ends = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += END_TIMEOUT_S;
	if (pthread_timedjoin_np(s->thread, NULL, &end) != 0)
		return -EBUSY;
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return 0;
}

void fuse_seek_request(struct fuse_seek *s, fuse_req_t req, fuse_ino_t ino, off_t off, int whence)
{
	struct seek_request *q = calloc(1, sizeof(*q));

	if (!q) {
		(void)fuse_reply_err(req, ENOMEM);
		return;
	}
	*q = (struct seek_request){ .req = req, .ino = ino, .off = off, .whence = whence };
	pthread_mutex_lock(&s->lock);
	*s->last = q;
	s->last = &q->next;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}
