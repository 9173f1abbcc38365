/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: run. */
#include "runtime/cli/cli.h"

const struct cli_verb cli_verbs_run[] = {
	{ 0 },
};
