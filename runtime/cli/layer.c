/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: layer. */
#include "runtime/cli/cli.h"

const struct cli_verb cli_verbs_layer[] = {
	{ 0 },
};
