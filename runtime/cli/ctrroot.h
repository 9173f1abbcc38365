/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The files of a container, whether it runs or not
 *
 *      running ─▶ the root directory of its first process
 *      else    ─▶ its root file system, mounted for this command alone, with its volumes
 */

#include "runtime/cli/boot.h"
#include "runtime/cli/ctl.h"

struct cli_ctrroot {
	int fd; /* O_PATH; hostile: for runtime/inroot.h */
	const struct spec *spec; /* of the container */
	struct ctl ctl;
	struct control_ctr ctr;
	struct spec *own_spec; /* of a running one */
	struct boot boot; /* of any other */
	bool mounted;
};

/**
 * cli_ctrroot_open() - enter the parent namespace and open the root
 * @ret: cli_ctrroot_close() it in any case, which waits until all is written
 */
int cli_ctrroot_open(
	struct cli_ctrroot *ret, const struct cli *cli, const char *ref, struct err *err);
void cli_ctrroot_close(struct cli_ctrroot *r);
