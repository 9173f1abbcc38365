/* SPDX-License-Identifier: Apache-2.0 */
/* The volumes of a new container (the contract is in the header). */
#include "runtime/cli/run.h"

#include "base/cleanup.h"
#include "runtime/chowntree.h"
#include "runtime/control.h"
#include "runtime/inroot.h"
#include "runtime/volover.h"
#include "runtime/volstore.h"

#include <fcntl.h>

static int keep_volume(struct run *run, const char *name, bool own)
{
	struct ctropts *o = &run->b.c.opts;
	int r = strv_add(&o->volumes, name);

	return r == 0 && own ? strv_add(&o->own_volumes, name) : r;
}

/* Make it, fill it with what the image has in its place, and name its directory. */
static int make_volume(struct run *run, struct volume *v, struct err *err)
{
	const char *store = img_store_path(run->b.store);
	auto_free char *name = NULL;
	auto_fd data = -1, from = -1;
	bool own = !v->source;
	int r;

	r = volstore_create(run->b.c.store_fd, v->source, NULL,
		VOLSTORE_EXISTING | (own ? VOLSTORE_ANONYMOUS : 0), &name, err);
	if (r < 0)
		return r;
	if (keep_volume(run, name, own) < 0)
		return err_set(err, -ENOMEM, "volume '%s'", name);
	data = volstore_open(run->b.c.store_fd, name, err);
	if (data < 0)
		return data;
	if (!(v->flags & VOLUME_NO_COPY))
		from = inroot_open(run->b.root_mount, v->dest, O_RDONLY | O_DIRECTORY);
	if (from >= 0) {
		r = volstore_fill(data, from);
		if (r < 0)
			return err_set(err, r, "cannot fill volume '%s'", name);
	}
	free(v->source);
	v->source = str_format("%s/volumes/%s/_data", store, name);
	return v->source ? 0 : err_set(err, -ENOMEM, "volume '%s'", name);
}

static bool is_covered(const struct run_plan *p, const char *dest)
{
	for (size_t i = 0; i < p->n_volumes; i++)
		if (str_eq(p->volumes[i].dest, dest))
			return true;
	return false;
}

/* Room for @n more. */
static int reserve(struct run_plan *p, size_t n)
{
	struct volume *more = reallocarray(p->volumes, p->n_volumes + n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->volumes = more;
	return 0;
}

/* What the image declares to be data gets volumes of its own. */
static int add_image_volumes(struct run *run, struct err *err)
{
	const char *kind = run->opts->image_volume;
	struct run_plan *p = &run->plan;
	auto_strv paths = { 0 };
	int r;

	if (kind && str_eq(kind, "ignore"))
		return 0;
	if (spec_make_image_volumes(run->b.image_config, &paths) < 0 || reserve(p, paths.n) < 0)
		return err_set(err, -ENOMEM, "volumes of the image");
	for (size_t i = 0; i < paths.n; i++) {
		struct volume *v = &p->volumes[p->n_volumes];

		if (is_covered(p, paths.v[i]))
			continue;
		*v = (struct volume){ 0 };
		r = kind && str_eq(kind, "tmpfs") ? volume_parse_tmpfs(paths.v[i], v, err)
						  : volume_parse(paths.v[i], v, err);
		if (r < 0)
			return err_wrap(err, r, "volumes of the image");
		p->n_volumes++;
	}
	return 0;
}

/* What people asked to be mounted there: not the kernel's file systems, nor our own files. */
static bool is_volume_of(const struct spec_mount *mnt)
{
	return mnt->type && str_eq(mnt->type, "bind") && mnt->source && mnt->source[0] == '/' &&
	       !str_eq(mnt->source, mnt->destination);
}

static int copy_volume(struct run_plan *p, const struct spec_mount *mnt, bool read_only)
{
	struct volume *v = &p->volumes[p->n_volumes];
	int r = 0;

	*v = (struct volume){
		.type = VOLUME_BIND, .source = strdup(mnt->source), .dest = strdup(mnt->destination)
	};
	p->n_volumes++;
	for (size_t i = 0; r == 0 && i < mnt->options.n; i++)
		if (!read_only || !str_eq(mnt->options.v[i], "rw"))
			r = strv_add(&v->options, mnt->options.v[i]);
	if (r == 0 && read_only && !strv_has(&v->options, "ro"))
		r = strv_add(&v->options, "ro");
	v->read_only = strv_has(&v->options, "ro");
	return v->source && v->dest ? r : -ENOMEM;
}

/* "CONTAINER[:ro|rw|z]": the mounts of another container, where this one has none of its own. */
static int add_volumes_of(struct run *run, const char *text, struct err *err)
{
	const struct control ctl = { .store_fd = run->b.c.store_fd, .rundir_fd = -1 };
	auto_free char *name = strndup(text, strcspn(text, ":"));
	const char *mode = text[strcspn(text, ":")] ? text + strcspn(text, ":") + 1 : "rw";
	auto_control_ctr other = { 0 };
	auto_spec *spec = NULL;
	int r;

	if (!name)
		return err_set(err, -ENOMEM, "--volumes-from");
	if (!str_eq(mode, "ro") && !str_eq(mode, "rw") && !str_eq(mode, "z"))
		return err_say(err, -EINVAL, "--volumes-from '%.64s': ro, rw or z", text);
	r = control_open(&ctl, name, &other, err);
	if (r >= 0)
		r = control_spec(&ctl, other.record.id, &spec, err);
	if (r < 0)
		return err_wrap(err, r, "--volumes-from");
	if (reserve(&run->plan, spec->n_mounts) < 0)
		return err_set(err, -ENOMEM, "--volumes-from");
	for (size_t i = 0; r >= 0 && i < spec->n_mounts; i++)
		if (is_volume_of(&spec->mounts[i]) &&
			!is_covered(&run->plan, spec->mounts[i].destination))
			r = copy_volume(&run->plan, &spec->mounts[i], str_eq(mode, "ro"));
	for (size_t i = 0; r >= 0 && i < other.opts.volumes.n; i++)
		r = keep_volume(run, other.opts.volumes.v[i], false);
	return r < 0 ? err_set(err, r, "--volumes-from") : 0;
}

int run_make_volumes(struct run *run, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < run->opts->volumes_from.n; i++)
		r = add_volumes_of(run, run->opts->volumes_from.v[i], err);
	if (r >= 0 && !run->opts->rootfs)
		r = add_image_volumes(run, err);

	for (size_t i = 0; r >= 0 && i < run->plan.n_volumes; i++)
		if (run->plan.volumes[i].type == VOLUME_NAMED)
			r = make_volume(run, &run->plan.volumes[i], err);
	return r < 0 ? rootproc_explain(&run->b.c.root, r, err) : 0;
}

