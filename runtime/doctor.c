/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine must have (the contract is in the header)
 *
 * Texts and remedies are those of the code that needs the thing; here stands only what nothing else
 * would say.
 */
#include "runtime/doctor.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "image/store_probe.h"
#include "overlay/idmap.h"
#include "overlay/mount.h"
#include "runtime/ctrcgroup.h"
#include "runtime/net_tap.h"
#include "runtime/rundir.h"
#include "runtime/userns.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define MIN_KERNEL_MAJOR 5
#define MIN_KERNEL_MINOR                                                                           \
	12 /* mount_setattr(2), and FUSE in user namespaces with all that we ask for */
#define MIN_IDS		  65536
#define LIMIT_SUBID_BYTES (1 << 20)

/* ---- kernel ---- */

static int check_kernel(struct img_store *s, struct err *err)
{
	unsigned int major = 0, minor = 0;
	struct utsname u = { 0 };

	(void)uname(&u);
	if (sscanf(u.release, "%u.%u", &major, &minor) != 2 || major > MIN_KERNEL_MAJOR ||
		(major == MIN_KERNEL_MAJOR && minor >= MIN_KERNEL_MINOR))
		return 0;
	err_say(err, -ENOSYS, "the kernel is %s", u.release);
	return err_hint(
		err, -ENOSYS, "install Linux %d.%d or later", MIN_KERNEL_MAJOR, MIN_KERNEL_MINOR);
}

/* What a seccomp filter of an outer container takes away; each call is made so that it fails. */
static int check_calls(struct img_store *s, struct err *err)
{
	static const struct {
		const char *name;
		long number;
	} calls[] = { { "clone3", SYS_clone3 }, { "openat2", SYS_openat2 },
		{ "pidfd_open", SYS_pidfd_open }, { "fsopen", SYS_fsopen },
		{ "open_tree", SYS_open_tree }, { "mount_setattr", SYS_mount_setattr },
		{ "move_mount", SYS_move_mount } };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		long r = syscall(calls[i].number, 0, 0, 0, 0, 0);
		int code = r < 0 ? errno : 0;

		/* Without CAP_SYS_ADMIN the calls that mount say EPERM whatever they are given. */
		if (code == ENOSYS || (code == EPERM && calls[i].number == SYS_clone3) ||
			(code == EPERM && calls[i].number == SYS_openat2)) {
			err_say(err, -code, "the system call %s is forbidden here (%s)",
				calls[i].name, strerror(code));
			return err_hint(err, -code,
				"in a container: start the outer one with --security-opt "
				"seccomp=unconfined");
		}
	}
	return 0;
}

/* ---- ids ---- */

static int check_userns(struct img_store *s, struct err *err)
{
	return userns_probe(err);
}

static int check_subids(struct img_store *s, struct err *err)
{
	return userns_probe_subids(err);
}

static int check_enough_ids(struct img_store *s, struct err *err)
{
	struct userns ns = USERNS_INIT;
	struct idmap uids = { 0 }, gids = { 0 };
	uint64_t n = 0;
	int r = userns_enter(&ns, err);

	if (r >= 0)
		r = userns_own_ids(&uids, &gids);
	for (size_t i = 0; r >= 0 && i < uids.n; i++)
		n += uids.v[i].n;
	idmap_done(&uids);
	idmap_done(&gids);
	userns_leave(&ns);
	if (r < 0)
		return r;
	if (n >= MIN_IDS)
		return 0;
	err_say(err, -ERANGE, "containers have %llu ids, fewer than %d", (unsigned long long)n,
		MIN_IDS);
	return err_hint(err, -ERANGE,
		"run 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER' as "
		"root; "
		"in a container, give the outer one more ids");
}

struct range {
	char name[64];
	uint64_t first, n;
};

/* The next line that is one; its end. */
static const char *next_range(const char *s, struct range *ret)
{
	while (*s) {
		const char *end = s + strcspn(s, "\n");
		unsigned long long first, n;
		int ok = sscanf(s, "%63[^:\n]:%llu:%llu", ret->name, &first, &n);

		s = end + (*end == '\n');
		if (ok == 3 && n > 0) {
			ret->first = first;
			ret->n = n;
			return s;
		}
	}
	return NULL;
}

int doctor_subid_overlap(
	const char *file, const char *data, const char *name, unsigned int uid, struct err *err)
{
	struct range own, other;
	char number[16];

	snprintf(number, sizeof(number), "%u", uid);
	for (const char *s = data; (s = next_range(s, &own));) {
		if (!str_eq(own.name, name) && !str_eq(own.name, number))
			continue;
		for (const char *t = data; (t = next_range(t, &other));) {
			if (str_eq(other.name, name) || str_eq(other.name, number) ||
				other.first >= own.first + own.n ||
				own.first >= other.first + other.n)
				continue;
			err_say(err, -EEXIST,
				"in %s the ids of '%s' from %llu on are also those of '%s'", file,
				own.name, (unsigned long long)own.first, other.name);
			return err_hint(err, -EEXIST,
				"as root, give '%s' a range of its own: usermod --del-sub%ss "
				"%llu-%llu "
				"--add-sub%ss FIRST-LAST %s",
				own.name, strstr(file, "gid") ? "gid" : "uid",
				(unsigned long long)own.first,
				(unsigned long long)(own.first + own.n - 1),
				strstr(file, "gid") ? "gid" : "uid", own.name);
		}
	}
	return 0;
}

