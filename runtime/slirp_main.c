/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamina-slirp: the network process alone, with the command line of slirp4netns
 *
 *      lamina-slirp [OPTION]… PID|PATH|FD [TAPNAME]
 */
#include "runtime/net_engine.h"
#include "runtime/net_slirp.h"

#include "base/log.h"
#include "base/str.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static const char program[] = "lamina-slirp";

enum target_kind { TARGET_PID, TARGET_PATH, TARGET_TAPFD };

struct slirp_args {
	struct net_slirp_opts opts;
	enum target_kind kind;
	const char *target, *userns_path, *api_path;
	int ready_fd;
	bool help, version;
};

enum long_option {
	OPT_CIDR = 256,
	OPT_NO_LOOPBACK,
	OPT_NETNS_TYPE,
	OPT_USERNS_PATH,
	OPT_ACCEPTED,
	OPT_OUTBOUND,
	OPT_OUTBOUND6,
	OPT_NO_DNS,
	OPT_MAC,
	OPT_TARGET_TYPE,
	OPT_NO_OFFLOAD,
};

static const struct option options[] = {
	{ "configure", no_argument, NULL, 'c' },
	{ "exit-fd", required_argument, NULL, 'e' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "mtu", required_argument, NULL, 'm' },
	{ "enable-ipv6", no_argument, NULL, '6' },
	{ "api-socket", required_argument, NULL, 'a' },
	{ "cidr", required_argument, NULL, OPT_CIDR },
	{ "disable-host-loopback", no_argument, NULL, OPT_NO_LOOPBACK },
	{ "no-host-loopback", no_argument, NULL, OPT_NO_LOOPBACK },
	{ "netns-type", required_argument, NULL, OPT_NETNS_TYPE },
	{ "userns-path", required_argument, NULL, OPT_USERNS_PATH },
	{ "enable-sandbox", no_argument, NULL, OPT_ACCEPTED },
	{ "create-sandbox", no_argument, NULL, OPT_ACCEPTED },
	{ "enable-seccomp", no_argument, NULL, OPT_ACCEPTED },
	{ "outbound-addr", required_argument, NULL, OPT_OUTBOUND },
	{ "outbound-addr6", required_argument, NULL, OPT_OUTBOUND6 },
	{ "disable-dns", no_argument, NULL, OPT_NO_DNS },
	{ "macaddress", required_argument, NULL, OPT_MAC },
	{ "target-type", required_argument, NULL, OPT_TARGET_TYPE },
	{ "no-offload", no_argument, NULL, OPT_NO_OFFLOAD },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: lamina-slirp [OPTION]... PID|PATH|FD [TAPNAME]\n"
	"Connect a network namespace to the network without privileges.\n"
	"\n"
	"  -c, --configure             bring up the tap (tap0) and lo, with addresses and routes\n"
	"  -e, --exit-fd=FD            end at any event on FD\n"
	"  -r, --ready-fd=FD           write \"1\" to FD when packets flow\n"
	"  -m, --mtu=MTU               of the interface (default 1500, at most 65521)\n"
	"  -6, --enable-ipv6           fd00::/64 beside IPv4\n"
	"  -a, --api-socket=PATH       publish ports at run time, by requests to this socket\n"
	"      --cidr=CIDR             network (default 10.0.2.0/24)\n"
	"      --disable-host-loopback the gateway does not reach the host's 127.0.0.1\n"
	"      --netns-type=TYPE       what the target is: pid (default), path or tapfd\n"
	"      --userns-path=PATH      user namespace that owns the network namespace\n"
	"      --outbound-addr=ADDR|IFACE, --outbound-addr6=ADDR|IFACE\n"
	"                              host address that connections come from\n"
	"      --disable-dns           nothing answers at the DNS address\n"
	"      --macaddress=MAC        of the tap (with --configure)\n"
	"      --target-type=netns     the only type there is\n"
	"      --enable-sandbox, --enable-seccomp\n"
	"                              accepted: both are always on\n"
	"      --no-offload            plain frames, as kernels without offload have them\n"
	"  -h, --help\n"
	"  -v, --version\n";

static int parse_fd(const char *text, int *ret, struct err *err)
{
	uint64_t v;

	if (str_to_u64(text, INT32_MAX, &v) < 0 || fcntl((int)v, F_GETFD) < 0)
		return err_say(err, -EINVAL, "'%s' is not an open file descriptor", text);
	*ret = (int)v;
	return 0;
}

static int parse_mtu(const char *text, unsigned *ret, struct err *err)
{
	uint64_t v;

	if (str_to_u64(text, NET_MTU_MAX, &v) < 0 || v == 0)
		return err_say(err, -EINVAL, "'%s' is not an MTU up to %d", text, NET_MTU_MAX);
	*ret = (unsigned)v;
	return 0;
}

static int parse_kind(const char *text, enum target_kind *ret, struct err *err)
{
	if (str_eq(text, "pid"))
		*ret = TARGET_PID;
	else if (str_eq(text, "path"))
		*ret = TARGET_PATH;
	else if (str_eq(text, "tapfd"))
		*ret = TARGET_TAPFD;
	else
		return err_say(err, -EINVAL, "unknown netns type '%s'", text);
	return 0;
}

static int parse_option(struct slirp_args *a, int c, const char *value, struct err *err)
{
	switch (c) {
	case 'c':
		a->opts.no_configure = false;
		return 0;
	case 'e':
		return parse_fd(value, &a->opts.exit_fd, err);
	case 'r':
		return parse_fd(value, &a->ready_fd, err);
	case 'm':
		return parse_mtu(value, &a->opts.mtu, err);
	case '6':
		a->opts.enable_ipv6 = true;
		return 0;
	case 'a':
		a->api_path = value;
		return 0;
	case OPT_CIDR:
		a->opts.cidr = value;
		return 0;
	case OPT_NO_LOOPBACK:
		a->opts.allow_host_loopback = false;
		return 0;
	case OPT_NETNS_TYPE:
		return parse_kind(value, &a->kind, err);
	case OPT_USERNS_PATH:
		a->userns_path = value;
		return 0;
	case OPT_OUTBOUND:
		a->opts.outbound_addr = value;
		return 0;
	case OPT_OUTBOUND6:
		a->opts.outbound_addr6 = value;
		return 0;
	case OPT_NO_DNS:
		a->opts.disable_dns = true;
		return 0;
	case OPT_MAC:
		a->opts.mac = value;
		return 0;
	case OPT_TARGET_TYPE:
		if (!str_eq(value, "netns"))
			return err_say(err, -EINVAL, "unknown target type '%s'", value);
		return 0;
	case OPT_ACCEPTED:
		return 0;
	case OPT_NO_OFFLOAD:
		a->opts.flags |= NET_NO_OFFLOAD;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	case 'v':
		a->version = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_args(struct slirp_args *a, int argc, char **argv, struct err *err)
{
	int c, r;

	opterr = 0; /* the one line about it is ours */
	while ((c = getopt_long(argc, argv, "ce:r:m:6a:hv", options, NULL)) >= 0) {
		if (c == '?')
			return err_hint(err,
				err_say(err, -EINVAL, "'%s' is unknown or lacks its value",
					argv[optind - 1]),
				"lamina-slirp --help");
		r = parse_option(a, c, optarg, err);
		if (r < 0)
			return r;
	}
	if (a->help || a->version)
		return 0;
	if (argc - optind < 1 || argc - optind > 2)
		return err_hint(err,
			err_say(err, -EINVAL, "needs a target and at most an interface name"),
			"lamina-slirp --help");
	a->target = argv[optind];
	a->opts.tapname = argv[optind + 1];
	if (a->opts.mac && a->opts.no_configure)
		return err_say(err, -EINVAL, "--macaddress needs --configure");
	return 0;
}

/* What the target names, opened */
struct target {
	int pidfd, userns_fd, netns_fd, tap_fd;
};

static int open_path(const char *path, int *ret, struct err *err)
{
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? err_set(err, -errno, "cannot open '%s'", path) : 0;
}

/* The pidfd comes first: the namespaces opened after it are those of a process that it names, or
 * of none if it has ended. */
static int open_pid(const char *text, struct target *t, struct err *err)
{
	char user[64], net[64];
	uint64_t pid;
	int r;

	if (str_to_u64(text, INT32_MAX, &pid) < 0 || pid == 0)
		return err_say(err, -EINVAL, "'%s' is not a process id", text);
	t->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (t->pidfd < 0)
		return err_set(err, -errno, "no process %s", text);
	snprintf(user, sizeof(user), "/proc/%u/ns/user", (unsigned)pid);
	snprintf(net, sizeof(net), "/proc/%u/ns/net", (unsigned)pid);
	r = open_path(user, &t->userns_fd, err);
	return r < 0 ? r : open_path(net, &t->netns_fd, err);
}

static int open_target(const struct slirp_args *a, struct target *t, struct err *err)
{
	int r = 0;

	if (a->kind == TARGET_PID)
		r = open_pid(a->target, t, err);
	else if (a->kind == TARGET_PATH)
		r = open_path(a->target, &t->netns_fd, err);
	else
		r = parse_fd(a->target, &t->tap_fd, err);
	if (r < 0 || !a->userns_path)
		return r;
	if (t->userns_fd >= 0)
		(void)close(t->userns_fd);
	return open_path(a->userns_path, &t->userns_fd, err);
}

static int api_socket(const char *path, int *ret, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	auto_fd fd = -1;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_say(err, -ENAMETOOLONG, "socket path '%s' is longer than %zu bytes",
			path, sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 16) < 0)
		return err_set(err, -errno, "cannot listen on '%s'", path);
	*ret = fd_take(&fd);
	return 0;
}

static int run(struct slirp_args *a, struct err *err)
{
	struct target t = { -1, -1, -1, -1 };
	int r;

	r = open_target(a, &t, err);
	if (r < 0)
		return r;
	if (a->api_path) {
		r = api_socket(a->api_path, &a->opts.api_fd, err);
		if (r < 0)
			return r;
	}
	if (t.tap_fd >= 0)
		return net_slirp_serve_tap(&a->opts, t.tap_fd, t.pidfd, a->ready_fd, err);
	return net_slirp_serve(&a->opts, t.userns_fd, t.netns_fd, t.pidfd, a->ready_fd, err);
}

/* slirp4netns's form: scripts look for what this can do. */
static int print_version(void)
{
	unsigned config;
	const char *libslirp = net_engine_version(&config);

	return printf("%s version %s\nlibslirp: %s\nSLIRP_CONFIG_VERSION_MAX: %u\n", program,
		       LAMINA_VERSION, libslirp, config) < 0;
}

int main(int argc, char **argv)
{
	struct slirp_args a = { .opts = NET_SLIRP_OPTS_INIT, .ready_fd = -1 };
	struct err err = ERR_INIT;
	int r;

	a.opts.no_configure = true;
	a.opts.allow_host_loopback = true; /* as in slirp4netns; lamina itself denies it */
	if (getenv("LAMINA_SLIRP_DEBUG"))
		log_set_level(LOG_LEVEL_DEBUG);
	r = parse_args(&a, argc, argv, &err);
	if (r == 0 && a.help)
		return fputs(help, stdout) < 0;
	if (r == 0 && a.version)
		return print_version();
	if (r == 0)
		r = run(&a, &err);
	if (r < 0)
		err_print(&err, program);
	return r < 0;
}
