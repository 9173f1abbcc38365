/* SPDX-License-Identifier: Apache-2.0 */
/* Starting containers (the contract is in the header). */
#include "runtime/cli/boot.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/control.h"
#include "runtime/etcfiles.h"
#include "runtime/mnt.h"
#include "runtime/nsshare.h"
#include "runtime/usernsauto.h"
#include "runtime/volover.h"

#include <fcntl.h>
#include <sys/stat.h>

void boot_init(struct boot *b)
{
	memset(b, 0, offsetof(struct boot, c));
	b->img.lease_fd = b->root_mount = -1;
	network_init(&b->network);
	b->uids = b->gids = (struct idmap){ 0 };
	memset(b->ns_paths, 0, sizeof(b->ns_paths));
	ctr_init(&b->c);
}

int boot_image(struct boot *b, const char *name, struct err *err)
{
	int r;

	r = img_resolve(b->store, name, &b->img, err);
	if (r == -ENOENT)
		err_hint(err, r, "lamina pull %s", name);
	return r < 0 ? r
		     : json_parse(b->img.config_json, b->img.config_len, "image config",
			       &b->image_config, err);
}

void boot_drop_image(struct boot *b)
{
	json_decref(b->image_config);
	b->image_config = NULL;
	img_done(&b->img);
	b->img = (struct img){ .lease_fd = -1 };
}

int boot_open(struct boot *b, const char *id, struct err *err)
{
	const char *image;
	int r;

	r = ctr_open(&b->c, img_store_path(b->store), id, err);
	if (r < 0)
		return r;
	image = b->c.record.image_id;
	if (image && strchr(image, ':'))
		image = strchr(image, ':') + 1;
	if (!b->c.opts.rootfs && !image)
		return err_say(err, -ENOENT, "nothing says which image it is of");
	if (!b->c.opts.rootfs && boot_image(b, image, err) < 0) {
		err_say(err, -ENOENT, "its image '%s' was removed", b->c.record.image);
		return err_hint(err, -ENOENT, "lamina pull %s", b->c.record.image);
	}
	return 0;
}

/* ---- root ---- */

/* The upper lies in the container's directory, so it goes with the container. */
static int open_upper(const struct ctr_dir *d, struct err *err)
{
	int fd = at_mkdir_p(d->fd, "root", 0700);
	int ret;

	if (fd < 0)
		return err_set(err, fd, "cannot make the container's upper directory");
	ret = at_reopen(fd, O_RDONLY | O_DIRECTORY);
	(void)close(fd);
	return ret < 0 ? err_set(err, ret, "cannot open the container's upper directory") : ret;
}

/* The user namespace is the other container's, so its map is. */
static int copy_maps(struct boot *b, const char *id, struct err *err)
{
	const struct control ctl = { .store_fd = b->c.store_fd, .rundir_fd = -1 };
	const struct usernsmode plain = { .kind = USERNSMODE_DEFAULT };
	auto_spec *spec = NULL;
	int r = control_spec(&ctl, id, &spec, err);

	if (r < 0)
		return r;
	if (spec->uid_map.n == 0)
		return err_say(err, -EINVAL, "container '%.12s' shares its users itself", id);
	r = usernsmode_map(&plain, &spec->uid_map, 0, &b->uids);
	if (r >= 0)
		r = usernsmode_map(&plain, &spec->gid_map, 0, &b->gids);
	return r < 0 ? err_set(err, r, "cannot read the ids of container '%.12s'", id) : 0;
}

static uint32_t count_ids(const struct idmap *m)
{
	uint32_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->v[i].n;
	return n;
}

static int choose_auto(struct boot *b, struct usernsmode *mode, const struct idmap *uids,
	const struct idmap *gids, struct err *err)
{
	uint32_t n_uids = count_ids(uids), n_gids = count_ids(gids);

	if (mode->kind != USERNSMODE_AUTO || mode->base != 0)
		return 0;
	if (n_uids < 2 || n_gids < 2)
		return -ERANGE;
	return usernsauto_take(b->c.store_fd, b->c.dir.fd, mode, n_uids < n_gids ? n_uids : n_gids,
		&b->c.opts, err);
}

static int map_own_ids(struct boot *b, struct usernsmode *mode, struct err *err)
{
	struct idmap uids = { 0 }, gids = { 0 };
	int r;

	r = userns_own_ids(&uids, &gids);
	if (r < 0)
		err_set(err, r, "cannot read the ids of this user namespace");
	if (r >= 0)
		r = choose_auto(b, mode, &uids, &gids, err);
	if (r >= 0)
		r = usernsmode_map(mode, &uids, mode->uid, &b->uids);
	if (r >= 0)
		r = usernsmode_map(mode, &gids, mode->gid, &b->gids);
	if (r == -ERANGE && (mode->kind != USERNSMODE_AUTO || count_ids(&uids) < 2)) {
		err_say(err, r, "--userns %s needs subordinate ids", b->c.opts.userns);
		err_hint(err, r,
			"run 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
			"USER' as root");
	}
	idmap_done(&uids);
	idmap_done(&gids);
	return r;
}

