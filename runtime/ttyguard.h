/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The terminal of a client that may be killed: its monitor puts it back
 *
 * A client makes its terminal raw once the container has started.  Killed by SIGKILL it cannot undo
 * that; the monitor, which had the terminal before, can.
 */

#include <termios.h>

struct ttyguard {
	int fd; /* -1: there is none */
	struct termios before;
};

void ttyguard_init(struct ttyguard *g);

/** ttyguard_take() - note the first of the standard streams that is a terminal, and its mode */
void ttyguard_take(struct ttyguard *g);

/** ttyguard_restore() - the client is gone: as it was, unless somebody has changed it since */
void ttyguard_restore(struct ttyguard *g);

/** ttyguard_done() - let go of it, as it is */
void ttyguard_done(struct ttyguard *g);
