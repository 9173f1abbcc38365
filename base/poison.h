/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Functions that invite mistakes, each with what to use instead.  meson.build includes this
 * file after the system's headers have been seen, so their own declarations do not trip it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat stpcpy /* snprintf */
#pragma GCC poison sprintf vsprintf /* snprintf */
#pragma GCC poison strtok /* strchr, strsep */
#pragma GCC poison atoi atol atoll /* str_to_u64 */
#pragma GCC poison mktemp tmpnam tempnam /* atomic_file, O_TMPFILE */
#pragma GCC poison system popen /* proc_run */
#undef alloca /* glibc makes it a macro; -Walloca covers the builtin */
