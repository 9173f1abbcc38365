/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: logs
 *
 *      log.1, log ──lines──▶ since, until, tail ──▶ stdout, stderr        -f: inotify, monitor's pidfd
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/cli/ctl.h"
#include "runtime/logfile.h"
#include "runtime/when.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

struct logs_opts {
	struct ctl_choice choice;
	bool follow, timestamps, names;
	const char *since, *until, *tail;
};

struct logs {
	const struct logs_opts *o;
	int64_t since_ns, until_ns;
	uint64_t skip; /* lines that --tail leaves out */
	uint64_t n_seen;
	bool counting; /* the first walk of --tail */
	struct {
		bool inside; /* more of the line follows */
		uint64_t number; /* of that line */
	} streams[2];
	const char *name; /* NULL: not shown */
	char data[LIMIT_LOG_LINE + 1]; /* read and not yet a line */
	size_t len;
};

/* ---- lines ---- */

static int show(struct logs *l, const struct log_line *line)
{
	FILE *f = line->stream == LOG_STDERR ? stderr : stdout;
	bool at_start = !l->streams[line->stream].inside;
	char stamp[LOGFILE_STAMP_LEN + 1];

	if (at_start && l->name)
		fprintf(f, "%s ", l->name);
	if (at_start && l->o->timestamps) {
		logfile_stamp(line->time_ns, stamp);
		fprintf(f, "%s ", stamp);
	}
	(void)fwrite(line->text, 1, line->len, f);
	if (!line->partial)
		(void)putc('\n', f);
	return ferror(f) ? -EPIPE : 0;
}

/* A line counts where it begins; pieces of the other stream may stand between its own. */
static int take_line(struct logs *l, const char *text, size_t len)
{
	struct log_line line;
	int r = 0;

	if (logfile_parse(text, len, &line) < 0)
		return 0; /* the disk was full, or the machine went down */
	if (line.time_ns < l->since_ns || line.time_ns > l->until_ns)
		return 0;
	if (!l->streams[line.stream].inside)
		l->streams[line.stream].number = l->n_seen++;
	if (!l->counting && l->streams[line.stream].number >= l->skip)
		r = show(l, &line);
	l->streams[line.stream].inside = line.partial;
	return r;
}

/* Whatever can be read now. */
static int read_lines(struct logs *l, int fd)
{
	for (;;) {
		ssize_t n = read(fd, l->data + l->len, sizeof(l->data) - l->len);
		char *start = l->data, *newline;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		l->len += (size_t)n;
		while ((newline = memchr(start, '\n', l->len - (size_t)(start - l->data)))) {
			int r = take_line(l, start, (size_t)(newline - start));

			if (r < 0)
				return r;
			start = newline + 1;
		}
		l->len -= (size_t)(start - l->data);
		memmove(l->data, start, l->len);
		if (l->len == sizeof(l->data))
			l->len = 0; /* no line of ours */
	}
}

/* ---- files ---- */

