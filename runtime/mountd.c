/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which process serves a mount (the contract is in the header)
 *
 * A device number is unique while the mount lasts and reused later: the record of a new mount
 * replaces the old one, and a process is known by its start time as well.
 */
#include "runtime/mountd.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/proc.h"
#include "overlay/mount.h"
#include "runtime/rundir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/sysmacros.h>

#define LIMIT_RECORD_BYTES 64
#define END_MS		   30000 /* what is dirty is written before the daemon ends */

static int open_records(struct err *err)
{
	auto_fd rundir = rundir_open(err);
	int fd;

	if (rundir < 0)
		return rundir;
	fd = at_mkdir_p(rundir, "daemons", 0700);
	return fd < 0 ? err_set(err, fd, "cannot open the records of mounts") : fd;
}

static int record_name(const char *mountpoint, char ret[static 32])
{
	struct stat st;

	if (stat(mountpoint, &st) < 0)
		return -errno;
	snprintf(ret, 32, "%u-%u", major(st.st_dev), minor(st.st_dev));
	return 0;
}

int mountd_record(const char *mountpoint, pid_t pid, struct err *err)
{
	auto_fd dirfd = open_records(err);
	char name[32], text[LIMIT_RECORD_BYTES];
	struct proc_id id;
	int r;

	if (dirfd < 0)
		return dirfd;
	r = record_name(mountpoint, name);
	if (r == 0)
		r = proc_id_of(pid, &id);
	if (r == 0) {
		snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)id.pid, id.start);
		r = at_replace_file(dirfd, name, text, strlen(text), 0600, 0);
	}
	return r < 0 ? err_set(err, r, "cannot record the mount on '%s'", mountpoint) : 0;
}

/* A pidfd of the daemon that a record names; -ESRCH and others if there is none. */
static int open_daemon(int dirfd, const char *name)
{
	auto_free char *text = NULL;
	struct proc_id id;
	int r;

	r = at_read_file(dirfd, name, LIMIT_RECORD_BYTES, &text, NULL);
	if (r < 0)
		return r;
	if (sscanf(text, "%d %" SCNu64, &id.pid, &id.start) != 2)
		return -ESRCH;
	return proc_open(&id);
}

int mountd_unmount(const char *mountpoint, struct err *err)
{
	auto_fd dirfd = open_records(err);
	auto_fd daemon = -1;
	struct pollfd p = { .events = POLLIN };
	char name[32];
	int r;

	if (dirfd < 0)
		return dirfd;
	/* The mount of a daemon that died cannot be examined, and has to go all the same. */
	if (record_name(mountpoint, name) == 0)
		daemon = open_daemon(dirfd, name);
	r = ovl_unmount(mountpoint, err);
	if (r < 0 || daemon < 0)
		return r;
	p.fd = daemon;
	if (poll(&p, 1, END_MS) == 0)
		return err_say(err, -EBUSY, "its process goes on writing");
	(void)unlinkat(dirfd, name, 0);
	return 0;
}
