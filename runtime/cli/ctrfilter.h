/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * --filter of verbs on containers: KEY=VALUE words
 *
 * Of one key any may match, of different keys all must.  No words match everything.
 */

#include "base/err.h"
#include "base/str.h"
#include "runtime/control.h"

/** ctrfilter_check() - 0; -EINVAL with a text if a word is no filter */
int ctrfilter_check(const struct strv *wanted, struct err *err);

/** ctrfilter_matches() - of words that were checked */
bool ctrfilter_matches(const struct strv *wanted, const struct control_ctr *c);

/** ctrfilter_asks_for_state() - whether those that do not run are meant, too */
bool ctrfilter_asks_for_state(const struct strv *wanted);
