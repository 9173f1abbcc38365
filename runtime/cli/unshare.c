/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: unshare. */
#include "runtime/cli/cli.h"
#include "runtime/userns.h"

#include <errno.h>
#include <unistd.h>

/* The command takes this process's place, and so its membership: the namespace lives as long. */
static int run_unshare(struct cli *cli, void *opts, int argc, char **argv)
{
	struct userns ns = USERNS_INIT;
	struct err err = ERR_INIT;
	int code;

	if (userns_enter(&ns, &err) < 0)
		return cli_fail(&err);
	(void)execvp(argv[0], argv);
	code = errno;
	userns_leave(&ns);
	err_set(&err, -code, "cannot run '%s'", argv[0]);
	(void)cli_fail(&err);
	return code == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

const struct cli_verb cli_verbs_unshare[] = {
	{ "unshare", "CMD [ARG]…", "run a command in the user namespace that all containers share",
		NULL, 0, 1, -1, true, run_unshare },
	{ 0 },
};