static int map_ids(struct boot *b, struct err *err)
{
	struct usernsmode mode;
	int r = usernsmode_parse(b->c.opts.userns, 0, 0, &mode, err);

	if (r < 0)
		return r;
	return mode.kind == USERNSMODE_CONTAINER ? copy_maps(b, mode.target, err)
						 : map_own_ids(b, &mode, err);
}

int boot_root(struct boot *b, struct err *err)
{
	struct container *c = &b->c;
	auto_fd upper = -1;
	const int not_kept[] = { c->dir.lock_fd };
	struct rootproc_opts opts = { .store = b->store,
		.img = &b->img,
		.close_fds = not_kept,
		.n_close_fds = ARRAY_SIZE(not_kept),
		.uids = &b->uids,
		.gids = &b->gids,
		.throw_away = c->record.auto_remove };
	int r = map_ids(b, err);

	if (r < 0)
		return r;
	if (c->opts.rootfs) {
		b->root_mount = mnt_clone(AT_FDCWD, c->opts.rootfs, AT_RECURSIVE);
		if (b->root_mount < 0)
			return err_set(err, b->root_mount, "cannot mount '%s'", c->opts.rootfs);
		return rootproc_start_guard(&c->root, &opts, err);
	}
	upper = open_upper(&c->dir, err);
	if (upper < 0)
		return upper;
	opts.upper_dirfd = upper;
	return rootproc_start(&c->root, &opts, &b->root_mount, err);
}

void boot_unmount(struct boot *b)
{
	cleanup_fd(&b->root_mount);
	b->root_mount = -1;
	rootproc_end(&b->c.root, 0);
}

/* ---- network ---- */

int boot_network(struct boot *b, struct err *err)
{
	return network_parse(&b->network, b->c.opts.network, &b->c.opts.publish, err);
}

static int make_etcfiles(struct boot *b, struct err *err)
{
	struct etcfiles e = { .hostname = b->c.spec->hostname ? b->c.spec->hostname : "localhost",
		.name = b->c.record.name,
		.add_hosts = &b->c.opts.add_host,
		.dns = &b->c.opts.dns,
		.search = &b->c.opts.dns_search,
		.options = &b->c.opts.dns_option };

	return network_write_etc(&b->network, b->c.dir.fd, &e, err);
}

/* ---- start ---- */

/* config.json knows that namespaces are joined; which ones is known now. */
static int share_namespaces(struct boot *b, struct err *err)
{
	const struct usernsmode plain = { .kind = USERNSMODE_DEFAULT };
	struct spec *spec = b->c.spec;
	int r = nsshare_resolve(&b->c.opts.shares, b->c.store_fd, b->ns_paths, err);

	if (r < 0)
		return r;
	for (int ns = 0; ns < SPEC_NS_MAX_; ns++)
		if (b->ns_paths[ns])
			spec->ns[ns].path = b->ns_paths[ns];
	if (b->network.ns_path)
		spec->ns[SPEC_NS_NET].path = b->network.ns_path;
	if (!b->ns_paths[SPEC_NS_USER] || spec->uid_map.n > 0)
		return 0;
	/* Whose files the container's streams are. */
	r = usernsmode_map(&plain, &b->uids, 0, &spec->uid_map);
	if (r >= 0)
		r = usernsmode_map(&plain, &b->gids, 0, &spec->gid_map);
	return r < 0 ? err_set(err, r, "ids") : 0;
}

int boot_start(struct boot *b, struct ctr_start_opts *opts, struct err *err)
{
	int r;

	r = network_prepare(
		&b->network, img_store_dirfd(b->store), b->c.dir.id, b->c.record.name, err);
	if (r >= 0)
		r = make_etcfiles(b, err);
	if (r >= 0)
		r = share_namespaces(b, err);
	if (r >= 0)
		r = volover_mount(b->c.dir.fd, &b->c.opts.overlays, err);
	if (r < 0) {
		network_end(&b->network);
		return r;
	}
	opts->root_mount = fd_take(&b->root_mount);
	opts->network = &b->network;
	r = ctr_create(&b->c, opts, err);
	return r < 0 ? r : ctr_start(&b->c, opts, err);
}

int boot_monitor(struct boot *b, int client, int r, struct err *err)
{
	int code = b->c.stage.exit_code;

	if (r >= 0) {
		(void)chdir("/");
		r = ctr_wait(&b->c, err);
		code = r >= 0 ? r : EXIT_LAMINA;
	} else {
		cleanup_fd(&b->root_mount);
		b->root_mount = -1;
	}
	ctr_end(&b->c, r >= 0 ? code : -1);
	if (client >= 0 && r < 0)
		client_failed(client, r, code, err);
	return code;
}

void boot_done(struct boot *b)
{
	cleanup_fd(&b->root_mount);
	b->root_mount = -1;
	json_decref(b->image_config);
	img_done(&b->img);
	img_store_close(b->store);
	network_done(&b->network);
	for (int ns = 0; ns < SPEC_NS_MAX_; ns++)
		free(b->ns_paths[ns]);
	idmap_done(&b->uids);
	idmap_done(&b->gids);
}
