/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: image. */
#include "runtime/cli/cli.h"

const struct cli_verb cli_verbs_image[] = {
	{ 0 },
};
