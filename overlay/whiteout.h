/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How layers spell deletions: names that begin with ".wh."
 *
 * Pure: no I/O, no allocation, any thread.
 */

#include <stddef.h>

enum wh_kind {
	WH_NONE, /* an ordinary name */
	WH_DELETED, /* ".wh.NAME": NAME of the layers below is hidden */
	WH_OPAQUE, /* ".wh..wh..opq": all that lower layers have in this directory is hidden */
	WH_META, /* any other ".wh..wh.*": bookkeeping of aufs, to be skipped */
	WH_MAX_
};

/**
 * wh_from_tar_name() - what an archive member's name says about the layers below
 * @name:       one component, borrowed, not terminated
 * @ret_target: on WH_DELETED, the name that is hidden, pointing into @name up to its end; else NULL
 *
 * Return: an enum wh_kind; -EINVAL if the name would hide "", "." or "..".  *@ret_target is always
 * set.
 * Spec: OCI image-spec, layer.md, "Whiteouts" and "Opaque Whiteout".
 */
int wh_from_tar_name(const char *name, size_t len, const char **ret_target);
