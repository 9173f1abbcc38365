/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: unshare. */
#include "base/at.h"
#include "base/cleanup.h"
#include "image/store.h"
#include "runtime/cli/cli.h"
#include "runtime/netkeeper.h"
#include "runtime/netstore.h"
#include "runtime/userns.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

struct unshare_opts {
	const char *network;
};

static const struct args_opt unshare_table[] = {
	{ "network", 0, ARGS_STRING, offsetof(struct unshare_opts, network), "NAME",
		"be in the namespace of this network's bridge, too" },
	{ 0 },
};

static int read_def(const struct cli *cli, const char *name, struct net_def *ret, struct err *err)
{
	auto_netstore net = NETSTORE_INIT;
	struct img_store *store = NULL;
	int r;

	r = img_store_open(&store, cli->root, err);
	if (r >= 0)
		r = netstore_open(&net, img_store_dirfd(store), err);
	if (r >= 0)
		r = netstore_read(&net, name, ret, err);
	img_store_close(store);
	return r;
}

/* Names are those of the network: its DNS stands in a resolv.conf that this process alone sees. */
static int use_dns(int rundir_fd, const struct net_plan *plan, struct err *err)
{
	auto_free char *text = str_format("nameserver %s\n", plan->dns_text);
	char name[48], dir[PATH_MAX], link[48];
	auto_free char *path = NULL;
	ssize_t n;
	int r;

	/* By its path: the fd is older than the mount namespace, and cannot be mounted from. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", rundir_fd);
	n = readlink(link, dir, sizeof(dir) - 1);
	if (n < 0)
		return err_set(err, -errno, "cannot find the runtime directory");
	dir[n] = '\0';
	snprintf(name, sizeof(name), "resolv-%d", (int)getpid());
	path = str_format("%s/%s", dir, name);
	r = text && path ? at_replace_file(rundir_fd, name, text, strlen(text), 0644, 0) : -ENOMEM;
	if (r < 0)
		return err_set(err, r, "cannot write resolv.conf");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
		mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
		r = err_set(err, -errno, "cannot put resolv.conf into place");
	(void)unlinkat(rundir_fd, name, 0);
	return r;
}

/* This process is the member, and so is the command that takes its place. */
static int enter_network(
	const struct cli *cli, const char *name, const struct userns *ns, struct err *err)
{
	auto_fd pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	auto_free char *id = str_format("unshare-%d", (int)getpid());
	const struct netkeeper_member member = { id, pidfd, "" };
	auto_netdef def = { 0 };
	struct net_plan plan;
	auto_fd net = -1;
	int r;

	if (pidfd < 0 || !id)
		return err_set(err, -errno, "cannot see this process");
	r = read_def(cli, name, &def, err);
	if (r >= 0)
		r = netdef_plan(&def, &plan, err);
	if (r >= 0)
		r = netkeeper_join(ns->rundir_fd, &def, &member, &net, err);
	if (r < 0)
		return r;
	if (setns(net, CLONE_NEWNET) < 0)
		return err_set(err, -errno, "cannot enter network '%s'", name);
	return use_dns(ns->rundir_fd, &plan, err);
}

/* The command takes this process's place, and so its membership: the namespace lives as long. */
static int run_unshare(struct cli *cli, void *data, int argc, char **argv)
{
	const struct unshare_opts *o = data;
	struct userns ns = USERNS_INIT;
	struct err err = ERR_INIT;
	int code;

	(void)argc;
	if (userns_enter(&ns, &err) < 0)
		return cli_fail(&err);
	if (o->network && enter_network(cli, o->network, &ns, &err) < 0) {
		userns_leave(&ns);
		return cli_fail(&err);
	}
	(void)execvp(argv[0], argv);
	code = errno;
	userns_leave(&ns);
	err_set(&err, -code, "cannot run '%s'", argv[0]);
	(void)cli_fail(&err);
	return code == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

const struct cli_verb cli_verbs_unshare[] = {
	{ "unshare", "[OPTION]… CMD [ARG]…",
		"run a command in the user namespace that all containers share", unshare_table,
		sizeof(struct unshare_opts), 1, -1, true, run_unshare },
	{ 0 },
};
