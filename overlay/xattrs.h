/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Names of extended attributes: which are ours, how a client's own are kept apart.  Pure.
 *
 * Specification: doc/on-disk.md, "Dialects".
 */

#include <stdbool.h>
#include <stddef.h>

#define XA_OPAQUE   "user.overlay.opaque"
#define XA_REDIRECT "user.overlay.redirect"
#define XA_METACOPY "user.overlay.metacopy"
#define XA_ORIGIN   "user.overlay.lamina.origin"
#define XA_NAMES    "user.overlay.lamina.names"
#define XA_OVERRIDE "user.containers.override_stat"

#define XATTR_NAME_BYTES 256 /* XATTR_NAME_MAX and a NUL */

/**
 * xattr_is_private() - would an overlay filesystem act upon it?
 *
 * True for user.overlay.*, trusted.overlay.*, user.fuseoverlayfs.* and
 * user.containers.override_*: layers do not bring them in.
 */
bool xattr_is_private(const char *name, size_t len);

/**
 * xattr_to_upper() - the name under which a client's attribute is kept
 * Return: 0; -EPERM if clients cannot have it; -ERANGE if the kept name is too long.
 */
int xattr_to_upper(const char *name, char ret[XATTR_NAME_BYTES]);

/**
 * xattr_from_upper() - the name under which a kept attribute is shown
 * Return: false if it is ours and hidden.
 */
bool xattr_from_upper(const char *name, char ret[XATTR_NAME_BYTES]);