static int check_overlaps(struct img_store *s, struct err *err)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };
	const struct passwd *pw = getpwuid(geteuid());
	int r = 0;

	for (size_t i = 0; r == 0 && pw && i < ARRAY_SIZE(files); i++) {
		auto_fd fd = open(files[i], O_RDONLY | O_CLOEXEC);
		auto_free char *text = NULL;

		if (fd >= 0 && fd_read_file(fd, LIMIT_SUBID_BYTES, &text, NULL) == 0)
			r = doctor_subid_overlap(files[i], text, pw->pw_name, geteuid(), err);
	}
	return r;
}

/* ---- devices, cgroups, network ---- */

static int check_fuse(struct img_store *s, struct err *err)
{
	return ovl_mount_probe(err);
}

static int check_tun(struct img_store *s, struct err *err)
{
	return net_tap_probe(err);
}

static int check_cgroup(struct img_store *s, struct err *err)
{
	return ctrcgroup_probe(err);
}

static int check_ping(struct img_store *s, struct err *err)
{
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd >= 0)
		return 0;
	err_set(err, -errno, "cannot open a socket for pings");
	return err_hint(
		err, -EACCES, "run 'sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"' as root");
}

static int check_fusermount(struct img_store *s, struct err *err)
{
	static const char *const argv[] = { "fusermount3", "--version", NULL };
	struct proc_run run;
	char text[64];
	int r = proc_run_start(&run, argv);

	if (r >= 0)
		r = proc_run_wait(&run, text, sizeof(text));
	if (r == 0)
		return 0;
	err_say(err, -ENOENT, "fusermount3 is not installed");
	return err_hint(err, -ENOENT, "install the package 'fuse3'");
}

/* ---- storage ---- */

static int check_rundir(struct img_store *s, struct err *err)
{
	auto_fd fd = rundir_open(err);

	return fd < 0 ? fd : 0;
}

static int check_store(struct img_store *s, struct err *err)
{
	struct store_probe p;
	int r = store_probe(s, &p, err);

	if (r < 0)
		return r;
	if (!p.is_writable) {
		err_say(err, -EROFS, "the store '%s' cannot be written", img_store_path(s));
		return err_hint(err, -EROFS, "lamina --root DIR, or set LAMINA_ROOT");
	}
	if (p.results[PROBE_LOCKS] < 0) {
		err_set(err, p.results[PROBE_LOCKS], "no locks on '%s' (%s)", img_store_path(s),
			p.fs_type);
		return err_hint(err, -ENOLCK, "lamina --root DIR, on another file system");
	}
	return 0;
}

static int check_store_features(struct img_store *s, struct err *err)
{
	struct store_probe p;
	int r = store_probe(s, &p, err);

	for (size_t i = 0; r >= 0 && p.is_writable && i < PROBE_MAX_; i++)
		/* The rest changes what things cost, and is told by 'lamina info'. */
		if ((i == PROBE_XATTRS || i == PROBE_WHITEOUTS) && p.results[i] < 0) {
			err_say(err, p.results[i], "%s has no %s: %s", p.fs_type,
				store_probe_name((enum probe)i),
				store_probe_without((enum probe)i));
			return err_hint(
				err, p.results[i], "lamina --root DIR, on another file system");
		}
	return r < 0 ? r : 0;
}

static int check_noexec(struct img_store *s, struct err *err)
{
	struct statvfs fs;

	if (fstatvfs(img_store_dirfd(s), &fs) < 0 || !(fs.f_flag & ST_NOEXEC))
		return 0;
	err_say(err, -EACCES, "'%s' is mounted noexec", img_store_path(s));
	return err_hint(err, -EACCES, "lamina --root DIR, on another file system");
}

const struct doctor_check doctor_checks[] = {
	{ "kernel", "parts of what containers need are missing", true, check_kernel },
	{ "system calls", "no container can start", true, check_calls },
	{ "user namespaces", "no container can start", true, check_userns },
	{ "runtime directory", "no container can start", true, check_rundir },
	{ "/dev/fuse", "no image can be mounted", true, check_fuse },
	{ "store", "no image can be kept", true, check_store },
	{ "subordinate ids", "containers have one id: no chown to others, no other users", false,
		check_subids },
	{ "number of ids", "files of high ids show as nobody's, and programs cannot become others",
		false, check_enough_ids },
	{ "ranges of ids", "another user's containers own the files of yours", false,
		check_overlaps },
	{ "/dev/net/tun", "containers have --network none and host only", false, check_tun },
	{ "cgroups", "no limits, no pause; stats are sums over processes", false, check_cgroup },
	{ "pings", "ping from containers has no answer", false, check_ping },
	{ "fusermount3", "'lamina mount' works below 'lamina unshare' only", false,
		check_fusermount },
	{ "storage", "some changes of containers cost more or cannot be kept", false,
		check_store_features },
	{ "executable storage", "programs on volumes cannot be executed", false, check_noexec },
	{ 0 },
};
