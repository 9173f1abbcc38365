/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: network create, rm, prune, connect, disconnect. */
#include "base/cleanup.h"
#include "image/store.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/networks.h"
#include "runtime/cli/running.h"
#include "runtime/ctropts.h"
#include "runtime/netlinkage.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/random.h>
#include <time.h>

/* ---- create ---- */

struct create_opts {
	const char *subnet, *gateway;
	bool ipv6, internal;
	uint64_t mtu;
	struct strv dns, label, opt;
	const char *driver;
	bool ignore;
};

static const struct args_opt create_table[] = {
	{ "disable-dns", 0, ARGS_REFUSED, 0, NULL, "'lamina run --dns ADDRESS' asks others" },
	{ "dns", 0, ARGS_LIST, offsetof(struct create_opts, dns), "ADDRESS",
		"forward to this server instead of the host's" },
	{ "driver", 'd', ARGS_STRING, offsetof(struct create_opts, driver), "bridge",
		"the only kind that there is" },
	{ "gateway", 0, ARGS_STRING, offsetof(struct create_opts, gateway), "ADDRESS",
		"instead of the first one" },
	{ "ignore", 0, ARGS_FLAG, offsetof(struct create_opts, ignore), NULL,
		"one that exists already is no error" },
	{ "interface-name", 0, ARGS_REFUSED, 0, NULL,
		"the bridge is 'br0' in 'lamina unshare --network NAME'" },
	{ "internal", 0, ARGS_FLAG, offsetof(struct create_opts, internal), NULL,
		"no way out of the network" },
	{ "ip-range", 0, ARGS_REFUSED, 0, NULL,
		"--subnet, and 'lamina run --ip' for single addresses" },
	{ "ipv6", 0, ARGS_FLAG, offsetof(struct create_opts, ipv6), NULL, "IPv6 besides IPv4" },
	{ "label", 0, ARGS_LIST, offsetof(struct create_opts, label), "KEY=VALUE",
		"kept with the network" },
	{ "mtu", 0, ARGS_U64, offsetof(struct create_opts, mtu), "BYTES", "default: 1500" },
	{ "opt", 'o', ARGS_LIST, offsetof(struct create_opts, opt), "isolate=true|mtu=BYTES",
		"as podman spells them; networks are always isolated" },
	{ "route", 0, ARGS_REFUSED, 0, NULL, "the gateway is the only router of a network" },
	{ "subnet", 0, ARGS_STRING, offsetof(struct create_opts, subnet), "CIDR",
		"default: one that is free" },
	{ 0 },
};

static int read_opts(struct create_opts *o, struct err *err)
{
	for (size_t i = 0; i < o->opt.n; i++) {
		const char *opt = o->opt.v[i];

		if (str_eq(opt, "isolate") || str_eq(opt, "isolate=true"))
			continue;
		if (str_starts(opt, "mtu=") && str_to_u64(opt + 4, NET_MTU_MAX, &o->mtu) == 0)
			continue;
		if (str_starts(opt, "isolate="))
			return err_say(err, -EOPNOTSUPP, "networks are always isolated");
		return err_say(err, -EINVAL, "unknown option '%s'", opt);
	}
	if (o->driver && !str_eq(o->driver, "bridge"))
		return err_say(err, -EOPNOTSUPP,
			"driver '%.64s' needs root of the host: 'bridge' is the one that there is",
			o->driver);
	return 0;
}

/* A network of unique local addresses, RFC 4193 */
static int choose_prefix6(char *ret, struct err *err)
{
	struct in6_addr a = { 0 };

	if (getrandom(&a, 8, 0) != 8)
		return err_set(err, -errno, "cannot choose an IPv6 network");
	a.s6_addr[0] = 0xfd;
	inet_ntop(AF_INET6, &a, ret, INET6_ADDRSTRLEN);
	return 0;
}

static int choose_gateway(struct net_def *d, const char *gateway, struct err *err)
{
	char addr[sizeof(d->cidr)];
	struct in_addr a;

	if (gateway && strlen(gateway) >= sizeof(d->gateway))
		return err_say(err, -EINVAL, "gateway '%.64s' is not an IPv4 address", gateway);
	if (gateway) {
		snprintf(d->gateway, sizeof(d->gateway), "%s", gateway);
		return 0;
	}
	snprintf(addr, sizeof(addr), "%s", d->cidr);
	addr[strcspn(addr, "/")] = '\0';
	if (inet_pton(AF_INET, addr, &a) != 1)
		return err_say(
			err, -EINVAL, "'%s' is not an IPv4 network like 10.89.0.0/24", d->cidr);
	a.s_addr = htonl(ntohl(a.s_addr) + 1);
	inet_ntop(AF_INET, &a, d->gateway, sizeof(d->gateway));
	return 0;
}

