/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to containers from outside (the contract is in the header). */
#include "runtime/control.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/attach.h"
#include "runtime/ctrcgroup.h"
#include "runtime/volstore.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

/* How long a monitor may take to write down the end of a container that was killed. */
#define END_MS 20000

void control_ctr_done(struct control_ctr *c)
{
	record_done(&c->record);
	ctropts_done(&c->opts);
}

int control_open_dir(const struct control *ctl, const char *id, struct err *err)
{
	char path[sizeof("containers/") + CTR_ID_LEN];
	int fd;

	snprintf(path, sizeof(path), "containers/%s", id);
	fd = at_open(ctl->store_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	return fd < 0 ? err_set(err, fd, "cannot open container '%.12s'", id) : fd;
}

int control_open(
	const struct control *ctl, const char *ref, struct control_ctr *ret, struct err *err)
{
	struct control_ctr c = { 0 };
	char id[CTR_ID_LEN + 1];
	auto_fd dirfd = -1;
	int r;

	r = record_find(ctl->store_fd, ref, id, err);
	if (r >= 0)
		r = record_read(ctl->store_fd, id, &c.record, err);
	if (r < 0)
		return r;
	if (c.record.state == CTR_RUNNING && ctrcgroup_is_frozen(&c.record))
		c.record.state = CTR_PAUSED;
	dirfd = control_open_dir(ctl, id, err);
	r = dirfd < 0 ? dirfd : ctropts_read(dirfd, &c.opts, err);
	if (r < 0)
		record_done(&c.record);
	else
		*ret = c;
	return r;
}

int control_spec(const struct control *ctl, const char *id, struct spec **ret, struct err *err)
{
	auto_fd dirfd = control_open_dir(ctl, id, err);
	auto_free char *text = NULL;
	size_t len;
	int r;

	if (dirfd < 0)
		return dirfd;
	r = at_read_file(dirfd, "config.json", LIMIT_SPEC_BYTES, &text, &len);
	return r < 0 ? err_set(err, r, "cannot read the configuration of '%.12s'", id)
		     : spec_parse(text, len, ret, err);
}

int control_init(const struct record *r, struct err *err)
{
	int fd = state_is_live(r->state) ? proc_open(&r->init) : -ESRCH;

	if (fd == -ESRCH)
		return err_say(err, fd, "container '%s' is not running", r->name);
	return fd < 0 ? err_set(err, fd, "container '%s'", r->name) : fd;
}

int control_open_root(const struct record *r, int init, struct err *err)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)r->init.pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	/* The number may have become somebody else's before it was opened. */
	if (proc_has_ended(init) || fd == -ENOENT || fd == -ESRCH) {
		cleanup_fd(&fd);
		return err_say(err, -ESRCH, "container '%s' has ended", r->name);
	}
	return fd < 0 ? err_set(err, fd, "cannot open its root directory") : fd;
}

int control_kill(const struct record *r, int sig, struct err *err)
{
	auto_fd init = control_init(r, err);
	int ret;

	if (init < 0)
		return init;
	ret = proc_kill(init, sig);
	return ret < 0 ? err_set(err, ret, "cannot signal container '%s'", r->name) : 0;
}

int control_freeze(const struct record *r, bool on, struct err *err)
{
	auto_fd fd = ctrcgroup_open(r, err);

	return fd < 0 ? fd : cgroup_freeze(fd, on, err);
}

static int stop_signal(const struct control *ctl, const char *id)
{
	auto_spec *spec = NULL;
	const char *text;

	if (control_spec(ctl, id, &spec, NULL) < 0)
		return SIGTERM;
	text = spec_annotation(spec, "org.opencontainers.image.stopSignal");
	if (!text || strtol(text, NULL, 10) <= 0)
		return SIGTERM;
	return (int)strtol(text, NULL, 10);
}

/* Whether the process of a pidfd has ended within the time. */
static bool ends_within(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) > 0;
}

/* Kill the first process and wait for the monitor, which ends soon after it. */
static void end_now(const struct record *r)
{
	auto_fd init = proc_open(&r->init);
	auto_fd monitor = proc_open(&r->monitor);

	if (init >= 0)
		(void)proc_kill(init, SIGKILL);
	/* One that waits for a client, or hangs, has no container any more. */
	if (monitor >= 0 && !ends_within(monitor, END_MS))
		(void)proc_kill(monitor, SIGKILL);
	if (monitor >= 0)
		(void)proc_wait(monitor);
}