static int open_log(int dirfd, const char *name)
{
	return at_open(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

/* Both files from their beginning; the fd of the newer one is left where it ends. */
static int read_all(struct logs *l, int dirfd, int *ret_fd, struct err *err)
{
	auto_fd old = open_log(dirfd, LOGFILE_OLD_NAME);
	auto_fd fd = open_log(dirfd, LOGFILE_NAME);
	int r = 0;

	if (fd < 0 && fd != -ENOENT)
		return err_set(err, fd, "cannot open the log");
	if (old >= 0)
		r = read_lines(l, old);
	l->len = 0;
	if (r >= 0 && fd >= 0)
		r = read_lines(l, fd);
	*ret_fd = fd_take(&fd);
	return r < 0 && r != -EPIPE ? err_set(err, r, "cannot read the log") : r;
}

static int count_tail(struct logs *l, int dirfd, struct err *err)
{
	uint64_t tail = UINT64_MAX;
	int r, fd = -1;

	if (!l->o->tail || str_eq(l->o->tail, "all") || str_eq(l->o->tail, "-1"))
		return 0;
	if (str_to_u64(l->o->tail, UINT64_MAX, &tail) < 0)
		return err_say(err, -EINVAL, "--tail takes a number, not '%s'", l->o->tail);
	l->counting = true;
	r = read_all(l, dirfd, &fd, err);
	cleanup_fd(&fd);
	l->counting = false;
	l->skip = l->n_seen > tail ? l->n_seen - tail : 0;
	l->n_seen = 0;
	memset(l->streams, 0, sizeof(l->streams));
	return r;
}

/* ---- follow ---- */

/* The writer puts long files aside: is @fd still the one that it writes? */
static bool is_current(int dirfd, int fd)
{
	struct stat now, ours;

	return fd >= 0 && fstatat(dirfd, LOGFILE_NAME, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &ours) == 0 && now.st_ino == ours.st_ino;
}

static int read_more(struct logs *l, int dirfd, int *fd)
{
	int r = *fd >= 0 ? read_lines(l, *fd) : 0;

	if (r < 0 || is_current(dirfd, *fd))
		return r;
	/* What was written between the last look and the renaming is read by now. */
	if (*fd >= 0)
		r = read_lines(l, *fd);
	cleanup_fd(fd);
	*fd = open_log(dirfd, LOGFILE_NAME);
	l->len = 0;
	return r >= 0 && *fd >= 0 ? read_lines(l, *fd) : r;
}

static int follow(struct logs *l, int dirfd, int *fd, int monitor, struct err *err)
{
	auto_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[32], events[4096];
	bool ended = false;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return err_set(err, -errno, "cannot watch the log");
	while (r >= 0 && !ended) {
		struct pollfd p[2] = { { .fd = watch, .events = POLLIN },
			{ .fd = monitor, .events = POLLIN } };

		ended = proc_has_ended(monitor);
		r = read_more(l, dirfd, fd);
		if (fflush(NULL) != 0)
			r = -EPIPE;
		if (r < 0 || ended)
			break;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			r = -errno;
		while (read(watch, events, sizeof(events)) > 0)
			;
	}
	return r;
}

/* ---- the verb ---- */

static int parse_times(struct logs *l, struct err *err)
{
	struct timespec now;
	int64_t now_ns;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	l->since_ns = INT64_MIN;
	l->until_ns = INT64_MAX;
	if (l->o->since)
		r = when_parse(l->o->since, now_ns, &l->since_ns, err);
	if (r >= 0 && l->o->until)
		r = when_parse(l->o->until, now_ns, &l->until_ns, err);
	return r;
}

static int logs_of(struct ctl *ctl, const char *ref, void *arg, struct err *err)
{
	struct logs *l = arg;
	auto_control_ctr c = { 0 };
	auto_fd dirfd = -1, fd = -1, monitor = -1;
	int r;

	r = control_open(&ctl->c, ref, &c, err);
	if (r < 0)
		return r;
	dirfd = control_open_dir(&ctl->c, c.record.id, err);
	if (dirfd < 0)
		return dirfd;
	/* Before the first look: what is written later wakes us. */
	monitor = l->o->follow && state_is_live(c.record.state) ? proc_open(&c.record.monitor) : -1;
	if (c.opts.log_driver ? !str_eq(c.opts.log_driver, "file") : c.record.auto_remove) {
		fd = open_log(dirfd, LOGFILE_NAME);
		if (fd < 0)
			return err_say(err, -ENOENT,
				"it has no log: its output went to where it was started");
		cleanup_fd(&fd);
		fd = -1;
	}
	memset(l->streams, 0, sizeof(l->streams));
	l->n_seen = l->skip = l->len = 0;
	l->name = l->o->names ? c.record.name : NULL;
	r = count_tail(l, dirfd, err);
	if (r >= 0)
		r = read_all(l, dirfd, &fd, err);
	if (r >= 0 && monitor >= 0)
		r = follow(l, dirfd, &fd, monitor, err);
	if (fflush(NULL) != 0)
		r = -EPIPE;
	return r == -EPIPE ? 0 : r; /* whoever read has seen enough */
}

static int run_logs(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct logs_opts *o = opts;
	auto_free struct logs *l = calloc(1, sizeof(*l));
	const struct ctl_each each = { .verb = "show the log of",
		.argc = argc,
		.argv = argv,
		.choice = &o->choice,
		.act = logs_of,
		.arg = l,
		.quiet = true };
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code;

	if (!l) {
		err_set(&err, -ENOMEM, "cannot show logs");
		return cli_fail(&err);
	}
	l->o = opts;
	if (parse_times(l, &err) < 0)
		return cli_fail(&err);
	code = ctl_open(&ctl, cli, 0, &err) < 0 ? cli_fail(&err) : ctl_each(&ctl, &each);
	ctl_close(&ctl);
	return code;
}

static const struct args_opt logs_table[] = {
	{ "follow", 'f', ARGS_FLAG, offsetof(struct logs_opts, follow), NULL,
		"go on until the container ends" },
	CTL_LATEST(struct logs_opts, choice),
	{ "names", 'n', ARGS_FLAG, offsetof(struct logs_opts, names), NULL,
		"the container's name in front of each line" },
	{ "since", 0, ARGS_STRING, offsetof(struct logs_opts, since), "TIME",
		"nothing older: 10m, 2026-11-22T19:30:00Z, …" },
	{ "tail", 0, ARGS_STRING, offsetof(struct logs_opts, tail), "N", "the last N lines alone" },
	{ "timestamps", 't', ARGS_FLAG, offsetof(struct logs_opts, timestamps), NULL,
		"the time in front of each line" },
	{ "until", 0, ARGS_STRING, offsetof(struct logs_opts, until), "TIME", "nothing newer" },
	{ 0 },
};

const struct cli_verb cli_verbs_logs[] = {
	{ "logs", "[OPTION]… CONTAINER…", "print what containers have written", logs_table,
		sizeof(struct logs_opts), 0, -1, false, run_logs },
	{ 0 },
};
