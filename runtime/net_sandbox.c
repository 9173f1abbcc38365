/* SPDX-License-Identifier: Apache-2.0 */
/* What the network process gives up (the contract is in the header). */
#include "runtime/net_sandbox.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int write_file(const char *abspath, const char *text)
{
	auto_fd fd = open(abspath, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* A user namespace with our own ids, unchanged: the ordinary user's way to a mount namespace. */
static int own_userns(void)
{
	auto_free char *uid_map = str_format("%u %u 1", geteuid(), geteuid());
	auto_free char *gid_map = str_format("%u %u 1", getegid(), getegid());
	int r;

	if (!uid_map || !gid_map)
		return -ENOMEM;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	(void)write_file("/proc/self/setgroups", "deny");
	r = write_file("/proc/self/uid_map", uid_map);
	return r < 0 ? r : write_file("/proc/self/gid_map", gid_map);
}

static int own_mountns(struct err *err)
{
	int r = unshare(CLONE_NEWNS) < 0 ? -errno : 0;

	if (r == -EPERM)
		r = own_userns();
	if (r < 0)
		return err_set(err, r, "cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, -errno, "cannot make the mounts private");
	return 0;
}

int net_sandbox_root(struct err *err)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	int r;

	r = own_mountns(err);
	if (r < 0)
		return r;
	/* Any directory would do; this one exists wherever a tap could be made. */
	if (mount("lamina-slirp", "/proc", "tmpfs", flags, "mode=0555,size=4k,nr_inodes=2") < 0)
		return err_set(err, -errno, "cannot mount an empty root");
	if (chdir("/proc") < 0)
		return err_set(err, -errno, "cannot enter the empty root");
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) < 0)
			return err_set(err, -errno, "cannot leave the old root");
	} else if (chroot(".") < 0) { /* the old root is the kernel's initial ramfs */
		return err_set(err, -errno, "cannot make the empty root the root");
	}
	if (chdir("/") < 0)
		return err_set(err, -errno, "cannot enter the empty root");
	return 0;
}

static int drop_capabilities(unsigned flags)
{
	struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint32_t keep = (flags & NET_SANDBOX_BIND ? CAP_TO_MASK(CAP_NET_BIND_SERVICE) : 0) |
			(flags & NET_SANDBOX_ADMIN ? CAP_TO_MASK(CAP_NET_ADMIN) : 0);

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* Without CAP_SETPCAP the set stays; with no_new_privs and no exec it gives nothing. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (keep && syscall(SYS_capget, &hdr, data) == 0)
		keep &= data[0].permitted;
	memset(data, 0, sizeof(data));
	data[0].permitted = data[0].effective = keep;
	return syscall(SYS_capset, &hdr, data) < 0 ? -errno : 0;
}

int net_sandbox_seal(enum seccomp_net_kind kind, unsigned flags, struct err *err)
{
	int r;

	r = drop_capabilities(flags);
	if (r < 0)
		return err_set(err, r, "cannot drop capabilities");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot set no_new_privs");
	return seccomp_net_load(kind, err);
}