int control_stop(
	const struct control *ctl, const struct record *r, uint64_t timeout_s, struct err *err)
{
	auto_fd init = -1;
	int ret;

	if (!state_is_live(r->state))
		return 0;
	init = proc_open(&r->init);
	if (r->state == CTR_PAUSED)
		(void)control_freeze(r, false, NULL);
	if (init >= 0 && r->state != CTR_CREATED && timeout_s > 0) {
		ret = proc_kill(init, stop_signal(ctl, r->id));
		if (ret < 0 && ret != -ESRCH)
			return err_set(err, ret, "cannot signal container '%s'", r->name);
		(void)ends_within(init, timeout_s > INT32_MAX / 1000 ? -1 : (int)timeout_s * 1000);
	}
	end_now(r);
	return 0;
}

/* What the monitor says last; -ENODATA if it cannot. */
static int hear_exit(int rundir_fd, const char *id)
{
	auto_fd sock = attach_connect(rundir_fd, id);
	struct attach_msg m;
	size_t len;
	int r;

	if (sock < 0)
		return -ENODATA;
	r = attach_send_kind(sock, ATTACH_QUIET);
	/* What it wrote before our message counts for nothing. */
	while (r >= 0 && attach_recv(sock, &m, &len) == 1)
		if (m.kind == ATTACH_EXIT && len >= sizeof(m.number))
			return m.number;
	return -ENODATA;
}

int control_wait(const struct control *ctl, const struct record *r, struct err *err)
{
	struct record now;
	int code;

	if (r->state == CTR_CONFIGURED)
		return err_say(err, -ESRCH, "container '%s' was not started", r->name);
	code = state_is_live(r->state) ? hear_exit(ctl->rundir_fd, r->id) : -ENODATA;
	if (code >= 0)
		return code;
	if (state_is_live(r->state)) {
		auto_fd monitor = proc_open(&r->monitor);

		if (monitor >= 0)
			(void)proc_wait(monitor);
	}
	if (record_read(ctl->store_fd, r->id, &now, err) < 0)
		return err_say(err, -ENODATA, "container '%s' is gone", r->name);
	code = now.exit_code;
	record_done(&now);
	return code >= 0 ? code
			 : err_say(err, -ENODATA, "nobody saw the end of container '%s'", r->name);
}

int control_remove(const struct control *ctl, const char *ref, unsigned int flags, struct err *err)
{
	bool force = flags & CONTROL_FORCE;
	struct ctr_dir d = CTR_DIR_INIT;
	struct record rec = { .state = CTR_STOPPED };
	struct ctropts opts = { 0 };
	char id[CTR_ID_LEN + 1];
	int r;

	r = record_find(ctl->store_fd, ref, id, err);
	if (r < 0)
		return r == -ENOENT && force ? 0 : r;
	r = record_read(ctl->store_fd, id, &rec, err);
	if (r == -ENOENT && force)
		return 0; /* it is being made, or removed */
	if (r < 0 && !force)
		return r == -ENOENT ? r : err_hint(err, r, "lamina rm --force %s", ref);
	/* Whether it lives, its lock says; the name goes when another wants it. */
	if (r < 0)
		rec = (struct record){ .state = CTR_STOPPED };
	if (state_is_live(rec.state) && force)
		end_now(&rec);
	r = ctr_dir_take(ctl->store_fd, id, &d, err);
	if (r == -ENOENT && force)
		r = 0; /* it removed itself */
	else if (r >= 0) {
		if (ctropts_read(d.fd, &opts, NULL) < 0)
			opts = (struct ctropts){ 0 };
		attach_unlink(ctl->rundir_fd, id);
		r = ctr_dir_remove(&d, rec.name, err);
	}
	for (size_t i = 0; flags & CONTROL_VOLUMES && r >= 0 && i < opts.own_volumes.n; i++)
		(void)volstore_remove(ctl->store_fd, opts.own_volumes.v[i], NULL);
	ctropts_done(&opts);
	if (r == -EBUSY)
		err_hint(err, r, "lamina rm --force %s", ref);
	record_done(&rec);
	ctr_dir_close(&d);
	return r;
}
