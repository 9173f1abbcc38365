/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SIGBUS guard: a registry of mappings that a signal handler can search
 *
 *      first chunk -> chunk -> chunk …      each an array of slots { start, len, broken }
 *
 * Chunks are only ever added, so the handler walks them without a lock.  A slot is published by
 * storing start last, and withdrawn by clearing it and then raising gen; so start and len belong
 * together if gen is the same before and after they were read.
 *
 * The registry and the handler are state of the process, because signals are.
 */
#include "overlay/mapping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_SLOTS 64

struct mapping_slot {
	atomic_bool used;
	atomic_bool broken;
	atomic_uint gen; /* mappings that this slot has had */
	_Atomic uintptr_t start; /* 0: nothing is mapped */
	_Atomic size_t len;
};

struct chunk {
	struct mapping_slot slots[CHUNK_SLOTS];
	struct chunk *_Atomic next;
};

static struct chunk first_chunk;
static pthread_once_t install_once = PTHREAD_ONCE_INIT;
static struct sigaction old_action;
static uintptr_t page_bytes;

static struct mapping_slot *find_slot(uintptr_t addr)
{
	for (struct chunk *c = &first_chunk; c; c = atomic_load(&c->next))
		for (size_t i = 0; i < CHUNK_SLOTS; i++) {
			struct mapping_slot *s = &c->slots[i];
			unsigned int gen = atomic_load(&s->gen);
			uintptr_t start = atomic_load(&s->start);
			size_t len = atomic_load(&s->len);

			if (start && addr >= start && addr - start < len &&
				atomic_load(&s->gen) == gen)
				return s;
		}
	return NULL;
}

/* Only what is safe in a signal handler: atomics and one system call. */
static bool cover_page(uintptr_t addr)
{
	struct mapping_slot *s = find_slot(addr);
	void *page = (void *)(addr & ~(page_bytes - 1));

	if (!s)
		return false;
	atomic_store(&s->broken, true);
	return mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       page;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	if (cover_page((uintptr_t)info->si_addr)) {
		errno = saved;
		return;
	}
	if (old_action.sa_flags & SA_SIGINFO) {
		old_action.sa_sigaction(sig, info, context);
	} else if (old_action.sa_handler != SIG_DFL && old_action.sa_handler != SIG_IGN) {
		old_action.sa_handler(sig);
	} else {
		/* The access is tried again and ends the process as if nobody had listened. */
		(void)signal(SIGBUS, SIG_DFL);
	}
	errno = saved;
}

static void install(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };

	page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGBUS, &sa, &old_action);
}

/* A slot that nobody uses, ours from now on; NULL if out of memory. */
static struct mapping_slot *claim_slot(void)
{
	struct chunk *c = &first_chunk;

	for (;;) {
		struct chunk *next, *expected = NULL;

		for (size_t i = 0; i < CHUNK_SLOTS; i++)
			if (!atomic_exchange(&c->slots[i].used, true))
				return &c->slots[i];
		next = atomic_load(&c->next);
		if (!next) {
			next = calloc(1, sizeof(*next));
			if (!next)
				return NULL;
			if (!atomic_compare_exchange_strong(&c->next, &expected, next)) {
				free(next);
				next = expected;
			}
		}
		c = next;
	}
}

int mapping_open(struct mapping *m, int fd, size_t len)
{
	struct mapping_slot *s;
	void *data;

	*m = (struct mapping){ 0 };
	if (len == 0)
		return 0;
	(void)pthread_once(&install_once, install);
	s = claim_slot();
	if (!s)
		return -ENOMEM;
	data = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		int r = -errno;

		atomic_store(&s->used, false);
		return r;
	}
	atomic_store(&s->broken, false);
	atomic_store(&s->len, len);
	atomic_store(&s->start, (uintptr_t)data);
	*m = (struct mapping){ .data = data, .len = len, .slot = s };
	return 0;
}

void mapping_close(struct mapping *m)
{
	if (!m->data)
		return;
	atomic_store(&m->slot->start, 0);
	atomic_fetch_add(&m->slot->gen, 1);
	(void)munmap((void *)m->data, m->len);
	atomic_store(&m->slot->used, false);
	*m = (struct mapping){ 0 };
}

bool mapping_is_broken(const struct mapping *m)
{
	return m->slot && atomic_load(&m->slot->broken);
}
