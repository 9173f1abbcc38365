/* SPDX-License-Identifier: Apache-2.0 */
/* FUSE_TMPFILE (the contract is in the header). */
#include "overlay/fuse_tmpfile.h"

#include "base/cleanup.h"
#include "overlay/ops.h"

#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define TMPFILE 51 /* FUSE_TMPFILE, protocol 7.37: younger than some headers */

struct answer {
	struct fuse_out_header head;
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

static void fill_attr(const struct stat *st, struct fuse_attr *a)
{
	a->ino = st->st_ino;
	a->size = (uint64_t)st->st_size;
	a->blocks = (uint64_t)st->st_blocks;
	a->atime = (uint64_t)st->st_atim.tv_sec;
	a->mtime = (uint64_t)st->st_mtim.tv_sec;
	a->ctime = (uint64_t)st->st_ctim.tv_sec;
	a->atimensec = (uint32_t)st->st_atim.tv_nsec;
	a->mtimensec = (uint32_t)st->st_mtim.tv_nsec;
	a->ctimensec = (uint32_t)st->st_ctim.tv_nsec;
	a->mode = st->st_mode;
	a->nlink = (uint32_t)st->st_nlink;
	a->uid = st->st_uid;
	a->gid = st->st_gid;
	a->blksize = (uint32_t)st->st_blksize;
}

bool fuse_tmpfile_serve(const struct fuse_adapter *a, int fd, const void *request, size_t len)
{
	const struct fuse_in_header *in = request;
	const struct fuse_create_in *arg = (const void *)(in + 1);
	struct answer out = { .head = { .unique = in->unique } };
	struct iovec iov = { &out, sizeof(out) };
	struct ovl_entry e;
	int r = -EINVAL;

	if (len < sizeof(*in) || in->opcode != TMPFILE)
		return false;
	if (len >= sizeof(*in) + sizeof(*arg)) {
		const struct ovl_cred cred = { in->uid, in->gid, arg->umask };

		r = ovl_make_unnamed(a->fs, in->nodeid, arg->mode, &cred, &e);
	}
	if (r < 0) {
		out.head.error = r == -EBADMSG ? -EIO : r;
		iov.iov_len = sizeof(out.head);
	} else {
		out.entry.nodeid = e.id;
		out.entry.attr_valid = (uint64_t)a->timeout_s;
		fill_attr(&e.st, &out.entry.attr);
		if (a->ino32)
			out.entry.attr.ino = (uint32_t)(e.st.st_ino ^ (e.st.st_ino << 1 >> 33));
	}
	out.head.len = (uint32_t)iov.iov_len;
	/* Who asked may be gone: the kernel will never forget it then. */
	if (writev(fd, &iov, 1) < 0 && r == 0)
		ovl_forget(a->fs, e.id, 1);
	return true;
}
