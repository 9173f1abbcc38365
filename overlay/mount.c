/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting
 *
 *      root of a user namespace    fsopen ─ fsconfig ─ fsmount ─▶ a detached mount ─ move_mount
 *      ordinary user               fusermount3 (setuid) mounts and sends the descriptor back
 *
 * fsopen(2) takes the descriptor of /dev/fuse only from the user namespace that will own the
 * superblock, so both are opened here, one after the other, by one process.
 */
#include "overlay/mount.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

static const char *source_of(const struct ovl_mount_opts *o)
{
	return o->source ? o->source : "lamina";
}

static int open_dev_fuse(struct err *err)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	err_set(err, -errno, "cannot open '/dev/fuse'");
	return err_hint(err, -errno,
		errno == EACCES
			? "run 'chmod 0666 /dev/fuse' as root"
			: "run 'modprobe fuse' as root, or pass /dev/fuse to the container");
}

int ovl_mount_probe(struct err *err)
{
	int fd = open_dev_fuse(err);

	if (fd >= 0)
		(void)close(fd);
	return fd < 0 ? fd : 0;
}

/* The kernel says more in the context's log than by errno; its last line is worth showing. */
static int context_error(int fs, int code, const char *what, struct err *err)
{
	char msg[256];
	ssize_t n = read(fs, msg, sizeof(msg) - 1);

	if (n <= 0)
		return err_set(err, code, "%s", what);
	msg[n] = '\0';
	while (n > 0 && msg[n - 1] == '\n')
		msg[--n] = '\0';
	return err_set(err, code, "%s (%s)", what, msg);
}

static int set_number(int fs, const char *key, unsigned int value, const char *format)
{
	char text[32];

	snprintf(text, sizeof(text), format[0] == 'o' ? "%o" : "%u", value);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0);
}

static int configure(int fs, int fuse, const struct ovl_mount_opts *o)
{
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source_of(o), 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_STRING, "subtype", "lamina", 0) < 0 ||
		set_number(fs, "fd", (unsigned int)fuse, "decimal") < 0 ||
		set_number(fs, "rootmode", S_IFDIR, "octal") < 0 ||
		set_number(fs, "user_id", getuid(), "decimal") < 0 ||
		set_number(fs, "group_id", getgid(), "decimal") < 0 ||
		fsconfig(fs, FSCONFIG_SET_FLAG, "default_permissions", NULL, 0) < 0)
		return -errno;
	if (o->allow_other && fsconfig(fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0) < 0)
		return -errno;
	if (o->read_only && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return -errno;
	if (o->context && fsconfig(fs, FSCONFIG_SET_STRING, "context", o->context, 0) < 0)
		return -errno;
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

static unsigned int attrs_of(const struct ovl_mount_opts *o)
{
	unsigned int attrs = o->flags & OVL_MOUNT_ATIME ? MOUNT_ATTR_RELATIME : MOUNT_ATTR_NOATIME;

	if (!(o->flags & OVL_MOUNT_DEV))
		attrs |= MOUNT_ATTR_NODEV;
	if (o->flags & OVL_MOUNT_NO_SUID)
		attrs |= MOUNT_ATTR_NOSUID;
	if (o->flags & OVL_MOUNT_NO_EXEC)
		attrs |= MOUNT_ATTR_NOEXEC;
	if (o->flags & OVL_MOUNT_NO_DIRATIME)
		attrs |= MOUNT_ATTR_NODIRATIME;
	if (o->read_only)
		attrs |= MOUNT_ATTR_RDONLY;
	return attrs;
}

int ovl_mount_detached(
	const struct ovl_mount_opts *o, int *ret_fuse, int *ret_mount, struct err *err)
{
	auto_fd fuse = -1;
	auto_fd fs = -1;
	auto_fd mount_fd = -1;
	int r;

	fuse = open_dev_fuse(err);
	if (fuse < 0)
		return fuse;
	fs = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs < 0)
		return err_set(err, -errno, "cannot make a FUSE mount");
	r = configure(fs, fuse, o);
	if (r < 0)
		return context_error(fs, r, "cannot configure a FUSE mount", err);
	mount_fd = fsmount(fs, FSMOUNT_CLOEXEC, attrs_of(o));
	if (mount_fd < 0)
		return context_error(fs, -errno, "cannot make a FUSE mount", err);
	*ret_fuse = fd_take(&fuse);
	*ret_mount = fd_take(&mount_fd);
	return 0;
}

