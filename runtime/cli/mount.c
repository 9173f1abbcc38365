/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: mount. */
#include "runtime/cli/cli.h"

const struct cli_verb cli_verbs_mount[] = {
	{ 0 },
};
