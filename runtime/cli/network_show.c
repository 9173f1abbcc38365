/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: network ls, inspect, exists
 *
 * What is shown has podman's names, besides those of the file: scripts ask for .Subnets, .Labels …
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/networks.h"
#include "runtime/cli/out.h"

#include <arpa/inet.h>
#include <time.h>

/* ---- what the verbs of networks share ---- */

int networks_open(const struct cli *cli, struct networks *ret, struct err *err)
{
	int r;

	*ret = (struct networks){ .net = NETSTORE_INIT };
	r = img_store_open(&ret->store, cli->root, err);
	return r < 0 ? r : netstore_open(&ret->net, img_store_dirfd(ret->store), err);
}

void networks_close(struct networks *n)
{
	netstore_close(&n->net);
	img_store_close(n->store);
}

int networks_read(const struct networks *n, struct net_def **ret, size_t *ret_n, struct err *err)
{
	auto_strv names = { 0 };
	int r;

	*ret_n = 0;
	*ret = NULL;
	r = netstore_list(&n->net, &names, err);
	if (r < 0)
		return r;
	*ret = calloc(names.n + 1, sizeof(**ret));
	if (!*ret)
		return err_set(err, -ENOMEM, "networks");
	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		r = netstore_read(&n->net, names.v[i], &(*ret)[*ret_n], err);
		*ret_n += r >= 0;
	}
	return r;
}

void networks_free(struct net_def *v, size_t n)
{
	while (n > 0)
		netdef_done(&v[--n]);
	free(v);
}

size_t networks_users(const struct net_def *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_leases; i++)
		n += netstore_is_alive(&d->leases[i].holder);
	return n;
}

/* ---- one network as JSON ---- */

static json_t *labels_json(const struct net_def *d)
{
	json_t *map = json_object();

	for (size_t i = 0; map && i < d->labels.n; i++) {
		const char *label = d->labels.v[i], *value = strchr(label, '=');
		auto_free char *key = strndup(label, strcspn(label, "="));

		if (key)
			(void)json_object_set_new(map, key, json_string(value ? value + 1 : ""));
	}
	return map;
}

static json_t *containers_json(const struct net_def *d)
{
	json_t *map = json_object();

	for (size_t i = 0; map && i < d->n_leases; i++) {
		const struct net_lease *l = &d->leases[i];
		char ip[INET_ADDRSTRLEN] = "", mac[18];

		if (!netstore_is_alive(&l->holder))
			continue;
		(void)inet_ntop(AF_INET, &l->ip, ip, sizeof(ip));
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", l->mac[0], l->mac[1],
			l->mac[2], l->mac[3], l->mac[4], l->mac[5]);
		(void)json_object_set_new(map, l->id,
			json_pack("{s:s, s:s, s:s}", "name", l->name, "ip", ip, "mac", mac));
	}
	return map;
}

static json_t *subnets_json(const struct net_def *d)
{
	json_t *list = json_pack("[{s:s, s:s}]", "subnet", d->cidr, "gateway", d->gateway);
	struct net_plan plan;

	if (d->prefix6[0] && netdef_plan(d, &plan, NULL) >= 0)
		(void)json_array_append_new(
			list, json_pack("{s:o, s:s}", "subnet", json_sprintf("%s/64", d->prefix6),
				      "gateway", plan.gateway6_text));
	return list;
}

static json_t *servers_json(const struct net_def *d)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < d->dns.n; i++)
		(void)json_array_append_new(list, json_string(d->dns.v[i]));
	return list;
}

static void time_text(int64_t seconds, char *ret, size_t len)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	ret[0] = '\0';
	if (gmtime_r(&t, &tm))
		(void)strftime(ret, len, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Go's names are those of the JSON but for capitals, which templates do not mind, and these two. */
static json_t *network_json(const struct net_def *d)
{
	bool ipv6 = d->prefix6[0];
	char created[32];
	json_t *j;

	time_text(d->created_s, created, sizeof(created));
	j = json_pack("{s:s, s:s, s:s, s:o, s:b, s:b, s:b, s:o, s:{s:o}, s:o, s:o}", "name",
		d->name, "driver", "bridge", "created", created, "subnets", subnets_json(d),
		"ipv6_enabled", ipv6, "internal", d->internal, "dns_enabled", 1, "labels",
		labels_json(d), "options", "mtu", json_sprintf("%u", d->mtu), "network_dns_servers",
		servers_json(d), "containers", containers_json(d));
	return j;
}

static int add_for_templates(json_t *j)
{
	return json_object_set(j, "IPv6Enabled", json_object_get(j, "ipv6_enabled")) < 0 ||
			       json_object_set(j, "DNSEnabled", json_object_get(j, "dns_enabled")) <
				       0
		       ? -ENOMEM
		       : 0;
}

static int add_row(json_t *rows, const struct net_def *d, const char *format, struct err *err)
{
	auto_json *j = network_json(d);
	int r = j ? 0 : -ENOMEM;

	if (r == 0 && !str_eq(format, "json"))
		r = add_for_templates(j);
	if (r == 0 && json_array_append(rows, j) < 0)
		r = -ENOMEM;
	return r < 0 ? err_set(err, r, "networks") : 0;
}

/* ---- ls ---- */

struct ls_opts {
	bool quiet, json;
	const char *format;
	struct strv filter;
};

static const struct args_opt ls_table[] = {
	{ "filter", 'f', ARGS_LIST, offsetof(struct ls_opts, filter), "KEY=VALUE",
		"name, driver, label or internal; several must all hold" },
	{ "format", 0, ARGS_STRING, offsetof(struct ls_opts, format), "TEMPLATE",
		"json, or a Go template, with 'table' in front if wanted" },
	{ "json", 0, ARGS_FLAG, offsetof(struct ls_opts, json), NULL, "print JSON" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct ls_opts, quiet), NULL, "print names alone" },
	{ 0 },
};

