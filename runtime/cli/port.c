/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: port
 *
 * Speaks the API of the container's relay (runtime/net_api.h) over its socket.
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "image/store.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/running.h"
#include "runtime/ctropts.h"
#include "runtime/rundir.h"

#include <fcntl.h>
#include <sys/socket.h>

#define LIMIT_API_ANSWER (4 << 20)

struct port_opts {
	struct strv add, remove;
	bool json;
};

static const struct args_opt port_table[] = {
	{ "add", 0, ARGS_LIST, offsetof(struct port_opts, add), "[[ADDRESS:][PORT]:]PORT[/udp]",
		"publish one more" },
	{ "json", 0, ARGS_FLAG, offsetof(struct port_opts, json), NULL, "print JSON" },
	{ "remove", 0, ARGS_LIST, offsetof(struct port_opts, remove),
		"[[ADDRESS:][PORT]:]PORT[/udp]", "publish no longer; connections stay" },
	{ 0 },
};

struct ports {
	int rundir_fd;
	char id[CTR_ID_LEN + 1];
};

/* ---- the API ---- */

static int read_answer(int sock, struct buf *ret)
{
	char part[16384];
	ssize_t n;

	for (;;) {
		n = recv(sock, part, sizeof(part), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (ret->len + (size_t)n > LIMIT_API_ANSWER)
			return -EFBIG;
		if (buf_add(ret, part, (size_t)n) < 0)
			return -ENOMEM;
	}
}

/* @ret_value: what the request returns, a new reference; a refusal is an error with its text. */
static int ask(const struct ports *p, json_t *take_request, json_t **ret_value, struct err *err)
{
	auto_json *request = take_request, *answer = NULL;
	auto_free char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	auto_buf reply = { 0 };
	const json_t *error;
	auto_fd sock = -1;
	int r;

	if (!text)
		return err_set(err, -ENOMEM, "ports");
	sock = network_api_connect(p->rundir_fd, p->id, err);
	if (sock < 0)
		return sock;
	r = fd_write_all(sock, text, strlen(text));
	if (r >= 0 && shutdown(sock, SHUT_WR) < 0)
		r = -errno;
	if (r >= 0)
		r = read_answer(sock, &reply);
	if (r < 0)
		return err_set(err, r, "cannot speak with the container's ports");
	r = json_parse(reply.data ? reply.data : "", reply.len, "answer", &answer, err);
	if (r < 0)
		return r;
	error = json_object_get(answer, "error");
	if (error) {
		const char *desc = json_get_str(error, "desc");
		const char *cause = desc ? strstr(desc, "cannot publish") : NULL;

		return err_say(err, -EINVAL, "%s", cause ? cause : desc ? desc : "refused");
	}
	*ret_value = json_incref(json_object_get(answer, "return"));
	return 0;
}

static int list_entries(const struct ports *p, json_t **ret, struct err *err)
{
	auto_json *value = NULL;
	int r = ask(p, json_pack("{s:s}", "execute", "list_hostfwd"), &value, err);

	if (r < 0)
		return r;
	*ret = json_incref(json_object_get(value, "entries"));
	return 0;
}

static uint16_t member_port(const json_t *entry, const char *key)
{
	return (uint16_t)json_integer_value(json_object_get(entry, key));
}

/* ---- adding and removing ---- */

static const char *proto_name(enum net_proto proto)
{
	return proto == NET_UDP ? "udp" : "tcp";
}

static int add_at(const struct ports *p, const struct port *port, const char *addr,
	uint64_t *ret_id, struct err *err)
{
	auto_json *value = NULL;
	int r = ask(p,
		json_pack("{s:s, s:{s:s, s:s, s:i, s:i}}", "execute", "add_hostfwd", "arguments",
			"proto", proto_name(port->proto), "host_addr", addr, "host_port",
			port->host_port, "guest_port", port->guest_port),
		&value, err);

	return r < 0 ? r : json_get_u64(value, "id", ret_id);
}

static int chosen_port(const struct ports *p, uint64_t id, uint16_t *ret, struct err *err)
{
	auto_json *entries = NULL;
	size_t i;
	const json_t *e;
	uint64_t entry_id;
	int r = list_entries(p, &entries, err);

	if (r < 0)
		return r;
	json_array_foreach (entries, i, e)
		if (json_get_u64(e, "id", &entry_id) >= 0 && entry_id == id)
			*ret = member_port(e, "host_port");
	return 0;
}

/* Without an address: both IP versions, as -p does; a host without IPv6 has the one. */
static int add_port(const struct ports *p, const struct port *port, struct err *err)
{
	struct port second = *port;
	uint64_t id;
	int r;

	if (port->host_addr[0])
		return add_at(p, port, port->host_addr, &id, err);
	r = add_at(p, port, "0.0.0.0", &id, err);
	if (r >= 0)
		r = chosen_port(p, id, &second.host_port, err);
	if (r >= 0)
		(void)add_at(p, &second, "::", &id, NULL);
	return r;
}

static bool is_meant(const json_t *e, const struct port *port)
{
	const char *proto = json_get_str(e, "proto"), *addr = json_get_str(e, "host_addr");

	return proto && addr && str_eq(proto, proto_name(port->proto)) &&
	       member_port(e, "guest_port") == port->guest_port &&
	       (!port->host_port || member_port(e, "host_port") == port->host_port) &&
	       (!port->host_addr[0] || str_eq(addr, port->host_addr));
}

static int remove_port(const struct ports *p, const struct port *port, struct err *err)
{
	auto_json *entries = NULL;
	size_t i, n = 0;
	const json_t *e;
	int r = list_entries(p, &entries, err);

	json_array_foreach (entries, i, e) {
		auto_json *value = NULL;

		if (r < 0 || !is_meant(e, port))
			continue;
		r = ask(p,
			json_pack("{s:s, s:{s:O}}", "execute", "remove_hostfwd", "arguments", "id",
				json_object_get(e, "id")),
			&value, err);
		n++;
	}
	if (r >= 0 && n == 0)
		return err_say(err, -ENOENT, "port %u/%s is not published so", port->guest_port,
			proto_name(port->proto));
	return r;
}

static int change(const struct ports *p, const struct strv *words,
	int (*one)(const struct ports *p, const struct port *port, struct err *err),
	struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < words->n; i++) {
		auto_portmap map = { 0 };

		r = portmap_add(&map, words->v[i], err);
		for (size_t k = 0; r >= 0 && k < map.n; k++)
			r = one(p, &map.v[k], err);
	}
	return r;
}

