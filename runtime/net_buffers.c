/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for libslirp (the contract is in the header)
 *
 *      g_malloc(128 KiB …) ◀── warm: freed lately, pages and all
 *                          ◀── cold: freed, without pages
 *                          ◀── never used
 *
 * Globals: these functions are called by a library that passes no context.
 *
 * Invariants: - a slot but 0 is in use, or in one of the two stacks, or at or above n_begun
 *             - free slots keep at most WARM_SLOTS * SLOT_BYTES of memory
 * Failure:    without slots malloc() gives the memory; without memory the process ends, which GLib
 *             promises its callers
 */
#include "runtime/net_buffers.h"

#include "base/cleanup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* libslirp's 128 KiB, rounded up to a multiple of a segment */
#define SLOT_MIN   ((size_t)128 << 10)
#define SLOT_BYTES ((size_t)192 << 10)
/* Two for each connection that a network may have */
#define SLOTS	   ((size_t)32768)
#define WARM_SLOTS ((size_t)32)

static struct {
	uint8_t *base; /* NULL: malloc() alone */
	size_t n_begun;
	uint16_t warm[WARM_SLOTS];
	size_t n_warm;
	uint16_t *cold; /* SLOTS of them, behind the slots */
	size_t n_cold;
	struct net_buffers_pair newest; /* the last one is b */
} slots;
_Static_assert(SLOTS <= UINT16_MAX + 1, "slots have numbers of 16 bits");

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ /* gcc's word for it */
#endif
#endif

void net_buffers_reserve(void)
{
#ifndef __SANITIZE_ADDRESS__
	const size_t len = SLOTS * (SLOT_BYTES + sizeof(*slots.cold));
	uint8_t *p;

	if (slots.base)
		return;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		0);
	if (p == MAP_FAILED)
		return;
	/* A byte would bring 2 MiB. */
	(void)madvise(p, len, MADV_NOHUGEPAGE);
	slots.base = p;
	slots.cold = (uint16_t *)(p + SLOTS * SLOT_BYTES);
	slots.n_begun = 1; /* 0 stands for none */
#endif
}

static bool is_slot(const void *p)
{
	return slots.base && (const uint8_t *)p >= slots.base &&
	       (const uint8_t *)p < slots.base + SLOTS * SLOT_BYTES;
}

static void *slot_get(void)
{
	size_t i;

	if (slots.n_warm > 0)
		i = slots.warm[--slots.n_warm];
	else if (slots.n_cold > 0)
		i = slots.cold[--slots.n_cold];
	else if (slots.n_begun < SLOTS)
		i = slots.n_begun++;
	else
		return NULL;
	slots.newest = (struct net_buffers_pair){ slots.newest.b, (uint16_t)i };
	return slots.base + i * SLOT_BYTES;
}

static void slot_drop_pages(uint16_t i)
{
	(void)madvise(slots.base + i * SLOT_BYTES, SLOT_BYTES, MADV_DONTNEED);
}

static void slot_put(void *p)
{
	uint16_t i = (uint16_t)((size_t)((uint8_t *)p - slots.base) / SLOT_BYTES);

	if (slots.n_warm < WARM_SLOTS) {
		slots.warm[slots.n_warm++] = i;
		return;
	}
	slot_drop_pages(i);
	slots.cold[slots.n_cold++] = i;
}

struct net_buffers_pair net_buffers_newest(void)
{
	struct net_buffers_pair pair = slots.newest;

	slots.newest = (struct net_buffers_pair){ 0 };
	return pair.a ? pair : slots.newest;
}

void net_buffers_trim(struct net_buffers_pair pair)
{
	if (!pair.a || !pair.b)
		return;
	slot_drop_pages(pair.a);
	slot_drop_pages(pair.b);
}

/* "  TCP[STATE] FD ADDR PORT ADDR PORT BYTES BYTES": the last two are those in the buffers. */
static bool is_empty_tcp(const char *line, size_t len, int *ret_fd)
{
	static const char head[] = "  TCP[", tail[] = " 0     0";
	const char *state;
	char *end;
	long fd;

	if (len < strlen(head) + strlen(tail) || strncmp(line, head, strlen(head)) != 0 ||
		strncmp(line + len - strlen(tail), tail, strlen(tail)) != 0)
		return false;
	state = memchr(line, ']', len);
	if (!state)
		return false;
	fd = strtol(state + 1, &end, 10);
	if (end == state + 1 || fd < 0 || fd > INT_MAX)
		return false;
	*ret_fd = (int)fd;
	return true;
}

const char *net_buffers_next_empty(const char *text, int *ret_fd)
{
	const char *end;

	for (; (end = strchr(text, '\n')); text = end + 1)
		if (is_empty_tcp(text, (size_t)(end - text), ret_fd))
			return end + 1;
	return NULL;
}

void *g_malloc(size_t size)
{
	void *p = NULL;

	if (size == 0)
		return NULL;
	if (slots.base && size >= SLOT_MIN && size <= SLOT_BYTES)
		p = slot_get();
	if (!p)
		p = malloc(size);
	if (!p)
		abort();
	return p;
}

void g_free(void *p)
{
	if (is_slot(p))
		slot_put(p);
	else
		free(p);
}

void *g_realloc(void *p, size_t size)
{
	void *q;

	if (!p)
		return g_malloc(size);
	if (size == 0) {
		g_free(p);
		return NULL;
	}
	if (!is_slot(p)) {
		q = realloc(p, size);
		if (!q)
			abort();
		return q;
	}
	if (size <= SLOT_BYTES)
		return p;
	/* No libslirp lets a buffer grow so.  The slot is lost: its connection may yet trim it. */
	q = malloc(size);
	if (!q)
		abort();
	return memcpy(q, p, SLOT_BYTES);
}
