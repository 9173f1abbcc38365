/* SPDX-License-Identifier: Apache-2.0 */
/* A running container whose network a verb changes (the contract is in the header). */
#include "runtime/cli/running.h"

#include "base/cleanup.h"
#include "base/proc.h"

#include <fcntl.h>

int running_open(struct running *ret, const char *root, const char *ref, struct err *err)
{
	char id[CTR_ID_LEN + 1];
	int r;

	*ret = (struct running){ .ns = USERNS_INIT, .pidfd = -1, .netns_fd = -1 };
	r = userns_enter(&ret->ns, err);
	if (r >= 0)
		r = img_store_open(&ret->store, root, err);
	if (r >= 0)
		r = record_find(img_store_dirfd(ret->store), ref, id, err);
	if (r >= 0)
		r = record_read(img_store_dirfd(ret->store), id, &ret->rec, err);
	if (r < 0)
		return r;
	ret->pidfd = proc_open(&ret->rec.init);
	return ret->pidfd < 0 ? err_say(err, -ESRCH, "container '%s' is not running", ref) : 0;
}

void running_close(struct running *c)
{
	cleanup_fd(&c->netns_fd);
	cleanup_fd(&c->pidfd);
	record_done(&c->rec);
	img_store_close(c->store);
	userns_leave(&c->ns);
}

int running_place(struct running *c, struct network_place *ret, struct err *err)
{
	auto_free char *path = str_format("/proc/%d/ns/net", (int)c->rec.init.pid);

	if (!path)
		return err_set(err, -ENOMEM, "network");
	c->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (c->netns_fd < 0)
		return err_set(err, -errno, "cannot open the container's network");
	*ret = (struct network_place){ .netns_fd = c->netns_fd,
		.userns_fd = -1,
		.pid = c->rec.init.pid,
		.watch_fd = c->pidfd,
		.rundir_fd = c->ns.rundir_fd,
		.id = c->rec.id };
	return 0;
}
