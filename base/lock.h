/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Advisory file locks between processes: flock(2) where it works, which it does on NFS since
 * Linux 2.6.12 (there it becomes a POSIX lock of the whole file); where it is missing, a record
 * lock of the open file, fcntl(2), F_OFD_SETLK
 *
 * The lock goes with the open file: it ends when the last duplicate of the fd is closed, so also
 * when the process dies.
 */

enum lock_mode { LOCK_SHARED, LOCK_EXCLUSIVE };
enum lock_flags { LOCK_WAIT = 0, LOCK_TRY = 1 << 0 };

/**
 * lock_fd() - lock an open file
 * Return: 0; -EAGAIN with LOCK_TRY if another holds it; -ENOLCK where the filesystem has no locks.
 */
int lock_fd(int fd, enum lock_mode mode, enum lock_flags flags);

/**
 * lock_open() - open (making it, mode 0600) and lock a file that exists for its lock
 * Return: the fd that holds the lock, owned by the caller, or an error of lock_fd() or open(2).
 */
int lock_open(int dirfd, const char *name, enum lock_mode mode, enum lock_flags flags);

void lock_release(int fd);
