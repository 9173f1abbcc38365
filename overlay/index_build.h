/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Writes an index file from rows: layout, padding, checksums
 *
 * Rows are collected in memory, a buffer for each section, and written in one go, front to back.
 * What the rows say is the caller's business; doc/on-disk.md says what it has to be.
 */

#include "base/err.h"
#include "overlay/index.h"

#include <stddef.h>
#include <stdint.h>

struct idx_build;

/** idx_build_new() - @kind decides which sections idx_build_write() lays out */
int idx_build_new(struct idx_build **ret, enum idx_kind kind);
void idx_build_free(struct idx_build *b);

/**
 * idx_build_add() - append rows or bytes to a section
 * @ret_off: offset of the first byte in the section; may be NULL
 * Return: 0; -EFBIG above the section's limit; -ENOMEM.
 */
int idx_build_add(struct idx_build *b, enum idx_section_id s, const void *data, size_t len,
	uint64_t *ret_off);

/** idx_build_reserve() - make room for @len more bytes, so that adding them cannot fail for memory
 */
int idx_build_reserve(struct idx_build *b, enum idx_section_id s, size_t len);

/** idx_build_bytes() - what a section holds so far; borrowed until the next addition to it */
void *idx_build_bytes(struct idx_build *b, enum idx_section_id s, size_t *ret_len);

/**
 * idx_build_xattrs() - add a set of attributes, or find one that has the same bytes
 * @v:       sorted in place by name
 * @ret_off: for the row; 0 if @n is 0
 *
 * Return: 0; -EINVAL for a name that is empty, holds a NUL or occurs twice; -E2BIG above a limit of
 * doc/on-disk.md; -EFBIG; -ENOMEM.
 */
int idx_build_xattrs(struct idx_build *b, struct idx_xattr *v, size_t n, uint32_t *ret_off);

/**
 * idx_build_write() - write the file
 * @id:       diff id or chain id
 * @tar_size: of a layer; 0 for an image
 * @fd:       at offset 0 of an empty file; borrowed, not synced
 */
int idx_build_write(struct idx_build *b, const struct idx_digest *id, uint64_t tar_size, int fd,
	struct err *err);
