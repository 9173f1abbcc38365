/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's life, as its monitor lives it
 *
 * Invariants: - state.json is written before the program begins and after it has ended; a
 *               container that never began and was not there before leaves nothing
 *             - whatever fails, ctr_end() ends every process that was started
 *             - a client learns the exit code when nothing of the container is left to do
 */
#include "runtime/container.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/ctrcgroup.h"
#include "runtime/initprog.h"
#include "runtime/seccomp_cache.h"
#include "runtime/spec_check.h"
#include "runtime/volstore.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

void ctr_init(struct container *c)
{
	memset(c, 0, offsetof(struct container, monitor));
	c->ns = (struct userns)USERNS_INIT;
	c->store_fd = c->cgroup_fd = c->userns_fd = c->netns_fd = -1;
	c->dir = (struct ctr_dir)CTR_DIR_INIT;
	c->root = (struct rootproc)ROOTPROC_INIT;
	c->network = NULL;
	c->kept = c->started = false;
	ctropts_init(&c->opts);
	monitor_init(&c->monitor);
	ctr_stage_init(&c->stage, NULL);
}

/* The parent namespace, and the store as it is seen there. */
static int enter(struct container *c, const char *store_path, struct err *err)
{
	int r;

	r = userns_enter(&c->ns, err);
	if (r < 0)
		return r;
	c->store_fd = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->store_fd < 0)
		return err_set(err, -errno, "cannot open the store '%s'", store_path);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot become a subreaper");
	record_sweep(c->store_fd, c->ns.rundir_fd);
	return 0;
}

int ctr_begin(struct container *c, const char *store_path, const char *name, struct err *err)
{
	int r = enter(c, store_path, err);

	if (r >= 0)
		r = ctr_dir_create(c->store_fd, name, &c->dir, err);
	if (r < 0)
		return r;
	record_init(&c->record, c->dir.id);
	c->record.name = name ? strdup(name) : str_format("%.*s", CTR_SHORT_ID_LEN, c->dir.id);
	return c->record.name ? 0 : err_set(err, -ENOMEM, "cannot make the container");
}

static int read_config(struct container *c, const char *json, size_t len, struct err *err)
{
	int r = spec_parse(json, len, &c->spec, err);

	if (r >= 0 && !c->spec->process)
		r = err_say(err, -EINVAL, "the configuration has no process");
	return r < 0 ? r : spec_check(c->spec, err);
}

int ctr_open(struct container *c, const char *store_path, const char *ref, struct err *err)
{
	auto_free char *json = NULL;
	char id[CTR_ID_LEN + 1];
	size_t len;
	int r = enter(c, store_path, err);

	if (r >= 0)
		r = record_find(c->store_fd, ref, id, err);
	if (r >= 0)
		r = ctr_dir_take(c->store_fd, id, &c->dir, err);
	if (r < 0)
		return r;
	c->kept = true;
	r = record_load(&c->dir, &c->record, err);
	if (r >= 0)
		r = ctropts_read(c->dir.fd, &c->opts, err);
	if (r < 0)
		return r;
	r = at_read_file(c->dir.fd, "config.json", LIMIT_SPEC_BYTES, &json, &len);
	return r < 0 ? err_set(err, r, "cannot read the container's configuration")
		     : read_config(c, json, len, err);
}

int ctr_configure(struct container *c, const char *json, size_t len, struct err *err)
{
	int r;

	r = at_replace_file(c->dir.fd, "config.json", json, len, 0600, 0);
	if (r < 0)
		return err_set(err, r, "cannot write the container's configuration");
	r = read_config(c, json, len, err);
	return r < 0 ? r : ctropts_write(c->dir.fd, &c->opts, err);
}

static int move_state(struct container *c, enum ctr_event event, struct err *err)
{
	int r = state_next(c->record.state, event, &c->record.state);

	return r < 0 ? err_say(err, r, "the container is %s", state_name(c->record.state)) : 0;
}

int ctr_save(struct container *c, struct err *err)
{
	int r;

	r = move_state(c, EV_CONFIGURED, err);
	if (r >= 0)
		r = record_write(&c->dir, &c->record, err);
	if (r >= 0)
		r = ctr_dir_keep(&c->dir, err);
	c->kept = r >= 0;
	return r;
}

/* ---- streams ---- */

/* A terminal in the container's hands could be fed with input for the caller's shell. */
static bool is_direct(const struct container *c, const struct ctr_start_opts *opts, int fd)
{
	const char *driver = c->opts.log_driver;

	if (!(opts->flags & CTR_FOREGROUND) || isatty(fd))
		return false;
	if (fd == STDIN_FILENO)
		return true;
	if (opts->flags & CTR_PIPED)
		return false;
	return driver ? str_eq(driver, "passthrough") : c->record.auto_remove;
}