static int fill_def(struct net_def *d, const struct create_opts *o, const struct net_def *others,
	size_t n, struct err *err)
{
	struct net_plan plan;
	int r = 0;

	d->internal = o->internal;
	d->mtu = (unsigned)(o->mtu ? o->mtu : NET_MTU_DEFAULT);
	d->created_s = time(NULL);
	for (size_t i = 0; r >= 0 && i < o->dns.n; i++)
		r = strv_add(&d->dns, o->dns.v[i]);
	for (size_t i = 0; r >= 0 && i < o->label.n; i++)
		r = strlen(o->label.v[i]) > LIMIT_NET_WORD || i >= LIMIT_NET_LABELS
			    ? -E2BIG
			    : strv_add(&d->labels, o->label.v[i]);
	if (r < 0)
		return err_set(err, r, "labels");
	if (o->subnet && strlen(o->subnet) >= sizeof(d->cidr))
		return err_say(err, -EINVAL, "'%.64s' is not an IPv4 network", o->subnet);
	if (o->subnet)
		snprintf(d->cidr, sizeof(d->cidr), "%s", o->subnet);
	else
		r = netdef_choose_subnet(others, n, d->cidr, err);
	if (r >= 0)
		r = choose_gateway(d, o->gateway, err);
	if (r >= 0 && o->ipv6)
		r = choose_prefix6(d->prefix6, err);
	return r < 0 ? r : netdef_plan(d, &plan, err);
}

static int check_others(
	const struct net_def *d, const struct net_def *others, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(d->name, others[i].name))
			return err_say(err, -EEXIST, "there is a network '%s' already", d->name);
		if (netdef_overlaps(d, &others[i]))
			return err_say(err, -EEXIST, "%s overlaps network '%s' (%s)", d->cidr,
				others[i].name, others[i].cidr);
	}
	return 0;
}

static int create(
	const struct networks *n, const struct create_opts *o, const char *name, struct err *err)
{
	struct net_def *others = NULL;
	auto_netdef d = { 0 };
	size_t n_others = 0;
	int r;

	r = netdef_check_name(name, err);
	if (r < 0)
		return r;
	snprintf(d.name, sizeof(d.name), "%s", name);
	if (netmode_is_word(name))
		return err_say(err, -EINVAL, "'%s' is a word of --network", name);
	r = networks_read(n, &others, &n_others, err);
	if (r >= 0)
		r = fill_def(&d, o, others, n_others, err);
	if (r >= 0)
		r = check_others(&d, others, n_others, err);
	networks_free(others, n_others);
	return r < 0 ? r : netstore_write(&n->net, &d, err);
}

static int run_create(struct cli *cli, void *data, int argc, char **argv)
{
	struct create_opts *o = data;
	struct networks n;
	struct err err = ERR_INIT;
	int r;

	(void)argc;
	r = read_opts(o, &err);
	if (r < 0)
		return cli_fail(&err);
	r = networks_open(cli, &n, &err);
	if (r >= 0)
		r = create(&n, o, argv[0], &err);
	networks_close(&n);
	if (r < 0 && !(r == -EEXIST && o->ignore)) {
		err_wrap(&err, r, "cannot create network '%s'", argv[0]);
		return cli_fail(&err);
	}
	return puts(argv[0]) < 0;
}

/* ---- rm, prune ---- */

static int remove_unused(const struct networks *n, const char *name, struct err *err)
{
	auto_netdef d = { 0 };
	int r = netstore_read(&n->net, name, &d, err);

	if (r < 0)
		return r;
	if (networks_users(&d) > 0)
		return err_say(err, -EBUSY, "network '%s' is used by %zu containers", name,
			networks_users(&d));
	return netstore_remove(&n->net, name, err);
}

static int run_rm(struct cli *cli, void *data, int argc, char **argv)
{
	struct networks n;
	struct err err = ERR_INIT;
	int r, code = 0;

	(void)data;
	r = networks_open(cli, &n, &err);
	if (r < 0)
		code = cli_fail(&err);
	for (int i = 0; r >= 0 && i < argc; i++) {
		if (remove_unused(&n, argv[i], &err) < 0)
			code = cli_fail(&err);
		else
			printf("%s\n", argv[i]);
	}
	networks_close(&n);
	return code;
}

int networks_prune(const struct cli *cli, struct err *err)
{
	auto_strv names = { 0 };
	struct networks n;
	int r = networks_open(cli, &n, err);

	if (r >= 0)
		r = netstore_list(&n.net, &names, err);
	for (size_t i = 0; r >= 0 && i < names.n; i++)
		if (remove_unused(&n, names.v[i], NULL) >= 0)
			printf("%s\n", names.v[i]);
	networks_close(&n);
	return r;
}

static int run_prune(struct cli *cli, void *data, int argc, char **argv)
{
	struct err err = ERR_INIT;

	return networks_prune(cli, &err) < 0 ? cli_fail(&err) : 0;
}

/* ---- connect, disconnect ---- */

struct connect_opts {
	const char *ip, *mac;
	struct strv alias;
};

static const struct args_opt connect_table[] = {
	{ "alias", 0, ARGS_LIST, offsetof(struct connect_opts, alias), "NAME",
		"a name more in the network" },
	{ "ip", 0, ARGS_STRING, offsetof(struct connect_opts, ip), "ADDRESS", "IPv4 address" },
	{ "mac-address", 0, ARGS_STRING, offsetof(struct connect_opts, mac), "MAC",
		"of the interface" },
	{ 0 },
};

