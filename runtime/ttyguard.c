/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of a client that may be killed (the contract is in the header). */
#include "runtime/ttyguard.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

void ttyguard_init(struct ttyguard *g)
{
	g->fd = -1;
}

void ttyguard_take(struct ttyguard *g)
{
	for (int fd = 0; fd < 3 && g->fd < 0; fd++)
		if (tcgetattr(fd, &g->before) == 0)
			g->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Pure.  Whether two modes do the same. */
static bool is_same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

void ttyguard_restore(struct ttyguard *g)
{
	struct termios raw = g->before, now;

	cfmakeraw(&raw);
	/* A shell that has its prompt there already knows better. */
	if (g->fd >= 0 && tcgetattr(g->fd, &now) == 0 && is_same(&now, &raw))
		(void)tcsetattr(g->fd, TCSANOW, &g->before);
	ttyguard_done(g);
}

void ttyguard_done(struct ttyguard *g)
{
	cleanup_fd(&g->fd);
	g->fd = -1;
}
