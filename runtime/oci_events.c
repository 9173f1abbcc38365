/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamina-runtime events
 *
 *      files of the cgroup ──▶ {"type":"stats","id":…,"data":{…}}, a line each interval
 *
 * A controller that the cgroup does not have leaves its part out, as zeros would be a lie.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cgroup.h"
#include "runtime/oci_cgroup.h"

#include <poll.h>

struct events_opts {
	const char *interval;
	bool stats;
};

static const struct args_opt events_opts[] = {
	{ "stats", 0, ARGS_FLAG, offsetof(struct events_opts, stats), NULL, "once, then end" },
	{ "interval", 0, ARGS_STRING, offsetof(struct events_opts, interval), "SECONDS",
		"between two lines; default: 5s" },
	{ 0 },
};

/* The number behind a word at the start of a line ("usage_usec 17"); false if there is none. */
static bool find_number(const char *text, const char *word, uint64_t *ret)
{
	size_t len = strlen(word);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (strncmp(text, word, len) == 0 && text[len] == ' ') {
			*ret = strtoull(text + len + 1, NULL, 10);
			return true;
		}
	return false;
}

static json_t *number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

static json_t *cpu_stats(int fd)
{
	auto_free char *text = NULL;
	uint64_t total = 0, user = 0, kernel = 0, periods = 0, throttled = 0, time_us = 0;

	if (cgroup_read(fd, "cpu.stat", &text) < 0)
		return NULL;
	(void)find_number(text, "usage_usec", &total);
	(void)find_number(text, "user_usec", &user);
	(void)find_number(text, "system_usec", &kernel);
	(void)find_number(text, "nr_periods", &periods);
	(void)find_number(text, "nr_throttled", &throttled);
	(void)find_number(text, "throttled_usec", &time_us);
	return json_pack("{s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o}}", "usage", "total",
		number(total * 1000), "kernel", number(kernel * 1000), "user", number(user * 1000),
		"throttling", "periods", number(periods), "throttledPeriods", number(throttled),
		"throttledTime", number(time_us * 1000));
}

static json_t *usage(int fd, const char *current, const char *max, const char *peak)
{
	uint64_t usage = 0, limit = UINT64_MAX, most = 0;

	if (cgroup_read_u64(fd, current, &usage) < 0)
		return NULL;
	(void)cgroup_read_u64(fd, max, &limit);
	(void)cgroup_read_u64(fd, peak, &most);
	return json_pack("{s:o, s:o, s:o, s:i}", "limit", number(limit), "usage", number(usage),
		"max", number(most), "failcnt", 0);
}

static json_t *memory_stats(int fd)
{
	json_t *memory = usage(fd, "memory.current", "memory.max", "memory.peak"), *all, *swap;
	auto_free char *text = NULL;
	uint64_t cache = 0;
	char *rest, *line;
	json_t *raw = json_object();

	if (!memory || cgroup_read(fd, "memory.stat", &text) < 0) {
		json_decref(memory);
		json_decref(raw);
		return NULL;
	}
	(void)find_number(text, "file", &cache);
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space = '\0';
		(void)json_object_set_new(raw, line, number(strtoull(space + 1, NULL, 10)));
	}
	all = json_pack("{s:o, s:o, s:o}", "cache", number(cache), "usage", memory, "raw", raw);
	swap = usage(fd, "memory.swap.current", "memory.swap.max", "memory.swap.peak");
	if (all && swap)
		(void)json_object_set_new(all, "swap", swap);
	return all;
}

static json_t *pids_stats(int fd)
{
	uint64_t now, limit = UINT64_MAX;

	if (cgroup_read_u64(fd, "pids.current", &now) < 0)
		return NULL;
	(void)cgroup_read_u64(fd, "pids.max", &limit);
	return json_pack("{s:o, s:o}", "current", number(now), "limit",
		number(limit == UINT64_MAX ? 0 : limit));
}

static int print_stats(const struct oci_state *s, int fd, struct err *err)
{
	const struct {
		const char *key;
		json_t *(*read)(int fd);
	} parts[] = { { "cpu", cpu_stats }, { "memory", memory_stats }, { "pids", pids_stats } };
	auto_json *data = json_object();
	auto_json *doc = NULL;
	auto_free char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		json_t *part = parts[i].read(fd);

		if (part)
			(void)json_object_set_new(data, parts[i].key, part);
	}
	doc = json_pack("{s:s, s:s, s:O}", "type", "stats", "id", s->id, "data", data);
	text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	if (!text)
		return err_set(err, -ENOMEM, "cannot print");
	printf("%s\n", text);
	return fflush(stdout) != 0 ? err_set(err, -errno, "cannot print") : 0;
}

static int parse_interval(const char *text, int *ret_ms, struct err *err)
{
	auto_free char *copy = strdup(text ? text : "5s");
	size_t len = copy ? strlen(copy) : 0;
	int unit = 1000;
	uint64_t n;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot read the interval");
	if (len > 2 && str_eq(copy + len - 2, "ms")) {
		unit = 1;
		copy[len - 2] = '\0';
	} else if (len > 1 && copy[len - 1] == 's') {
		copy[len - 1] = '\0';
	}
	if (str_to_u64(copy, 86400, &n) < 0 || n == 0)
		return err_say(err, -EINVAL, "--interval takes seconds, not '%s'", text);
	*ret_ms = (int)n * unit;
	return 0;
}

static int run_events(struct oci *o, void *opts, char **args, struct err *err)
{
	const struct events_opts *e = opts;
	auto_oci_state s = OCI_STATE_INIT;
	auto_fd fd = -1, pidfd = -1;
	struct pollfd end;
	int interval_ms = 0, r;

	r = parse_interval(e->interval, &interval_ms, err);
	if (r >= 0)
		r = oci_state_read(o, args[0], &s, err);
	if (r < 0)
		return r;
	pidfd = oci_state_pidfd(&s, err);
	if (pidfd < 0)
		return pidfd;
	fd = oci_cgroup_need(&s, err);
	if (fd < 0)
		return fd;
	end = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	do
		r = print_stats(&s, fd, err);
	while (r >= 0 && !e->stats && poll(&end, 1, interval_ms) == 0);
	return r;
}

const struct oci_verb oci_verb_events = { "events", "[OPTION]… ID",
	"statistics, until the container ends", events_opts, sizeof(struct events_opts), 1, 1,
	false, run_events };
