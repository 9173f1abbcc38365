/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From the name in a tar to the path in a layer's index: cleaned, and whiteouts recognised.  Pure.
 */

#include "base/str.h"
#include "overlay/whiteout.h"

/**
 * layer_path_clean() - drop leading, double and trailing slashes and "." components
 * @out: gets the path; "" is the root
 * Return: 0; -EBADMSG with @ret_why for "..", an empty name, or one above the limits; -ENOMEM.
 */
int layer_path_clean(const char *raw, size_t len, struct buf *out, const char **ret_why);

/**
 * layer_name_quote() - for messages: quoted as str_quote() does, the middle of long names left out
 * Return: a string owned by the caller; NULL if out of memory.
 */
char *layer_name_quote(const char *name, size_t len);

/**
 * layer_name_read() - what a member's name means
 * @out: gets the cleaned path of the entry, of what a whiteout hides, or of the directory that an
 *       opaque mark is about
 *
 * Return: an enum wh_kind; else as layer_path_clean(), also for whiteouts of "", "." and "..", and
 * for names below one.
 */
int layer_name_read(const char *raw, size_t len, struct buf *out, const char **ret_why);
