/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Diagnostics on stderr, one event a line: `level module: event key=value`
 *
 * Libraries log at debug only; whoever handles an error logs it, once.  The level is process-wide
 * state set once by main(): the one global of the code base, since every line may want to log.
 */

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
bool log_is_debug(void);

/** log_write() - one line in one write(2), control characters escaped; use the macros below */
void log_write(enum log_level level, const char *module, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_warning(module, ...) log_write(LOG_LEVEL_WARNING, module, __VA_ARGS__)
#define log_debug(module, ...)                                                                     \
	do {                                                                                       \
		if (log_is_debug())                                                                \
			log_write(LOG_LEVEL_DEBUG, module, __VA_ARGS__);                           \
	} while (0)
