/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A layer's tar, made anew byte for byte from its files and what tar-split noted of it
 *
 *      {"type":2,"payload":BASE64}           bytes of the tar: headers, padding, the end
 *      {"type":1,"name":NAME,"size":N}       here stand the N bytes of a file
 *
 * One record a line.  Names are looked up beneath the directory as if it were the root.
 * Spec: the storage format of github.com/vbatts/tar-split.
 */

#include "image/source.h"

#define LIMIT_TAR_SPLIT_RECORD (16U << 20) /* bytes of a line */

/**
 * source_tar_split_new_take() - the tar
 * @records: the lines, unpacked; consumed, also on failure
 * @dirfd:   the layer's files; consumed, also on failure
 *
 * next(): -EBADMSG for records that make no sense, and for a file that is missing, short, or no
 * regular file.  Other changes show in the digest alone.
 */
int source_tar_split_new_take(
	struct source **ret, struct source *records, int dirfd, struct err *err);
