/* SPDX-License-Identifier: Apache-2.0 */
/* What containers use (the contract is in the header). */
#include "runtime/ctrstats.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/ctrcgroup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/sysinfo.h>

#define PROC_TEXT_BYTES 16384

static int read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	auto_fd fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

void ctrstats_parse_net(const char *text, uint64_t *ret_in, uint64_t *ret_out)
{
	*ret_in = *ret_out = 0;
	for (const char *line = text; line;
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *name = line + strspn(line, " ");
		const char *colon = strchr(name, ':');
		uint64_t in, out;

		/* Two lines of headings have no colon before their end. */
		if (!colon || colon > name + strcspn(name, "\n |"))
			continue;
		if (strncmp(name, "lo:", 3) != 0 &&
			sscanf(colon + 1, "%" SCNu64 "%*u%*u%*u%*u%*u%*u%*u%" SCNu64, &in, &out) ==
				2) {
			*ret_in += in;
			*ret_out += out;
		}
	}
}

static uint64_t number_behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

/* Pages that several share are counted in parts. */
static uint64_t memory_of(const struct proc_row *p)
{
	char text[PROC_TEXT_BYTES];

	if (read_proc(p->pid, "smaps_rollup", text, sizeof(text)) < 0 || !strstr(text, "\nPss:"))
		return p->resident_bytes;
	return number_behind(text, "\nPss:") * 1024;
}

static void add_processes(const struct record *r, const struct procs *procs, struct ctrstats *s)
{
	const uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	char text[PROC_TEXT_BYTES];

	for (size_t i = 0; i < procs->n; i++) {
		const struct proc_row *p = &procs->v[i];

		s->cpu_ns += (p->user_ticks + p->system_ticks) * tick_ns;
		/* What its orphans have used, who were reaped by it. */
		if (p->pid == r->init.pid)
			s->cpu_ns += p->gone_ticks * tick_ns;
		s->memory += memory_of(p);
		s->n_tasks += p->n_threads;
		if (read_proc(p->pid, "io", text, sizeof(text)) == 0) {
			s->block_in += number_behind(text, "\nread_bytes: ");
			s->block_out += number_behind(text, "\nwrite_bytes: ");
		}
	}
	if (read_proc(r->init.pid, "net/dev", text, sizeof(text)) == 0)
		ctrstats_parse_net(text, &s->net_in, &s->net_out);
}

static void take_cgroup(const struct record *r, struct ctrstats *s)
{
	auto_fd fd = r->cgroup ? ctrcgroup_open(r, NULL) : -1;
	auto_free char *cpu = NULL;
	uint64_t memory, limit, tasks;

	if (fd < 0 || cgroup_read_u64(fd, "memory.current", &memory) < 0 ||
		cgroup_read(fd, "cpu.stat", &cpu) < 0)
		return;
	s->from_cgroup = true;
	s->memory = memory;
	s->cpu_ns = number_behind(cpu, "usage_usec ") * 1000;
	if (cgroup_read_u64(fd, "memory.max", &limit) == 0 && limit < s->memory_limit)
		s->memory_limit = limit;
	if (cgroup_read_u64(fd, "pids.current", &tasks) == 0)
		s->n_tasks = tasks;
}

int ctrstats_load(const struct record *r, struct ctrstats *ret, struct err *err)
{
	struct ctrstats s = { 0 };
	struct sysinfo machine = { 0 };
	auto_procs procs = { 0 };
	int code = procs_load(r, &procs, err);

	if (code < 0)
		return code;
	(void)sysinfo(&machine);
	s.memory_limit = (uint64_t)machine.totalram * machine.mem_unit;
	add_processes(r, &procs, &s);
	take_cgroup(r, &s);
	*ret = s;
	return 0;
}
