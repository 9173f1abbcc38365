/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Completing an upper: for programs that know neither redirects nor metadata-only copies. */

#include "overlay/fs.h"

struct finish_result {
	uint64_t n_files; /* that got their data */
	uint64_t n_dirs; /* that got what they referred to */
};

/**
 * finish_upper() - bring in all that entries of the upper refer to
 * @fs: not mounted, with an upper
 *
 * Each step leaves an upper that means the same, so it can be interrupted and repeated.
 * Return: 0; errors of the upper and the lower.
 */
int finish_upper(struct ovl_fs *fs, struct finish_result *ret, struct err *err);
