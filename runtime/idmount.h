/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Mounts that show the owners of files shifted: "idmap", "ridmap", uidMappings and gidMappings
 *
 *      id on the file system ──map's inside──▶ outside: id of the caller's user namespace
 *
 * Without a map of the mount's own it is that of the container: what root owns on the file system,
 * the container's root owns in the container.
 */

#include "base/err.h"
#include "runtime/mountopt.h"
#include "runtime/spec.h"

/**
 * idmount_maps() - by which maps the owners of a mount's files are shifted
 * @m, @mo: one of both asks for it
 * @ret_uids, @ret_gids: empty at first; ended with idmap_done()
 *
 * Words after "idmap=" are as crun has them: "uids=0-1000-10#20-2000-5;gids=@0-0-10", each range
 * inside, outside, length; behind an '@' the outside is an id of the container.  What is not given
 * is the container's own map.  Pure.
 *
 * Return: 0; -EINVAL for words that cannot be understood, or if the container has no map.
 */
int idmount_maps(const struct spec *spec, const struct spec_mount *m, const struct mountopt *mo,
	struct idmap *ret_uids, struct idmap *ret_gids, struct err *err);

/**
 * idmount_open() - the user namespace that a mount's ids are shifted by
 * In the caller's pid namespace, which /proc shows.
 *
 * Return: its fd, owned by the caller; -ENOENT if neither @m nor @mo asks for one; a negative errno
 * with a text.
 */
int idmount_open(const struct spec *spec, const struct spec_mount *m, const struct mountopt *mo,
	struct err *err);

/** idmount_apply() - shift the ids of a detached mount, which was never attached */
int idmount_apply(int mount_fd, int userns_fd, const struct spec_mount *m,
	const struct mountopt *mo, struct err *err);
