/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: unpack
 *
 *      IMAGE ─ (a source: pull it first) ─▶ user namespace, if ids are mapped ─▶ img_unpack()
 *                                           --bundle: DIR/rootfs, then DIR/config.json
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "image/pull.h"
#include "image/unpack.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/progress.h"
#include "runtime/inroot.h"
#include "runtime/spec_json.h"
#include "runtime/spec_make.h"
#include "runtime/subid.h"
#include "runtime/userns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/utsname.h>

#define LIMIT_SUBID_BYTES (1 << 20)

struct unpack_opts {
	bool bundle;
	const char *ownership;
	uint64_t jobs;
};

static const struct args_opt unpack_args[] = {
	{ "bundle", 'b', ARGS_FLAG, offsetof(struct unpack_opts, bundle), NULL,
		"make an OCI bundle: DIR/rootfs and DIR/config.json" },
	{ "jobs", 'j', ARGS_U64, offsetof(struct unpack_opts, jobs), "N",
		"threads, 1 to 64 (default: one a processor, at most 8)" },
	{ "ownership", 0, ARGS_STRING, offsetof(struct unpack_opts, ownership),
		"real|mapped|record|squash",
		"owners as in the image, by subordinate ids, in an attribute, or all you" },
	{ 0 },
};

enum ownership { OWN_REAL, OWN_MAPPED, OWN_RECORD, OWN_SQUASH, OWN_MAX_ };

struct unpacking {
	const struct unpack_opts *opts;
	enum ownership ownership;
	struct userns ns;
	struct img_store *store;
	struct img img;
};

/* ---- whose files ---- */

/* Do subordinate ids stand in the file for this user? */
static bool has_subids(void)
{
	auto_fd fd = open("/etc/subuid", O_RDONLY | O_CLOEXEC);
	const struct passwd *pw = getpwuid(getuid());
	struct idmap m = { 0 };
	auto_free char *text = NULL;
	size_t len;
	bool has;

	if (fd < 0 || fd_read_file(fd, LIMIT_SUBID_BYTES, &text, &len) < 0)
		return false;
	has = subid_append(text, len, pw ? pw->pw_name : "", getuid(), &m) == 0 && m.n > 0;
	idmap_done(&m);
	return has;
}

static int choose_ownership(struct unpacking *p, struct err *err)
{
	static const char *const words[] = { "real", "mapped", "record", "squash" };
	const char *word = p->opts->ownership;

	static_assert(ARRAY_SIZE(words) == OWN_MAX_, "a word for each");
	if (!word) {
		p->ownership = proc_has_cap(CAP_CHOWN) ? OWN_REAL
			       : has_subids()	       ? OWN_MAPPED
						       : OWN_RECORD;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(word, words[i])) {
			p->ownership = (enum ownership)i;
			return 0;
		}
	return err_say(
		err, -EINVAL, "'--ownership' takes real, mapped, record or squash, not '%s'", word);
}

static int enter(struct unpacking *p, struct err *err)
{
	int r = userns_enter(&p->ns, err);

	if (r == 0 && p->ns.single_id) {
		r = err_say(err, -EPERM, "there are no subordinate ids to map owners to");
		err_hint(err, r, "use '--ownership record' or 'squash'");
	}
	return r;
}

/* ---- the image ---- */

static bool is_source(const char *text)
{
	static const char *const transports[] = { "oci:", "docker://",
		"oci-archive:", "docker-archive:", "dir:" };

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (str_starts(text, transports[i]))
			return true;
	return false;
}

static void on_progress(void *ctx, const struct pull_status *st)
{
	progress_show(ctx, st);
}