/* ---- listing ---- */

static int print_ports(const json_t *entries, const char *only, struct err *err)
{
	const json_t *e;
	size_t i, n = 0;

	json_array_foreach (entries, i, e) {
		const char *proto = json_get_str(e, "proto"), *addr = json_get_str(e, "host_addr");
		char inside[32];

		if (!proto || !addr)
			continue;
		snprintf(inside, sizeof(inside), "%u/%s", member_port(e, "guest_port"), proto);
		if (only && !str_eq(only, inside) &&
			!(str_eq(proto, "tcp") && strlen(only) + 4 == strlen(inside) &&
				str_starts(inside, only)))
			continue;
		n++;
		if (!only)
			printf("%s -> ", inside);
		printf(strchr(addr, ':') ? "[%s]:%u\n" : "%s:%u\n", addr,
			member_port(e, "host_port"));
	}
	return only && n == 0 ? err_say(err, -ENOENT, "port %s is not published", only) : 0;
}

static int show(const struct ports *p, const char *only, bool json, struct err *err)
{
	auto_json *entries = NULL;
	auto_free char *text = NULL;
	int r = list_entries(p, &entries, err);

	if (r < 0 || !json)
		return r < 0 ? r : print_ports(entries, only, err);
	text = json_dumps(entries, JSON_INDENT(2));
	return text && puts(text) >= 0 ? 0 : err_set(err, -ENOMEM, "ports");
}

static int find_container(const struct cli *cli, const char *ref, struct ports *p, struct err *err)
{
	struct img_store *store = NULL;
	int r = img_store_open(&store, cli->root, err);

	if (r >= 0)
		r = record_find(img_store_dirfd(store), ref, p->id, err);
	img_store_close(store);
	if (r < 0)
		return r;
	p->rundir_fd = rundir_open(err);
	return p->rundir_fd < 0 ? p->rundir_fd : 0;
}

/* A container that was started without -p has no relay until it is wanted. */
static int make_relay(const struct cli *cli, const char *ref, struct err *err)
{
	struct network_place place;
	struct ctropts opts;
	struct running c;
	auto_fd dirfd = -1;
	auto_free char *dir = NULL;
	int r;

	ctropts_init(&opts);
	r = running_open(&c, cli->root, ref, err);
	if (r >= 0)
		r = running_place(&c, &place, err);
	if (r >= 0) {
		dir = str_format("containers/%s", c.rec.id);
		dirfd = dir ? at_open(img_store_dirfd(c.store), dir, O_RDONLY | O_DIRECTORY, 0)
			    : -ENOMEM;
		r = dirfd < 0 ? err_set(err, dirfd, "cannot open the container")
			      : ctropts_read(dirfd, &opts, err);
	}
	if (r >= 0)
		r = network_publish(opts.network, img_store_dirfd(c.store), &place, err);
	ctropts_done(&opts);
	running_close(&c);
	return r;
}

static int run_port(struct cli *cli, void *data, int argc, char **argv)
{
	const struct port_opts *o = data;
	struct ports p = { .rundir_fd = -1 };
	struct err err = ERR_INIT;
	int r;

	r = find_container(cli, argv[0], &p, &err);
	if (r >= 0)
		r = change(&p, &o->remove, remove_port, &err);
	if (r >= 0 && o->add.n > 0)
		r = make_relay(cli, argv[0], &err);
	if (r >= 0)
		r = change(&p, &o->add, add_port, &err);
	if (r >= 0 && ((o->add.n == 0 && o->remove.n == 0) || o->json || argc > 1))
		r = show(&p, argc > 1 ? argv[1] : NULL, o->json, &err);
	cleanup_fd(&p.rundir_fd);
	if (r < 0)
		err_wrap(&err, r, "ports of '%s'", argv[0]);
	return r < 0 ? cli_fail(&err) : 0;
}

const struct cli_verb cli_verbs_port[] = {
	{ "port", "[OPTION]… CONTAINER [PORT[/udp]]",
		"list or change the ports that a container publishes", port_table,
		sizeof(struct port_opts), 1, 2, false, run_port },
	{ 0 },
};
