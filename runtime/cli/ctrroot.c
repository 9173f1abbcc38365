/* SPDX-License-Identifier: Apache-2.0 */
/* Files of containers (the contract is in the header). */
#include "runtime/cli/ctrroot.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/inroot.h"
#include "runtime/mnt.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static bool is_read_only(const struct spec_mount *m)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (str_eq(m->options.v[i], "ro"))
			return true;
	return false;
}

/* A volume or a file of the host, put where the container would see it. */
static int mount_volume(int root, const struct spec_mount *m)
{
	auto_fd from = mnt_clone(AT_FDCWD, m->source, AT_RECURSIVE), place = -1;
	struct stat st;
	int r;

	if (from < 0)
		return from;
	if (fstat(from, &st) < 0)
		return -errno;
	/* Made where it is missing, as a start does. */
	place = S_ISDIR(st.st_mode) ? inroot_open_dir(root, m->destination)
				    : inroot_open_file(root, m->destination);
	if (place < 0)
		return place;
	r = is_read_only(m) ? mnt_set_attrs(from, MOUNT_ATTR_RDONLY, 0, AT_RECURSIVE) : 0;
	return r < 0 ? r : mnt_attach(from, place);
}

/* In a mount namespace that nobody shares: all of it goes with this process, however that ends. */
static int attach_root(const struct boot *b, struct err *err)
{
	auto_free char *path =
		str_format("%s/containers/%s", img_store_path(b->store), b->c.dir.id);
	auto_fd place = -1;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "cannot mount its root file system");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, -errno, "cannot make a mount namespace");
	place = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = place < 0 ? -errno : mnt_attach(b->root_mount, place);
	return r < 0 ? err_set(err, r, "cannot mount its root file system") : 0;
}

static int mount_volumes(struct cli_ctrroot *ret, struct err *err)
{
	const struct boot *b = &ret->boot;
	int r = attach_root(b, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ret->spec->n_mounts; i++) {
		const struct spec_mount *m = &ret->spec->mounts[i];

		if (!m->type || !str_eq(m->type, "bind") || !m->source || m->source[0] != '/')
			continue;
		r = mount_volume(b->root_mount, m);
		if (r < 0 && r != -ENOENT)
			return err_set(
				err, r, "cannot mount '%s' on '%s'", m->source, m->destination);
	}
	return 0;
}

static int open_stopped(struct cli_ctrroot *ret, const struct cli *cli, struct err *err)
{
	struct boot *b = &ret->boot;
	int r = img_store_open(&b->store, cli->root, err);

	if (r >= 0)
		r = boot_open(b, ret->ctr.record.id, err);
	if (r >= 0)
		r = boot_root(b, err);
	if (r < 0)
		return r;
	ret->mounted = true;
	ret->spec = b->c.spec;
	r = mount_volumes(ret, err);
	if (r < 0)
		return rootproc_explain(&b->c.root, r, err);
	ret->fd = fcntl(b->root_mount, F_DUPFD_CLOEXEC, 3);
	return ret->fd < 0 ? err_set(err, -errno, "cannot open its root file system") : 0;
}

static int open_running(struct cli_ctrroot *ret, struct err *err)
{
	auto_fd init = control_init(&ret->ctr.record, err);
	int r = init;

	if (r >= 0)
		r = userns_enter(&ret->ctl.ns, err);
	if (r >= 0)
		r = ret->fd = control_open_root(&ret->ctr.record, init, err);
	if (r >= 0)
		r = control_spec(&ret->ctl.c, ret->ctr.record.id, &ret->own_spec, err);
	ret->spec = ret->own_spec;
	return r;
}

int cli_ctrroot_open(
	struct cli_ctrroot *ret, const struct cli *cli, const char *ref, struct err *err)
{
	int r;

	memset(&ret->ctr, 0, sizeof(ret->ctr));
	ret->own_spec = NULL;
	ret->fd = -1;
	ret->mounted = false;
	boot_init(&ret->boot);
	r = ctl_open(&ret->ctl, cli, 0, err);
	if (r >= 0)
		r = control_open(&ret->ctl.c, ref, &ret->ctr, err);
	if (r < 0)
		return r;
	return state_is_live(ret->ctr.record.state) ? open_running(ret, err)
						    : open_stopped(ret, cli, err);
}

void cli_ctrroot_close(struct cli_ctrroot *r)
{
	char root[32];

	cleanup_fd(&r->fd);
	snprintf(root, sizeof(root), "/proc/self/fd/%d", r->boot.root_mount);
	if (r->mounted)
		(void)umount2(root, MNT_DETACH);
	boot_unmount(&r->boot);
	ctr_end(&r->boot.c, -1);
	boot_done(&r->boot);
	spec_free(r->own_spec);
	control_ctr_done(&r->ctr);
	ctl_close(&r->ctl);
}