static bool has_label(const struct net_def *d, const char *want)
{
	size_t n = strlen(want);

	for (size_t i = 0; i < d->labels.n; i++)
		if (str_eq(d->labels.v[i], want) ||
			(!strchr(want, '=') && str_starts(d->labels.v[i], want) &&
				d->labels.v[i][n] == '='))
			return true;
	return false;
}

/* Return: whether it holds; -EINVAL for a filter that there is not. */
static int holds(const struct net_def *d, const char *filter, struct err *err)
{
	if (str_starts(filter, "name="))
		return strstr(d->name, filter + strlen("name=")) != NULL;
	if (str_starts(filter, "driver="))
		return str_eq(filter, "driver=bridge");
	if (str_starts(filter, "label="))
		return has_label(d, filter + strlen("label="));
	if (str_eq(filter, "internal=true") || str_eq(filter, "internal=false"))
		return d->internal == str_eq(filter, "internal=true");
	return err_say(
		err, -EINVAL, "filter '%.64s' is not name, driver, label or internal=BOOL", filter);
}

static int hold_all(const struct net_def *d, const struct strv *filters, struct err *err)
{
	int r = 1;

	for (size_t i = 0; r > 0 && i < filters->n; i++)
		r = holds(d, filters->v[i], err);
	return r;
}

static int run_ls(struct cli *cli, void *data, int argc, char **argv)
{
	static const struct net_def nothing;
	const struct ls_opts *o = data;
	const char *format = o->json	 ? "json"
			     : o->quiet	 ? "{{.Name}}"
			     : o->format ? o->format
					 : "table {{.Name}}\t{{.Driver}}\t{{range $i, $s := "
					   ".Subnets}}{{if $i}} {{end}}{{$s.Subnet}}{{end}}";
	auto_json *rows = json_array();
	struct net_def *v = NULL;
	struct networks n;
	struct err err = ERR_INIT;
	size_t count = 0;
	int r;

	(void)argc;
	(void)argv;
	r = networks_open(cli, &n, &err);
	if (r >= 0)
		r = networks_read(&n, &v, &count, &err);
	networks_close(&n);
	if (r >= 0) /* wrong filters are told where there is no network, too */
		r = hold_all(&nothing, &o->filter, &err);
	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = hold_all(&v[i], &o->filter, &err);
		if (r > 0)
			r = add_row(rows, &v[i], format, &err);
	}
	if (r >= 0)
		r = out_rows(rows, format, &err);
	networks_free(v, count);
	return r < 0 ? cli_fail(&err) : 0;
}

/* ---- inspect, exists ---- */

struct inspect_opts {
	const char *format;
};

static const struct args_opt inspect_table[] = {
	{ "format", 'f', ARGS_STRING, offsetof(struct inspect_opts, format), "TEMPLATE",
		"json, or a Go template" },
	{ 0 },
};

static int run_inspect(struct cli *cli, void *data, int argc, char **argv)
{
	const struct inspect_opts *o = data;
	const char *format = o->format ? o->format : "json";
	auto_json *rows = json_array();
	struct networks n;
	struct err err = ERR_INIT;
	int r;

	r = networks_open(cli, &n, &err);
	for (int i = 0; r >= 0 && i < argc; i++) {
		auto_netdef d = { 0 };

		r = netstore_read(&n.net, argv[i], &d, &err);
		if (r >= 0)
			r = add_row(rows, &d, format, &err);
	}
	networks_close(&n);
	if (r >= 0)
		r = out_rows(rows, format, &err);
	return r < 0 ? cli_fail(&err) : 0;
}

static int run_exists(struct cli *cli, void *data, int argc, char **argv)
{
	auto_netdef d = { 0 };
	struct networks n;
	struct err err = ERR_INIT;
	int r;

	(void)data;
	(void)argc;
	r = networks_open(cli, &n, &err);
	if (r >= 0)
		r = netstore_read(&n.net, argv[0], &d, &err);
	networks_close(&n);
	return r == -ENOENT ? 1 : r < 0 ? cli_fail(&err) : 0;
}

const struct cli_verb cli_verbs_network_show[] = {
	{ "network exists", "NAME", "exit with 0 if there is such a network, else with 1", NULL, 0,
		1, 1, false, run_exists },
	{ "network inspect", "[OPTION]… NAME…", "print networks and their containers",
		inspect_table, sizeof(struct inspect_opts), 1, -1, false, run_inspect },
	{ "network ls", "[OPTION]…", "list networks", ls_table, sizeof(struct ls_opts), 0, 0, false,
		run_ls },
	{ 0 },
};
