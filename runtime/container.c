/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's life, as its monitor lives it
 *
 * Invariants: - state.json is written before the program begins and after it has ended; a
 *               container that never began leaves nothing
 *             - whatever fails, ctr_end() ends every process that was started
 *             - the terminal has its mode back before anything is printed
 */
#include "runtime/container.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/seccomp_cache.h"
#include "runtime/spec_check.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

void ctr_init(struct container *c)
{
	memset(c, 0, sizeof(*c));
	c->ns = (struct userns)USERNS_INIT;
	c->dir = (struct ctr_dir)CTR_DIR_INIT;
	c->root = (struct rootproc)ROOTPROC_INIT;
	c->monitor.signal_fd = -1;
	ctr_stage_init(&c->stage, NULL);
	tty_init(&c->tty, -1, -1);
}

int ctr_begin(struct container *c, const char *store_path, const char *name, struct err *err)
{
	auto_fd store_fd = -1;
	int r;

	r = userns_enter(&c->ns, err);
	if (r < 0)
		return r;
	store_fd = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store_fd < 0)
		return err_set(err, -errno, "cannot open the store '%s'", store_path);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot become a subreaper");
	record_sweep(store_fd);
	r = ctr_dir_create(store_fd, name, &c->dir, err);
	if (r < 0)
		return r;
	record_init(&c->record, c->dir.id);
	c->record.name = name ? strdup(name) : str_format("%.*s", CTR_SHORT_ID_LEN, c->dir.id);
	return c->record.name ? 0 : err_set(err, -ENOMEM, "cannot make the container");
}

int ctr_configure(struct container *c, const char *json, size_t len, struct err *err)
{
	int r;

	r = at_replace_file(c->dir.fd, "config.json", json, len, 0600, 0);
	if (r < 0)
		return err_set(err, r, "cannot write the container's configuration");
	r = spec_parse(json, len, &c->spec, err);
	if (r >= 0 && !c->spec->process)
		r = err_say(err, -EINVAL, "the configuration has no process");
	return r < 0 ? r : spec_check(c->spec, err);
}

static int move_state(struct container *c, enum ctr_event event, struct err *err)
{
	int r = state_next(c->record.state, event, &c->record.state);

	return r < 0 ? err_say(err, r, "the container is %s", state_name(c->record.state)) : 0;
}

/* ---- start ---- */

static int open_ns(pid_t pid, const char *name)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* While the inside mounts: both take about as long. */
static int start_network(struct container *c, struct network *network, struct err *err)
{
	auto_fd userns_fd = open_ns(c->stage.pid, "user");
	auto_fd netns_fd = open_ns(c->stage.pid, "net");
	const struct network_place place = { .userns_fd = userns_fd,
		.netns_fd = netns_fd,
		.watch_fd = c->stage.pidfd,
		.rundir_fd = c->ns.rundir_fd,
		.id = c->dir.id };

	if (userns_fd < 0 || netns_fd < 0)
		return err_set(err, -ESRCH, "cannot open the container's network namespace");
	c->network = network;
	return network_start(network, &place, err);
}

static int prepare(struct container *c, const struct ctr_start_opts *opts, struct err *err)
{
	int r;

	ctr_stage_init(&c->stage, c->spec);
	c->stage.setgroups_denied = c->ns.single_id;
	if (!opts->interactive)
		c->stage.stdio[0] = -1;
	r = rootfs_open(&c->stage.rootfs, c->spec, c->dir.fd, opts->root_mount, err);
	if (r >= 0 && c->spec->seccomp) {
		r = sec_compile_cached(c->ns.rundir_fd, c->spec->seccomp, &c->filter, err);
		c->stage.filter = &c->filter;
	}
	return r;
}

static int spawn(struct container *c, const struct ctr_start_opts *opts, struct err *err)
{
	int r;

	r = ctr_stage_spawn(&c->stage, err);
	if (r < 0)
		return r;
	if (c->root.sock >= 0)
		rootproc_guard(&c->root, c->stage.pidfd);
	r = opts->network ? start_network(c, opts->network, err) : 0;
	if (r >= 0)
		r = proc_id_of(c->stage.pid, &c->record.init);
	return r < 0 ? r : ctr_stage_wait_ready(&c->stage, err);
}

int ctr_create(struct container *c, const struct ctr_start_opts *opts, struct err *err)
{
	int r;

	c->interactive = opts->interactive;
	r = prepare(c, opts, err);
	if (r >= 0)
		r = spawn(c, opts, err);
	if (r >= 0)
		r = move_state(c, EV_PREPARED, err);
	return r < 0 ? rootproc_explain(&c->root, r, err) : 0;
}

/* The record goes first: who sees the program run finds its container written down. */
static int run_program(struct container *c, struct err *err)
{
	int r;

	r = move_state(c, EV_START, err);
	if (r >= 0)
		r = record_write(&c->dir, &c->record, err);
	if (r >= 0 && !c->record.auto_remove)
		r = ctr_dir_keep(&c->dir, err);
	if (r >= 0)
		r = monitor_init(&c->monitor, err);
	if (r >= 0 && c->stage.pty_fd >= 0) {
		tty_init(&c->tty, c->interactive ? STDIN_FILENO : -1, STDOUT_FILENO);
		r = tty_attach(&c->tty, fd_take(&c->stage.pty_fd), err);
		c->monitor.tty = &c->tty;
	}
	if (r >= 0)
		r = ctr_stage_start(&c->stage, err);
	if (r < 0)
		return r;
	c->started = true;
	return 0;
}

int ctr_start(struct container *c, struct err *err)
{
	int r = run_program(c, err);

	if (r < 0) {
		tty_done(&c->tty);
		return rootproc_explain(&c->root, r, err);
	}
	log_debug("run", "started id=%s pid=%d", c->dir.id, (int)c->stage.pid);
	return 0;
}

int ctr_wait(struct container *c, struct err *err)
{
	int code;

	c->monitor.pidfd = c->stage.pidfd;
	c->monitor.root_pidfd = c->root.pidfd;
	c->monitor.net_pidfd = c->network ? c->network->pidfd : -1;
	code = monitor_run(&c->monitor, err);
	if (code >= 0) {
		cleanup_fd(&c->stage.pidfd);
		c->stage.pidfd = -1;
		c->record.exit_code = code;
	}
	return code;
}

/* ---- end ---- */

static void end_processes(struct container *c)
{
	bool throw_away = !c->started || c->record.auto_remove;

	ctr_stage_done(&c->stage);
	/* Not all children: others are of whoever called exec to run us, and may wait for our end. */
	if (c->network)
		network_end(c->network);
	c->network = NULL;
	rootproc_end(&c->root, throw_away ? ROOTPROC_KILL : 0);
}

static void end_record(struct container *c)
{
	struct err err = ERR_INIT;
	int r = 0;

	if (c->dir.fd < 0)
		return;
	if (c->started && !c->record.auto_remove) {
		c->record.finished_s = time(NULL);
		r = move_state(c, EV_EXITED, &err);
		if (r >= 0)
			r = record_write(&c->dir, &c->record, &err);
	} else {
		r = ctr_dir_remove(&c->dir, c->record.name, &err);
	}
	if (r < 0)
		log_warning("run", "%s", err.text);
}

void ctr_end(struct container *c)
{
	tty_done(&c->tty);
	end_processes(c);
	end_record(c);
	monitor_done(&c->monitor);
	ctr_dir_close(&c->dir);
	record_done(&c->record);
	sec_filter_done(&c->filter);
	spec_free(c->spec);
	userns_leave(&c->ns);
}
