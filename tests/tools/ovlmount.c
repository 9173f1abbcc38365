/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ovlmount: mounts a directory tree as if it were an image, for tests of the overlay alone
 *
 *      ovlmount [OPTION]… TREE STATE MOUNTPOINT
 *
 * STATE is the upper's state directory, or "-" for a read-only mount.  Returns when the mount
 * answers; the daemon's pid is printed.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "overlay/fs.h"
#include "overlay/fuse_session.h"
#include "overlay/lower_image.h"
#include "overlay/mount.h"
#include "tests/tools/tree_image.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct options {
	bool squash, no_open_off, volatile_, fusermount, foreground, debug, copies;
	struct idmap ids;
	const char *tree, *state, *mountpoint, *cache;
};

static int usage(void)
{
	fprintf(stderr,
		"usage: ovlmount [-s] [-n] [-v] [-u] [-f] [-d] [-w] [-m INSIDE:OUTSIDE:N]… [-c "
		"CACHE] "
		"TREE STATE|- MOUNTPOINT\n"
		"  -s  squash owners to the caller     -n  announce opens\n"
		"  -v  volatile                        -u  through fusermount3\n"
		"  -f  stay in the foreground          -d  print requests\n"
		"  -w  copy whole files and directories: no redirects, no metadata-only copies\n"
		"  -m  map of image ids                -c  keep the image in CACHE.idx, "
		"CACHE.tar\n");
	return 2;
}

static int parse(int argc, char **argv, struct options *o)
{
	unsigned int in, out, n;
	int c;

	while ((c = getopt(argc, argv, "snvufdwm:c:")) != -1)
		switch (c) {
		case 's':
			o->squash = true;
			break;
		case 'n':
			o->no_open_off = true;
			break;
		case 'v':
			o->volatile_ = true;
			break;
		case 'u':
			o->fusermount = true;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'd':
			o->debug = true;
			break;
		case 'w':
			o->copies = true;
			break;
		case 'm':
			if (sscanf(optarg, "%u:%u:%u", &in, &out, &n) != 3 ||
				idmap_add(&o->ids, in, out, n) < 0)
				return usage();
			break;
		case 'c':
			o->cache = optarg;
			break;
		default:
			return usage();
		}
	if (argc - optind != 3)
		return usage();
	o->tree = argv[optind];
	o->state = argv[optind + 1];
	o->mountpoint = argv[optind + 2];
	return 0;
}

static int open_part(const struct options *o, const char *suffix, bool *ret_fresh)
{
	auto_free char *path = o->cache ? str_format("%s.%s", o->cache, suffix) : NULL;
	struct stat st;
	int fd;

	if (!path) {
		*ret_fresh = true;
		return memfd_create(suffix, MFD_CLOEXEC);
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	*ret_fresh = fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0;
	return fd;
}

static int open_lower(const struct options *o, struct lower **ret, struct err *err)
{
	auto_fd tree = open(o->tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool fresh = true;
	auto_fd index = open_part(o, "idx", &fresh);
	int tar = open_part(o, "tar", &fresh);
	struct idx *x;
	int r;

	if (tree < 0 || index < 0 || tar < 0)
		return err_set(err, -errno, "cannot open the tree");
	if (fresh) {
		r = tree_image(tree, index, tar);
		if (r < 0)
			return err_set(err, r, "cannot make an image of the tree");
	}
	r = idx_open(&x, index, IDX_KIND_IMAGE, err);
	return r < 0 ? r : lower_image_new(ret, x, &tar, 1, err);
}

static int mount_it(const struct options *o, bool read_only, int *ret_fuse, struct err *err)
{
	const struct ovl_mount_opts mo = {
		.read_only = read_only, .allow_other = !o->fusermount, .source = "ovlmount"
	};
	auto_fd mount_fd = -1;
	int r;

	if (o->fusermount)
		return ovl_mount_fusermount(o->mountpoint, &mo, ret_fuse, err);
	r = ovl_mount_detached(&mo, ret_fuse, &mount_fd, err);
	return r < 0 ? r : ovl_mount_attach(mount_fd, o->mountpoint, err);
}

static int serve(const struct options *o, int ready_fd, struct err *err)
{
	bool read_only = str_eq(o->state, "-");
	auto_fd state = read_only ? -1 : open(o->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ovl_config cfg = { .lower_id = "image:test",
		.upper_dirfd = state,
		.uids = o->ids.n ? &o->ids : NULL,
		.gids = o->ids.n ? &o->ids : NULL,
		.squash_uid = getuid(),
		.squash_gid = getgid(),
		.flags = (o->squash ? OVL_SQUASH_OWNER : 0) | (o->volatile_ ? OVL_VOLATILE : 0) |
			 (o->copies ? OVL_COPY_DIRS | OVL_COPY_DATA : 0) };
	struct ovl_session_opts so = { .ready_fd = ready_fd,
		.no_open_off = o->no_open_off,
		.debug = o->debug,
		.read_only = read_only,
		.mountpoint = o->mountpoint };
	struct ovl_fs *fs;
	int fuse, r;

	if (!read_only && state < 0)
		return err_set(err, -errno, "cannot open '%s'", o->state);
	r = open_lower(o, &cfg.lower, err);
	if (r == 0)
		r = ovl_fs_new(&fs, &cfg, err);
	if (r < 0)
		return r;
	r = mount_it(o, read_only, &fuse, err);
	if (r == 0)
		r = ovl_serve(fs, fuse, &so, err);
	ovl_fs_free(fs);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct err err = ERR_INIT;
	int pair[2], r;
	char byte;
	pid_t pid;

	r = parse(argc, argv, &o);
	if (r)
		return r;
	if (getenv("OVLMOUNT_DEBUG"))
		log_set_level(LOG_LEVEL_DEBUG);
	if (pipe2(pair, O_CLOEXEC) < 0)
		return 1;
	pid = o.foreground ? 0 : fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		(void)close(pair[0]);
		if (!o.foreground)
			(void)setsid();
		r = serve(&o, pair[1], &err);
		if (r < 0)
			err_print(&err, "ovlmount");
		idmap_done(&o.ids);
		return r < 0;
	}
	(void)close(pair[1]);
	idmap_done(&o.ids);
	if (read(pair[0], &byte, 1) != 1)
		return 1;
	printf("%d\n", (int)pid);
	return 0;
}
