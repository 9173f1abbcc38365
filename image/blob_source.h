/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The two ends of a stage: bytes of a file, and the check that bytes are what a descriptor says
 */

#include "image/digest.h"
#include "image/source.h"

#include <stdatomic.h>

/**
 * source_file_new_take_fd() - the content of a file from its current offset
 * @fd: open for reading, consumed, also on failure
 */
int source_file_new_take_fd(struct source **ret, int fd, struct err *err);

/**
 * source_check_new() - pass bytes on, and refuse their end if digest or size differ
 * @below:    consumed, also on failure; read to its end, but never further than @size + 1 bytes
 * @progress: grows by the bytes that pass, or NULL; borrowed until source_close()
 *
 * Too many bytes are -EBADMSG as soon as they come; too few, or another digest, at the end.  So a
 * reader must not believe anything before it has seen the end.
 */
int source_check_new(struct source **ret, struct source *below, const struct idx_digest *digest,
	uint64_t size, _Atomic uint64_t *progress, struct err *err);

/**
 * source_check_rest() - is a blob whose content made no sense the one that was promised?
 * @s: from source_check_new(); read to its end
 *
 * Return: 0 if it is, or if @s has said already that it is not; else the error that explains it.
 */
int source_check_rest(struct source *s, struct err *err);

/**
 * source_read_all() - everything, into memory
 * Return: 0 with @ret owned by the caller and NUL-terminated; -EFBIG above @max; errors of @s.
 */
int source_read_all(struct source *s, size_t max, char **ret, size_t *ret_len, struct err *err);
