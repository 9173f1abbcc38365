/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Our own program out of reach of containers
 *
 * Until it executes the container's program, a process in the container is ours, and what
 * /proc/PID/exe leads to is our file: a container that runs "#!/proc/self/exe" could write to it if
 * the file's owner is somebody in the container.
 */

#include "base/err.h"

/**
 * selfexe_protect() - go on as a copy in memory that nobody can change, if the file could be
 * @argv: of main()
 *
 * Call it before any process is made.  Where the file cannot be written by the caller, and so by no
 * container of the caller's, nothing happens.
 *
 * Return: 0 in the process that is to go on; a negative errno.
 */
int selfexe_protect(char **argv, struct err *err);