/* The container's end belongs to its user, who may open it again as /dev/stdout. */
static int make_pipe(struct container *c, int inside, int fds[2], struct err *err)
{
	uint32_t uid = c->spec->process->user.uid, gid = c->spec->process->user.gid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	/* Ids of the parent namespace. */
	(void)idmap_out(&c->spec->uid_map, uid, &uid);
	(void)idmap_out(&c->spec->gid_map, gid, &gid);
	if (fcntl(fds[!inside], F_SETFL, O_NONBLOCK) < 0 ||
		(fchown(fds[inside], uid, gid) < 0 && errno != EINVAL && errno != EPERM)) {
		int r = err_set(err, -errno, "cannot prepare a pipe");

		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	return 0;
}

/* @ret_inside: ends of the container's, to be closed when it has them. */
static int make_streams(
	struct container *c, const struct ctr_start_opts *opts, int ret_inside[3], struct err *err)
{
	struct streams *s = &c->monitor.streams;
	int fds[2], r;

	if (c->spec->process->terminal)
		return 0;
	c->stage.stdio[0] = -1;
	if (c->opts.interactive && is_direct(c, opts, STDIN_FILENO)) {
		c->stage.stdio[0] = STDIN_FILENO;
	} else if (c->opts.interactive) {
		r = make_pipe(c, 0, fds, err);
		if (r < 0)
			return r;
		c->stage.stdio[0] = ret_inside[0] = fds[0];
		s->in_fd = fds[1];
	}
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		if (is_direct(c, opts, fd)) {
			c->stage.stdio[fd] = fd;
			continue;
		}
		r = make_pipe(c, 1, fds, err);
		if (r < 0)
			return r;
		c->stage.stdio[fd] = ret_inside[fd] = fds[1];
		s->out_fds[fd - STDOUT_FILENO] = fds[0];
	}
	return 0;
}

static int open_log(struct container *c, const struct ctr_start_opts *opts, struct err *err)
{
	const char *driver = c->opts.log_driver;

	if (driver ? !str_eq(driver, "file")
		   : opts->flags & CTR_FOREGROUND && c->record.auto_remove)
		return 0;
	return logfile_open(&c->monitor.streams.log, c->dir.fd, c->opts.log_max_bytes, err);
}

/* The size comes before the first byte: from whichever of our streams is a terminal. */
static int take_terminal(struct container *c, unsigned int flags, struct err *err)
{
	struct winsize ws = { 0 };
	int r;

	if (c->stage.pty_fd < 0)
		return 0;
	r = streams_set_terminal(&c->monitor.streams, fd_take(&c->stage.pty_fd), err);
	if (r < 0)
		return r;
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_row && ws.ws_col)
			break;
	streams_set_size(&c->monitor.streams, ws.ws_row, ws.ws_col);
	if (flags & CTR_FOREGROUND)
		ttyguard_take(&c->monitor.streams.owner_tty);
	return 0;
}

