/* SPDX-License-Identifier: Apache-2.0 */
/* Names of signals (the contract is in the header). */
#include "runtime/signame.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <strings.h>

#define RT_FIRST 34 /* below are those that the C library keeps for itself */

static const struct {
	int sig;
	const char *name;
} names[] = {
	{ SIGHUP, "SIGHUP" },
	{ SIGINT, "SIGINT" },
	{ SIGQUIT, "SIGQUIT" },
	{ SIGILL, "SIGILL" },
	{ SIGTRAP, "SIGTRAP" },
	{ SIGABRT, "SIGABRT" },
	{ SIGBUS, "SIGBUS" },
	{ SIGFPE, "SIGFPE" },
	{ SIGKILL, "SIGKILL" },
	{ SIGUSR1, "SIGUSR1" },
	{ SIGSEGV, "SIGSEGV" },
	{ SIGUSR2, "SIGUSR2" },
	{ SIGPIPE, "SIGPIPE" },
	{ SIGALRM, "SIGALRM" },
	{ SIGTERM, "SIGTERM" },
	{ SIGSTKFLT, "SIGSTKFLT" },
	{ SIGCHLD, "SIGCHLD" },
	{ SIGCONT, "SIGCONT" },
	{ SIGSTOP, "SIGSTOP" },
	{ SIGTSTP, "SIGTSTP" },
	{ SIGTTIN, "SIGTTIN" },
	{ SIGTTOU, "SIGTTOU" },
	{ SIGURG, "SIGURG" },
	{ SIGXCPU, "SIGXCPU" },
	{ SIGXFSZ, "SIGXFSZ" },
	{ SIGVTALRM, "SIGVTALRM" },
	{ SIGPROF, "SIGPROF" },
	{ SIGWINCH, "SIGWINCH" },
	{ SIGIO, "SIGIO" },
	{ SIGPWR, "SIGPWR" },
	{ SIGSYS, "SIGSYS" },
	/* Other names of the same; signame_text() answers the first. */
	{ SIGABRT, "SIGIOT" },
	{ SIGCHLD, "SIGCLD" },
	{ SIGIO, "SIGPOLL" },
};

/* "RTMIN", "RTMIN+N", "RTMAX", "RTMAX-N", behind the prefix. */
static int parse_realtime(const char *name)
{
	bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
	uint64_t n = 0;

	if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
		return -EINVAL;
	name += 5;
	if (name[0] == '\0')
		return from_min ? RT_FIRST : LIMIT_SIGNAL;
	if (name[0] != (from_min ? '+' : '-') ||
		str_to_u64(name + 1, LIMIT_SIGNAL - RT_FIRST, &n) < 0)
		return -EINVAL;
	return from_min ? RT_FIRST + (int)n : LIMIT_SIGNAL - (int)n;
}

int signame_parse(const char *name)
{
	uint64_t n;

	if (name[0] >= '0' && name[0] <= '9')
		return str_to_u64(name, LIMIT_SIGNAL, &n) == 0 && n > 0 ? (int)n : -EINVAL;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i].name + 3, name) == 0)
			return names[i].sig;
	return parse_realtime(name);
}

const char *signame_text(int sig)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].sig == sig)
			return names[i].name;
	return NULL;
}
