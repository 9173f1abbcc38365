/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Ownership that the compiler ends: locals declared with auto_… are released on every
 * way out of their scope; success moves them out with fd_take() or ptr_take().
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/** DEFINE_CLEANUP() - makes cleanup_NAME() for auto_cleanup(NAME) out of a destructor of one
 * pointer */
#define DEFINE_CLEANUP(type, name, destroy)                                                        \
	static inline void cleanup_##name(type *p)                                                 \
	{                                                                                          \
		int saved = errno;                                                                 \
		destroy(*p);                                                                       \
		errno = saved;                                                                     \
	}
#define auto_cleanup(name) __attribute__((cleanup(cleanup_##name)))

static inline void cleanup_free(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void cleanup_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

static inline void cleanup_file(FILE **f)
{
	int saved = errno;

	if (*f)
		(void)fclose(*f);
	errno = saved;
}

#define auto_free __attribute__((cleanup(cleanup_free)))
#define auto_fd	  __attribute__((cleanup(cleanup_fd))) int
#define auto_file __attribute__((cleanup(cleanup_file))) FILE *

/** fd_take() - move an fd out of its owner, which holds -1 from then on */
static inline int fd_take(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

/** ptr_take() - move a pointer out of its owner, which holds NULL from then on */
#define ptr_take(p)                                                                                \
	__extension__({                                                                            \
		__typeof__(*(p)) taken_ = *(p);                                                    \
		*(p) = NULL;                                                                       \
		taken_;                                                                            \
	})
