/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts with shifted ids (the contract is in the header). */
#include "runtime/idmount.h"

#include "base/cleanup.h"
#include "runtime/mnt.h"
#include "runtime/userns.h"

#include <fcntl.h>
#include <sys/mount.h>

static int copy_map(const struct idmap *from, struct idmap *to)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < from->n; i++)
		r = idmap_add(to, from->v[i].inside, from->v[i].outside, from->v[i].n);
	return r;
}

/* "0-1000-10", maybe with an '@' in front of all. */
static int add_range(char *text, const struct idmap *container, struct idmap *to)
{
	bool relative = text[0] == '@';
	uint64_t v[3] = { 0 };
	char *rest = text + relative;
	uint32_t outside;

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		const char *number = strsep(&rest, "-");

		if (!number || str_to_u64(number, LIMIT_SPEC_ID, &v[i]) < 0)
			return -EINVAL;
	}
	outside = (uint32_t)v[1];
	if (rest || (relative && !idmap_out(container, outside, &outside)))
		return -EINVAL;
	return idmap_add(to, (uint32_t)v[0], outside, (uint32_t)v[2]);
}

static int add_ranges(char *text, const struct idmap *container, struct idmap *to)
{
	char *range;
	int r = 0;

	while (r >= 0 && (range = strsep(&text, "#")))
		r = add_range(range, container, to);
	return r;
}

static int parse_words(
	const char *words, const struct spec *spec, struct idmap *uids, struct idmap *gids)
{
	auto_free char *copy = strdup(words);
	char *rest = copy, *word;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	while (r >= 0 && (word = strsep(&rest, ";"))) {
		if (str_starts(word, "uids="))
			r = add_ranges(word + strlen("uids="), &spec->uid_map, uids);
		else if (str_starts(word, "gids="))
			r = add_ranges(word + strlen("gids="), &spec->gid_map, gids);
		else
			r = -EINVAL;
	}
	return r;
}

int idmount_maps(const struct spec *spec, const struct spec_mount *m, const struct mountopt *mo,
	struct idmap *ret_uids, struct idmap *ret_gids, struct err *err)
{
	int r = 0;

	if (mo->idmap)
		r = parse_words(mo->idmap, spec, ret_uids, ret_gids);
	if (r == -EINVAL || r == -E2BIG)
		return err_say(err, r, "'idmap=%.128s' is no map of ids", mo->idmap);
	if (r >= 0 && ret_uids->n == 0)
		r = copy_map(m->uid_map.n > 0 ? &m->uid_map : &spec->uid_map, ret_uids);
	if (r >= 0 && ret_gids->n == 0)
		r = copy_map(m->gid_map.n > 0 ? &m->gid_map : &spec->gid_map, ret_gids);
	if (r < 0)
		return err_set(err, r, "cannot read the map of ids");
	return ret_uids->n > 0 && ret_gids->n > 0
		       ? 0
		       : err_say(err, -EINVAL,
				 "'idmap' without a map needs one in linux.uidMappings");
}

struct two_maps {
	struct idmap uids, gids;
};

static void two_maps_done(struct two_maps *m)
{
	idmap_done(&m->uids);
	idmap_done(&m->gids);
}

int idmount_open(const struct spec *spec, const struct spec_mount *m, const struct mountopt *mo,
	struct err *err)
{
	__attribute__((cleanup(two_maps_done))) struct two_maps maps = { 0 };
	const char *joined = spec->ns[SPEC_NS_USER].path;
	int r;

	if (!(mo->extra & MOUNTOPT_IDMAP) && m->uid_map.n == 0)
		return -ENOENT;
	/* A container's that is joined is the one. */
	if (joined && !mo->idmap && m->uid_map.n == 0) {
		r = open(joined, O_RDONLY | O_CLOEXEC);
		return r < 0 ? err_set(err, -errno, "cannot open '%s'", joined) : r;
	}
	r = idmount_maps(spec, m, mo, &maps.uids, &maps.gids, err);
	return r < 0 ? r : userns_open_new(&maps.uids, &maps.gids, err);
}

int idmount_apply(int mount_fd, int userns_fd, const struct spec_mount *m,
	const struct mountopt *mo, struct err *err)
{
	bool tree = (mo->extra & MOUNTOPT_IDMAP_REC) || !(mo->extra & MOUNTOPT_IDMAP);
	int r = mnt_shift_ids(mount_fd, userns_fd, tree && mo->flags & MS_REC ? AT_RECURSIVE : 0);

	if (r == -EPERM)
		return err_say(err, r,
			"only root of the user namespace that mounted '%s' can shift its ids",
			m->source);
	if (r == -EINVAL)
		return err_say(err, r, "the file system of '%s' cannot shift ids", m->source);
	return r < 0 ? err_set(err, r, "cannot shift the ids of '%s'", m->source) : 0;
}
