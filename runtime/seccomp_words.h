/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The words of linux.seccomp that are known, by number; NULL behind the last.  Pure. */

#include <stddef.h>

const char *sec_word_action(size_t i);
const char *sec_word_operator(size_t i);
const char *sec_word_arch(size_t i);
const char *sec_word_flag(size_t i);