/* The links of a text like that of --network, of one network, after the others of the container. */
static int connect_one(struct running *c, const char *text, struct err *err)
{
	struct network n;
	const struct strv no_ports = { 0 };
	struct network_place place;
	int r;

	network_init(&n);
	r = running_place(c, &place, err);
	if (r >= 0)
		r = network_parse(&n, text, &no_ports, err);
	if (r >= 0)
		r = network_attach(&n, img_store_dirfd(c->store), c->rec.name, &place, err);
	network_done(&n);
	return r;
}

/* ---- of one that does not run: what it is started with next time ---- */

static int check_exists(int store_fd, const char *text, struct err *err)
{
	auto_netstore store = NETSTORE_INIT;
	struct netmode m;
	int r;

	r = netmode_parse(text, &m, err);
	if (r < 0)
		return r;
	r = netstore_open(&store, store_fd, err);
	for (size_t i = 0; r >= 0 && i < m.n_links; i++) {
		auto_netdef d = { 0 };

		r = netstore_read(&store, m.links[i].name, &d, err);
	}
	netmode_done(&m);
	return r;
}

typedef char *change_fn(const char *text, const char *word, struct err *err);

static int change_held(
	const struct ctr_dir *dir, int store_fd, change_fn *fn, const char *word, struct err *err)
{
	struct ctropts o;
	char *text;
	int r;

	ctropts_init(&o);
	r = ctropts_read(dir->fd, &o, err);
	if (r < 0)
		return r;
	text = fn(o.network, word, err);
	r = text ? check_exists(store_fd, text, err) : -EINVAL;
	if (r >= 0) {
		free(o.network);
		o.network = ptr_take(&text);
		r = ctropts_write(dir->fd, &o, err);
	}
	free(text);
	ctropts_done(&o);
	return r;
}

static int change_stopped(
	const struct running *c, const char *ref, change_fn *fn, const char *word, struct err *err)
{
	int store_fd = img_store_dirfd(c->store), r;
	struct ctr_dir dir = CTR_DIR_INIT;
	char id[CTR_ID_LEN + 1];

	r = record_find(store_fd, ref, id, err);
	if (r >= 0)
		r = ctr_dir_take(store_fd, id, &dir, err);
	if (r < 0)
		return r;
	r = change_held(&dir, store_fd, fn, word, err);
	ctr_dir_close(&dir);
	return r;
}

static int run_connect(struct cli *cli, void *data, int argc, char **argv)
{
	const struct connect_opts *o = data;
	const struct strv name = { argv, 1 };
	struct running c;
	struct err err = ERR_INIT;
	auto_free char *text = netmode_join(&name, o->ip, o->mac, &o->alias, &err);
	int r = -EINVAL;

	(void)argc;
	if (!text || netdef_check_name(argv[0], &err) < 0)
		return cli_fail(&err);
	r = running_open(&c, cli->root, argv[1], &err);
	if (r >= 0)
		r = connect_one(&c, text, &err);
	else if (r == -ESRCH)
		r = change_stopped(&c, argv[1], netmode_with, text, &err);
	running_close(&c);
	if (r < 0)
		err_wrap(&err, r, "cannot connect '%s'", argv[1]);
	return r < 0 ? cli_fail(&err) : 0;
}

static int run_disconnect(struct cli *cli, void *data, int argc, char **argv)
{
	struct running c;
	struct err err = ERR_INIT;
	int r;

	(void)data;
	(void)argc;
	if (netdef_check_name(argv[0], &err) < 0)
		return cli_fail(&err);
	r = running_open(&c, cli->root, argv[1], &err);
	if (r >= 0)
		r = netlinkage_stop(
			img_store_dirfd(c.store), c.ns.rundir_fd, argv[0], c.rec.id, &err);
	else if (r == -ESRCH)
		r = change_stopped(&c, argv[1], netmode_without, argv[0], &err);
	running_close(&c);
	if (r < 0)
		err_wrap(&err, r, "cannot disconnect '%s'", argv[1]);
	return r < 0 ? cli_fail(&err) : 0;
}

const struct cli_verb cli_verbs_network[] = {
	{ "network connect", "[OPTION]… NETWORK CONTAINER", "give a container one more network",
		connect_table, sizeof(struct connect_opts), 2, 2, false, run_connect },
	{ "network create", "[OPTION]… NAME", "make a network of containers", create_table,
		sizeof(struct create_opts), 1, 1, false, run_create },
	{ "network disconnect", "NETWORK CONTAINER", "take a network from a container", NULL, 0, 2,
		2, false, run_disconnect },
	{ "network prune", "", "remove networks that no container uses", NULL, 0, 0, 0, false,
		run_prune },
	{ "network rm", "NAME…", "remove networks", NULL, 0, 1, -1, false, run_rm },
	{ 0 },
};