/* Directories that belong to more than a container. */
static bool is_precious(const char *path)
{
	static const char *const precious[] = { "/", "/bin", "/boot", "/dev", "/etc", "/home",
		"/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin",
		"/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/tmp" };
	const char *home = getenv("HOME");

	for (size_t i = 0; i < ARRAY_SIZE(precious); i++)
		if (str_eq(path, precious[i]))
			return true;
	return home && str_eq(path, home);
}

static int give_volume(
	const struct run *run, const struct volume *v, uint32_t uid, uint32_t gid, struct err *err)
{
	auto_fd fd = open(v->source, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (is_precious(v->source))
		return err_say(err, -EPERM, "volume '%s': 'U' would give it away", v->source);
	if (!idmap_out(&run->b.uids, uid, &uid) || !idmap_out(&run->b.gids, gid, &gid))
		return err_say(
			err, -EINVAL, "volume '%s': user %u has no number outside", v->source, uid);
	r = fd < 0 ? -errno : chowntree(fd, uid, gid);
	return r < 0 ? err_set(err, r, "volume '%s': cannot give it to the container's user",
			       v->source)
		     : 0;
}

static int lay_over(struct run *run, struct volume *v, struct err *err)
{
	struct strv *overlays = &run->b.c.opts.overlays;
	char *path = volover_path(img_store_path(run->b.store), run->b.c.dir.id, overlays->n);

	if (overlays->n == LIMIT_VOLOVER) {
		free(path);
		return err_say(err, -E2BIG, "more than %d volumes with 'O'", LIMIT_VOLOVER);
	}
	if (!path || strv_add(overlays, v->source) < 0) {
		free(path);
		return err_set(err, -ENOMEM, "volumes");
	}
	free(v->source);
	v->source = path;
	return 0;
}

int run_prepare_volumes(struct run *run, uint32_t uid, uint32_t gid, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < run->plan.n_volumes; i++) {
		struct volume *v = &run->plan.volumes[i];

		if (v->flags & VOLUME_CHOWN && v->source)
			r = give_volume(run, v, uid, gid, err);
		if (r >= 0 && v->flags & VOLUME_OVERLAY)
			r = lay_over(run, v, err);
	}
	return r;
}
