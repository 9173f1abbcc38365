/* SPDX-License-Identifier: Apache-2.0 */
/* Large READs (the contract is in the header). */
#include "overlay/fuse_splice.h"

#include "base/cleanup.h"
#include "overlay/ops.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>

/*
 * Below, a copy is cheaper than two more system calls; above, a pipe's pages do not suffice.  The
 * kernel asks for 128 KiB, and for 256 KiB where a reader said that it reads in sequence.
 */
#define MIN_BYTES  16384
#define MAX_BYTES  (PIPE_BYTES - 3 * 4096) /* the header, and bytes that begin inside of a page */
#define PIPE_BYTES 524288

/* A pipe for each thread, kept. */
struct splice_pipe {
	int rd, wr; /* -1: not open */
};

static pthread_key_t pipe_key;
static pthread_once_t pipe_once = PTHREAD_ONCE_INIT;

static void close_pipe(struct splice_pipe *p)
{
	if (p->rd >= 0) {
		(void)close(p->rd);
		(void)close(p->wr);
	}
	p->rd = p->wr = -1;
}

static void free_pipe(void *arg)
{
	close_pipe(arg);
	free(arg);
}

static void make_pipe_key(void)
{
	(void)pthread_key_create(&pipe_key, free_pipe);
}

/* NULL if there is none to be had. */
static struct splice_pipe *open_pipe(void)
{
	struct splice_pipe *p;
	int pair[2];

	pthread_once(&pipe_once, make_pipe_key);
	p = pthread_getspecific(pipe_key);
	if (!p) {
		p = malloc(sizeof(*p));
		if (!p)
			return NULL;
		p->rd = p->wr = -1;
		if (pthread_setspecific(pipe_key, p) != 0) {
			free(p);
			return NULL;
		}
	}
	if (p->rd >= 0)
		return p;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return NULL;
	p->rd = pair[0];
	p->wr = pair[1];
	if (fcntl(p->wr, F_SETPIPE_SZ, PIPE_BYTES) < PIPE_BYTES) {
		close_pipe(p);
		return NULL;
	}
	return p;
}

static bool fill_pipe(const struct splice_pipe *p, const struct fuse_out_header *head,
	const struct ovl_source *src)
{
	size_t len = src->len;
	off_t pos = src->pos;

	if (write(p->wr, head, sizeof(*head)) != sizeof(*head))
		return false;
	while (len > 0) {
		ssize_t n = splice(src->fd, &pos, p->wr, NULL, len, SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		len -= (size_t)n;
	}
	return true;
}

bool fuse_splice_serve(const struct fuse_adapter *a, int fd, const void *request, size_t len)
{
	const struct fuse_in_header *in = request;
	const struct fuse_read_in *arg = (const void *)(in + 1);
	struct fuse_out_header head;
	struct splice_pipe *p;
	struct ovl_source src;
	bool done;

	if (len < sizeof(*in) + sizeof(*arg) || in->opcode != FUSE_READ || arg->size < MIN_BYTES ||
		arg->size > MAX_BYTES)
		return false;
	p = open_pipe();
	if (!p || ovl_source(a->fs, in->nodeid, (off_t)arg->offset, arg->size, &src) <= 0)
		return false;
	head = (struct fuse_out_header){ .len = (uint32_t)(sizeof(head) + src.len),
		.unique = in->unique };
	done = fill_pipe(p, &head, &src) &&
	       splice(p->rd, NULL, fd, NULL, head.len, 0) == (ssize_t)head.len;
	ovl_source_done(a->fs, &src);
	if (!done)
		close_pipe(p); /* with what is left in it */
	return done;
}
