/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Read-only mappings of files that somebody may truncate
 *
 * A SIGBUS inside such a mapping does not kill the process: the page is replaced by zeros, and the
 * mapping is marked as broken.  Whoever reads it looks at the mark after the reading and before
 * believing what was read.
 *
 * Any thread.  Threads that read a mapping must not block SIGBUS.  The first mapping installs a
 * handler for SIGBUS; faults elsewhere go to whatever handler stood before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping_slot;

struct mapping {
	const uint8_t *data; /* NULL if len is 0 */
	size_t len;
	struct mapping_slot *slot;
};

/**
 * mapping_open() - map the first @len bytes of a file
 * @fd: open for reading, borrowed; may be closed afterwards
 * Return: 0; -ENOMEM; errors of mmap(2).
 */
int mapping_open(struct mapping *m, int fd, size_t len);

/** mapping_close() - unmap; no thread may be reading it.  A zeroed mapping is fine. */
void mapping_close(struct mapping *m);

/** mapping_is_broken() - a page of it vanished at some time */
bool mapping_is_broken(const struct mapping *m);