/* From now on the caller's streams are the client's alone; warnings go to its stderr while it waits. */
static void leave_streams(unsigned int flags)
{
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	if (!(flags & CTR_FOREGROUND) && !log_is_debug())
		(void)dup2(null, STDERR_FILENO);
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

/*
 * The inside exists and waits.  Its namespaces are opened now: once it has changed its user, the
 * kernel shows them to nobody but real root.
 */
static int meet_inside(void *arg, pid_t pid, struct err *err)
{
	struct container *c = arg;

	if (c->stage.netns_fd >= 0) {
		c->netns_fd = fd_take(&c->stage.netns_fd);
		c->userns_fd = ioctl(c->netns_fd, NS_GET_USERNS);
	} else {
		c->userns_fd = open_ns(pid, "user");
		c->netns_fd = open_ns(pid, "net");
	}
	if (c->userns_fd < 0 || c->netns_fd < 0)
		return err_set(err, -ESRCH, "cannot open the container's network namespace");
	return c->cgroup_fd >= 0 ? cgroup_add(c->cgroup_fd, pid, err) : 0;
}

static void close_namespaces(struct container *c)
{
	cleanup_fd(&c->userns_fd);
	cleanup_fd(&c->netns_fd);
	c->userns_fd = c->netns_fd = -1;
}

/*
 * The processes of the network live as long as the container, and warn on our error output.  In the
 * background nobody reads that, but may wait for its end.
 */
static int start_quietly(struct network *n, const struct network_place *place, struct err *err)
{
	auto_fd saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r;

	if (saved < 0 || null < 0 || dup2(null, STDERR_FILENO) < 0)
		return err_set(err, -errno, "cannot start the network");
	r = network_start(n, place, err);
	(void)dup2(saved, STDERR_FILENO);
	return r;
}

/* While the inside mounts: both take about as long. */
static int start_network(
	struct container *c, struct network *network, unsigned int flags, struct err *err)
{
	const struct network_place place = { .userns_fd = c->userns_fd,
		.netns_fd = c->netns_fd,
		.pid = c->stage.pid,
		.watch_fd = c->stage.pidfd,
		.rundir_fd = c->ns.rundir_fd,
		.id = c->dir.id };
	int r;

	c->network = network;
	r = flags & CTR_FOREGROUND || log_is_debug() ? network_start(network, &place, err)
						     : start_quietly(network, &place, err);
	close_namespaces(c);
	return r;
}

static int prepare_cgroup(struct container *c, struct err *err)
{
	int r;

	free(c->record.cgroup);
	c->record.cgroup = NULL;
	if (c->opts.no_cgroup)
		return 0;
	r = ctrcgroup_prepare(
		c->dir.id, &c->spec->resources, &c->record.cgroup, &c->cgroup_fd, err);
	return r;
}

static int prepare(struct container *c, struct ctr_start_opts *opts, struct err *err)
{
	int r;

	ctr_stage_init(&c->stage, c->spec);
	c->stage.setgroups_denied = c->ns.single_id || c->opts.keep_groups;
	c->stage.n_preserve_fds = opts->n_preserve_fds;
	c->stage.enter_cgroup = meet_inside;
	c->stage.arg = c;
	r = rootfs_open(&c->stage.rootfs, c->spec, c->dir.fd, fd_take(&opts->root_mount), err);
	if (r >= 0 && c->spec->seccomp) {
		r = sec_compile_cached(c->ns.rundir_fd, c->spec->seccomp, &c->filter, err);
		c->stage.filter = &c->filter;
	}
	if (r >= 0 && c->opts.init)
		r = c->stage.init_fd = initprog_open(err);
	if (r >= 0)
		r = prepare_cgroup(c, err);
	return r < 0 ? r : open_log(c, opts, err);
}

static int spawn(struct container *c, const struct ctr_start_opts *opts, struct err *err)
{
	int inside[3] = { -1, -1, -1 };
	int r;

	r = make_streams(c, opts, inside, err);
	if (r >= 0)
		r = ctr_stage_spawn(&c->stage, err);
	for (int i = 0; i < 3; i++)
		cleanup_fd(&inside[i]);
	if (r < 0)
		return r;
	if (c->root.sock >= 0)
		rootproc_guard(&c->root, c->stage.pidfd);
	r = opts->network ? start_network(c, opts->network, opts->flags, err) : 0;
	if (r >= 0)
		r = proc_id_of(c->stage.pid, &c->record.init);
	return r < 0 ? r : ctr_stage_wait_ready(&c->stage, err);
}

int ctr_create(struct container *c, struct ctr_start_opts *opts, struct err *err)
{
	int r;

	r = prepare(c, opts, err);
	if (r >= 0)
		r = spawn(c, opts, err);
	if (r >= 0)
		r = move_state(c, EV_PREPARED, err);
	return r < 0 ? rootproc_explain(&c->root, r, err) : 0;
}

static int write_pid_file(const struct container *c, struct err *err)
{
	const char *path = c->opts.pid_file;
	const char *name = path ? strrchr(path, '/') : NULL;
	auto_free char *dir = NULL;
	auto_fd dirfd = -1;
	char text[16];
	int r;

	if (!name)
		return 0;
	dir = strndup(path, (size_t)(name - path) + 1);
	if (!dir)
		return err_set(err, -ENOMEM, "cannot write '%s'", path);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(text, sizeof(text), "%d", (int)c->stage.pid);
	r = dirfd < 0 ? -errno : at_replace_file(dirfd, name + 1, text, strlen(text), 0644, 0);
	return r < 0 ? err_set(err, r, "cannot write '%s'", path) : 0;
}

/* What the record says of an earlier life is over. */
static void begin_life(struct container *c)
{
	(void)proc_id_of(getpid(), &c->record.monitor);
	record_stamp_boot(&c->record);
	c->record.exit_code = -1;
	c->record.started_s = c->record.finished_s = 0;
}

static int write_created(struct container *c, struct err *err)
{
	begin_life(c);
	return record_write(&c->dir, &c->record, err);
}

/* The record goes first: who sees the program run finds its container written down. */
static int write_running(struct container *c, struct err *err)
{
	int r = move_state(c, EV_START, err);

	begin_life(c);
	c->record.started_s = time(NULL);
	if (r >= 0)
		r = record_write(&c->dir, &c->record, err);
	if (r < 0 || c->kept != c->record.auto_remove)
		return r;
	return c->kept ? ctr_dir_doom(&c->dir, err) : ctr_dir_keep(&c->dir, err);
}

static int tell_started(struct container *c, struct ctr_start_opts *opts, struct err *err)
{
	struct attach_msg m = { .kind = ATTACH_STARTED };
	int client = fd_take(&opts->client), r;

	if (client < 0)
		return 0;
	memcpy(m.data, c->dir.id, CTR_ID_LEN);
	r = attach_send(client, &m, CTR_ID_LEN, ATTACH_WAIT);
	if (r >= 0 && opts->flags & (CTR_FOREGROUND | CTR_ATTACHED))
		return streams_add_client(
			&c->monitor.streams, client, opts->flags & CTR_FOREGROUND);
	(void)close(client);
	return r < 0 ? err_set(err, r, "cannot tell that the container has started") : 0;
}

/* An initialized container tells so, and goes on when it is told to. */
static int wait_for_start(struct container *c, struct ctr_start_opts *opts, struct err *err)
{
	int r;

	if (!(opts->flags & CTR_WAIT_START))
		return 0;
	r = write_created(c, err);
	if (r >= 0)
		r = tell_started(c, opts, err);
	leave_streams(0);
	if (r >= 0)
		r = monitor_wait_start(&c->monitor, err);
	if (r < 0)
		return r;
	opts->client = fd_take(&c->monitor.streams.starter_fd);
	opts->flags |= CTR_ATTACHED;
	return 0;
}

static int run_program(struct container *c, struct ctr_start_opts *opts, struct err *err)
{
	int r;

	c->monitor.pidfd = c->stage.pidfd;
	c->monitor.root_pidfd = c->root.pidfd;
	c->monitor.net_pidfd = c->network ? c->network->pidfd : -1;
	c->monitor.timeout_s = (uint32_t)c->opts.timeout_s;
	r = monitor_hold_signals(&c->monitor, err);
	if (r >= 0)
		r = take_terminal(c, opts->flags, err);
	if (r >= 0)
		r = c->monitor.streams.listen_fd = attach_listen(c->ns.rundir_fd, c->dir.id, err);
	if (r >= 0)
		r = write_pid_file(c, err);
	if (r >= 0)
		r = wait_for_start(c, opts, err);
	if (r >= 0)
		r = write_running(c, err);
	if (r >= 0)
		r = ctr_stage_start(&c->stage, err);
	c->started = r >= 0;
	return r;
}

int ctr_start(struct container *c, struct ctr_start_opts *opts, struct err *err)
{
	int r = run_program(c, opts, err);

	if (r < 0) {
		c->record.exit_code = c->stage.exit_code;
		return rootproc_explain(&c->root, r, err);
	}
	log_debug("run", "started id=%s pid=%d", c->dir.id, (int)c->stage.pid);
	r = tell_started(c, opts, err);
	leave_streams(opts->flags);
	return r;
}

int ctr_wait(struct container *c, struct err *err)
{
	int code;

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
	bool throw_away = c->started ? c->record.auto_remove : !c->kept;

	ctr_stage_done(&c->stage);
	close_namespaces(c);
	/* Not all children: others are of whoever called exec to run us, and may wait for our end. */
	if (c->network)
		network_end(c->network);
	c->network = NULL;
	rootproc_end(&c->root, throw_away ? ROOTPROC_KILL : 0);
	cleanup_fd(&c->cgroup_fd);
	c->cgroup_fd = -1;
	ctrcgroup_remove(c->record.cgroup);
	free(c->record.cgroup);
	c->record.cgroup = NULL;
}

static void end_record(struct container *c)
{
	struct err err = ERR_INIT;
	int r = 0;

	if (c->dir.fd < 0)
		return;
	/* A start that failed leaves a container as it was. */
	if (c->kept && !c->started && !state_is_live(c->record.state))
		return;
	if (!c->record.auto_remove && (c->kept || c->started)) {
		c->record.finished_s = time(NULL);
		r = move_state(c, EV_EXITED, &err);
		if (r >= 0)
			r = record_write(&c->dir, &c->record, &err);
	} else {
		r = ctr_dir_remove(&c->dir, c->record.name, &err);
		for (size_t i = 0; r >= 0 && i < c->opts.own_volumes.n; i++)
			(void)volstore_remove(c->store_fd, c->opts.own_volumes.v[i], NULL);
	}
	if (r < 0)
		log_warning("run", "%s", err.text);
}

void ctr_end(struct container *c, int exit_code)
{
	end_processes(c);
	if (c->monitor.streams.listen_fd >= 0)
		attach_unlink(c->ns.rundir_fd, c->dir.id);
	end_record(c);
	ctr_dir_close(&c->dir);
	record_done(&c->record);
	ctropts_done(&c->opts);
	sec_filter_done(&c->filter);
	spec_free(c->spec);
	userns_leave(&c->ns);
	cleanup_fd(&c->store_fd);
	c->store_fd = -1;
	/* Last: a client may take its time. */
	if (exit_code >= 0)
		streams_finish(&c->monitor.streams, exit_code);
	monitor_done(&c->monitor);
}