static int find_image(struct unpacking *p, const char *text, struct err *err)
{
	struct pull_result got = { 0 };
	int r = 0;

	if (is_source(text)) {
		struct progress *progress = progress_new(stderr, PROGRESS_AUTO);
		const struct pull_options o = { .view = { .tick_ms = progress_tick_ms(progress),
							.progress = on_progress,
							.ctx = progress } };

		r = img_pull(p->store, text, &o, &got, err);
		progress_free(progress);
	}
	if (r == 0)
		r = img_resolve(p->store, got.name ? got.name : text, &p->img, err);
	if (r == -ENOENT && !got.name)
		err_hint(err, r, "lamina pull %s", text);
	free(got.name);
	return r;
}

/* ---- the bundle ---- */

/* The namespace's own ids, as whoever runs the bundle from outside names them. */
static int host_ids(const char *path, struct idmap *ret)
{
	auto_file f = fopen(path, "re");
	unsigned int inside, outside, n;
	int r = f ? 0 : -errno;

	while (r == 0 && fscanf(f, "%u %u %u", &inside, &outside, &n) == 3)
		r = idmap_add(ret, inside, outside, n);
	return r;
}

static int bundle_ids(
	const struct unpacking *p, struct idmap *uids, struct idmap *gids, struct err *err)
{
	int r = 0;

	if (p->ownership == OWN_MAPPED) {
		r = host_ids("/proc/self/uid_map", uids);
		if (r == 0)
			r = host_ids("/proc/self/gid_map", gids);
	} else if (p->ownership != OWN_REAL) {
		r = idmap_add(uids, 0, geteuid(), 1);
		if (r == 0)
			r = idmap_add(gids, 0, getegid(), 1);
	}
	return r < 0 ? err_set(err, r, "cannot read the ids of this user namespace") : 0;
}

static int read_users(int root, const char *path, char **text, struct userdb_file *ret)
{
	int r = inroot_read(root, path, LIMIT_USERDB_BYTES, text, &ret->len);

	ret->data = r < 0 ? NULL : *text;
	return r == -ENOENT || r == -ENOTDIR || r == -EINVAL || r == -ELOOP ? 0 : r;
}

static int find_user(int root, const json_t *image, struct userdb_user *ret, struct err *err)
{
	auto_free char *passwd_text = NULL, *group_text = NULL;
	struct userdb_file passwd = { 0 }, group = { 0 };
	int r = read_users(root, "etc/passwd", &passwd_text, &passwd);

	if (r >= 0)
		r = read_users(root, "etc/group", &group_text, &group);
	if (r < 0)
		return err_set(err, r, "cannot read the users of the image");
	return userdb_resolve(
		json_get_str(json_object_get(image, "config"), "User"), &passwd, &group, ret, err);
}

static void set_namespaces(struct spec_make *m, bool with_user)
{
	static const enum spec_ns fresh[] = { SPEC_NS_MNT, SPEC_NS_PID, SPEC_NS_IPC, SPEC_NS_UTS,
		SPEC_NS_NET };

	for (size_t i = 0; i < ARRAY_SIZE(fresh); i++)
		m->ns[fresh[i]].mode = SPEC_MAKE_NEW;
	if (with_user)
		m->ns[SPEC_NS_USER].mode = SPEC_MAKE_NEW;
}

static int make_config(
	struct unpacking *p, const struct userdb_user *user, struct buf *ret, struct err *err)
{
	struct idmap uids = { 0 }, gids = { 0 };
	auto_json *image = NULL, *doc = NULL;
	struct utsname uts = { 0 };
	struct sec_host host;
	struct spec_make m = { .id = "lamina",
		.rootfs = "rootfs",
		.user = user,
		.cgroup = SPEC_MAKE_CGROUP_RO,
		.uid_map = &uids,
		.gid_map = &gids,
		.host = &host };
	int r = json_parse(p->img.config_json, p->img.config_len, "image config", &image, err);

	(void)uname(&uts);
	sec_host_init(&host, uts.release);
	m.image = image;
	set_namespaces(&m, p->ownership != OWN_REAL);
	if (r == 0)
		r = bundle_ids(p, &uids, &gids, err);
	if (r == 0)
		r = spec_make(&m, &doc, err);
	if (r == 0 && spec_json_dump(doc, ret) < 0)
		r = err_set(err, -ENOMEM, "cannot write 'config.json'");
	idmap_done(&uids);
	idmap_done(&gids);
	return r;
}

