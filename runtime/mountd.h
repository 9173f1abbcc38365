/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which process serves a mount that a command left behind, so that unmounting can wait for its end
 *
 *      $XDG_RUNTIME_DIR/lamina/daemons/MAJOR-MINOR     "PID START", by the mount's device number
 */

#include "base/err.h"

#include <sys/types.h>

/** mountd_record() - @pid serves what is mounted on @mountpoint, which answers already */
int mountd_record(const char *mountpoint, pid_t pid, struct err *err);

/**
 * mountd_unmount() - unmount, then wait until the daemon has written everything and ended
 * Return: 0, also if nobody recorded a daemon; -EBUSY while files are open, or if the daemon goes on
 * writing for long; errors of ovl_unmount().
 */
int mountd_unmount(const char *mountpoint, struct err *err);
