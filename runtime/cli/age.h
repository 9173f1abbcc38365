/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How long ago something was. */

#include <stddef.h>

/** age_format() - "3 days ago" for an RFC 3339 time; "-" for NULL and what is none */
void age_format(const char *created, char *ret, size_t room);