int ovl_mount_attach(int mount_fd, const char *mountpoint, struct err *err)
{
	if (move_mount(mount_fd, "", AT_FDCWD, mountpoint, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, -errno, "cannot mount on '%s'", mountpoint);
	return 0;
}

/* ---- fusermount3 ---- */

/* Receive the descriptor that fusermount3 sends in one message; -ENODATA if it sent none. */
static int receive_fd(int sock)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;
	ssize_t n;
	int fd;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -ENODATA;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/*
 * Run fusermount3; its own words reach the user's stderr.  @inherit_fd, if not -1, is the one
 * descriptor beyond the standard ones that it gets, named by _FUSE_COMMFD.
 * Return: 0; -EIO if it failed; -ENOENT if it is not installed.
 */
static int run_fusermount(char *const argv[], int inherit_fd, pid_t *ret_pid)
{
	char env[32];
	pid_t pid;

	snprintf(env, sizeof(env), "_FUSE_COMMFD=%d", inherit_fd);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		char path[] = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
		char *const envp[] = { env, path, NULL };

		if (inherit_fd >= 0 && fcntl(inherit_fd, F_SETFD, 0) < 0)
			_exit(126);
		execvpe(argv[0], argv, envp);
		_exit(127);
	}
	*ret_pid = pid;
	return 0;
}

static int reap_fusermount(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : -EIO;
}

static int fusermount_error(int code, struct err *err)
{
	if (code != -ENOENT)
		return err_say(err, code, "fusermount3 refused");
	err_say(err, code, "fusermount3 is not installed");
	return err_hint(err, code, "install the package 'fuse3'");
}

int ovl_mount_fusermount(
	const char *mountpoint, const struct ovl_mount_opts *o, int *ret_fuse, struct err *err)
{
	auto_free char *opts = str_format("fsname=%s,subtype=lamina,default_permissions%s%s",
		source_of(o), o->read_only ? ",ro" : "", o->allow_other ? ",allow_other" : "");
	auto_free char *point = strdup(mountpoint);
	char program[] = "fusermount3", dash_o[] = "-o", dashes[] = "--";
	char *const argv[] = { program, dash_o, opts, dashes, point, NULL };
	auto_fd ours = -1;
	auto_fd theirs = -1;
	auto_fd fuse = -1;
	int pair[2];
	pid_t pid;
	int r;

	if (!opts || !point)
		return err_set(err, -ENOMEM, "cannot mount");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, -errno, "cannot make a socket pair");
	ours = pair[0];
	theirs = pair[1];
	r = run_fusermount(argv, theirs, &pid);
	if (r < 0)
		return err_set(err, r, "cannot run fusermount3");
	(void)close(fd_take(&theirs));
	fuse = receive_fd(ours);
	r = reap_fusermount(pid);
	if (r < 0 || fuse < 0)
		return err_wrap(err, fusermount_error(r < 0 ? r : fuse, err),
			"cannot mount on '%s'", mountpoint);
	*ret_fuse = fd_take(&fuse);
	return 0;
}

static int unmount(const char *mountpoint, int umount_flags, const char *letters, struct err *err)
{
	auto_free char *point = strdup(mountpoint);
	auto_free char *flags = strdup(letters);
	char program[] = "fusermount3", dashes[] = "--";
	char *const argv[] = { program, flags, dashes, point, NULL };
	pid_t pid;
	int r;

	if (!point || !flags)
		return err_set(err, -ENOMEM, "cannot unmount '%s'", mountpoint);
	if (umount2(mountpoint, umount_flags | UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno != EPERM)
		return err_set(err, -errno, "cannot unmount '%s'", mountpoint);
	r = run_fusermount(argv, -1, &pid);
	if (r < 0)
		return err_set(err, r, "cannot run fusermount3");
	r = reap_fusermount(pid);
	if (r < 0)
		return err_wrap(err, fusermount_error(r, err), "cannot unmount '%s'", mountpoint);
	return 0;
}

int ovl_unmount(const char *mountpoint, struct err *err)
{
	return unmount(mountpoint, 0, "-u", err);
}

int ovl_unmount_lazy(const char *mountpoint, struct err *err)
{
	return unmount(mountpoint, MNT_DETACH, "-uz", err);
}