static int write_bundle_config(struct unpacking *p, const char *dir, struct err *err)
{
	auto_fd dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), root = -1;
	auto_userdb_user user = { 0 };
	auto_json *image = NULL;
	auto_buf text = { 0 };
	int r = json_parse(p->img.config_json, p->img.config_len, "image config", &image, err);

	if (r < 0)
		return r;
	root = dirfd < 0 ? -1 : openat(dirfd, "rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(err, -errno, "cannot open the bundle '%s'", dir);
	r = find_user(root, image, &user, err);
	if (r >= 0)
		r = make_config(p, &user, &text, err);
	if (r < 0)
		return err_wrap(err, r, "config.json");
	r = at_replace_file(dirfd, "config.json", text.data, text.len, 0600, 0);
	return r < 0 ? err_set(err, r, "cannot write '%s/config.json'", dir) : 0;
}

/* ---- the verb ---- */

static void say_count(uint64_t n, const char *what)
{
	if (n)
		fprintf(stderr, "lamina: warning: %llu %s\n", (unsigned long long)n, what);
}

static int unpack_tree(struct unpacking *p, const char *dir, struct err *err)
{
	static const enum unpack_ownership kinds[] = { [OWN_REAL] = UNPACK_REAL,
		[OWN_MAPPED] = UNPACK_REAL,
		[OWN_RECORD] = UNPACK_RECORD,
		[OWN_SQUASH] = UNPACK_SQUASH };
	const struct unpack_options o = { kinds[p->ownership], (unsigned int)p->opts->jobs };
	struct unpack_stats st;
	int r = img_unpack(p->store, &p->img, dir, &o, &st, err);

	if (r < 0)
		return r;
	say_count(st.n_devices_skipped, "devices were not made: this user may not");
	say_count(st.n_xattrs_skipped, "extended attributes were not set: this user or this "
				       "filesystem cannot have them");
	return 0;
}

static int unpack(struct unpacking *p, struct cli *cli, char **argv, struct err *err)
{
	auto_free char *rootfs = str_format("%s/rootfs", argv[1]);
	int r;

	if (!rootfs)
		return err_set(err, -ENOMEM, "cannot start");
	if (p->opts->jobs > LIMIT_UNPACK_JOBS)
		return err_say(err, -EINVAL, "option '--jobs' takes at most %d", LIMIT_UNPACK_JOBS);
	r = choose_ownership(p, err);
	if (r == 0)
		r = img_store_open(&p->store, cli->root, err);
	if (r == 0)
		r = find_image(p, argv[0], err);
	/* Behind the pull, whose threads have ended by now. */
	if (r == 0 && p->ownership == OWN_MAPPED)
		r = enter(p, err);
	if (r < 0)
		return r;
	if (!p->opts->bundle)
		return unpack_tree(p, argv[1], err);
	if (mkdir(argv[1], 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory '%s'", argv[1]);
	r = unpack_tree(p, rootfs, err);
	return r < 0 ? r : write_bundle_config(p, argv[1], err);
}

static int run_unpack(struct cli *cli, void *opts, int argc, char **argv)
{
	struct unpacking p = { .opts = opts, .ns = USERNS_INIT, .img = { .lease_fd = -1 } };
	struct err err = ERR_INIT;
	int r = unpack(&p, cli, argv, &err);

	img_done(&p.img);
	img_store_close(p.store);
	userns_leave(&p.ns);
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot unpack '%s'", argv[0]);
	return cli_fail(&err);
}

const struct cli_verb cli_verbs_unpack[] = {
	{ "unpack", "[OPTION]… IMAGE|SOURCE DIR",
		"write an image, or an OCI bundle, to a directory", unpack_args,
		sizeof(struct unpack_opts), 2, 2, false, run_unpack },
	{ 0 },
};
