/* SPDX-License-Identifier: Apache-2.0 */
/* slirp4netns's API: requests, the table of forwards, answers (contract: the header). */
#include "runtime/net_api.h"

#include "base/json.h"

#include <arpa/inet.h>

static const char *const proto_names[] = { [NET_TCP] = "tcp", [NET_UDP] = "udp" };
_Static_assert(ARRAY_SIZE(proto_names) == NET_PROTO_MAX_, "a name for each protocol");

void net_api_done(struct net_api *api)
{
	free(api->entries);
	api->entries = NULL;
	api->n_entries = api->room = 0;
}

static void endpoint_text(const struct net_endpoint *e, char *text, uint16_t *port)
{
	if (e->sa.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &e->in.sin_addr, text, INET6_ADDRSTRLEN);
		*port = ntohs(e->in.sin_port);
	} else {
		(void)inet_ntop(AF_INET6, &e->in6.sin6_addr, text, INET6_ADDRSTRLEN);
		*port = ntohs(e->in6.sin6_port);
	}
}

static int table_grow(struct net_api *api)
{
	size_t room = api->room ? api->room * 2 : 16;
	struct net_api_entry *entries;

	if (api->n_entries < api->room)
		return 0;
	if (api->n_entries >= LIMIT_NET_FORWARDS)
		return -E2BIG;
	entries = realloc(api->entries, room * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	api->entries = entries;
	api->room = room;
	return 0;
}

int64_t net_api_add(struct net_api *api, const struct net_forward *f, struct err *err)
{
	struct net_endpoint host, guest;
	struct net_api_entry *e;
	int r;

	r = net_plan_forward(api->plan, f, &host, &guest, err);
	if (r < 0)
		return r;
	r = table_grow(api);
	if (r < 0)
		return err_set(err, r, "cannot publish one more port");
	e = &api->entries[api->n_entries];
	e->proto = f->proto;
	endpoint_text(&host, e->host_addr, &e->host_port);
	endpoint_text(&guest, e->guest_addr, &e->guest_port);
	r = api->add(api->ctx, f->proto, &host, &guest);
	if (r < 0)
		return err_set(err, r, "cannot publish %s:%u/%s", e->host_addr, e->host_port,
			proto_names[e->proto]);
	endpoint_text(&host, e->host_addr, &e->host_port);
	e->id = ++api->last_id;
	api->n_entries++;
	return (int64_t)e->id;
}

static int bad(struct buf *reply, const char *text)
{
	return buf_printf(reply, "{\"error\":{\"desc\":\"bad request: %s\"}}", text);
}

static bool get_port(const json_t *args, const char *key, uint64_t least, uint16_t *ret)
{
	uint64_t v;

	if (json_get_u64(args, key, &v) < 0 || v < least || v > UINT16_MAX)
		return false;
	*ret = (uint16_t)v;
	return true;
}

/* A member that may be missing or empty (Podman's is) but must be an address if it says something */
static bool get_addr(const json_t *args, const char *key, const char **ret)
{
	uint8_t addr[16];

	*ret = json_get_str(args, key);
	if (!*ret)
		return !json_object_get(args, key);
	if ((*ret)[0] == '\0') {
		*ret = NULL;
		return true;
	}
	return inet_pton(AF_INET, *ret, addr) == 1 || inet_pton(AF_INET6, *ret, addr) == 1;
}

/* Return: NULL, or what is wrong. */
static const char *forward_from_json(
	const struct net_api *api, const json_t *args, struct net_forward *f)
{
	const char *proto = json_get_str(args, "proto");

	if (proto && str_eq(proto, "tcp"))
		f->proto = NET_TCP;
	else if (proto && str_eq(proto, "udp"))
		f->proto = NET_UDP;
	else
		return "add_hostfwd: bad arguments.proto";
	if (!get_addr(args, "host_addr", &f->host_addr))
		return "add_hostfwd: bad arguments.host_addr";
	if (!get_port(args, "host_port", api->flags & NET_API_ANY_PORT ? 0 : 1, &f->host_port))
		return "add_hostfwd: bad arguments.host_port";
	if (!get_addr(args, "guest_addr", &f->guest_addr))
		return "add_hostfwd: bad arguments.guest_addr";
	if (!get_port(args, "guest_port", 1, &f->guest_port))
		return "add_hostfwd: bad arguments.guest_port";
	return NULL;
}

static int answer_add(struct net_api *api, const json_t *args, struct buf *reply)
{
	struct net_forward f = { 0 };
	struct err err = ERR_INIT;
	auto_json *text = NULL;
	auto_free char *dump = NULL;
	const char *wrong;
	int64_t id;

	wrong = forward_from_json(api, args, &f);
	if (wrong)
		return bad(reply, wrong);
	id = net_api_add(api, &f, &err);
	if (id > 0)
		return buf_printf(reply, "{\"return\":{\"id\":%lld}}", (long long)id);
	text = json_sprintf("bad request: add_hostfwd: slirp_add_hostfwd failed: %s", err.text);
	dump = json_dumps(text, JSON_ENCODE_ANY);
	return dump ? buf_printf(reply, "{\"error\":{\"desc\":%s}}", dump) : -ENOMEM;
}

/* Every string here is one of ours or an address that inet_ntop() wrote. */
static int answer_list(const struct net_api *api, struct buf *reply)
{
	int r;

	r = buf_add_str(reply, "{\"return\":{\"entries\":[");
	for (size_t i = 0; r == 0 && i < api->n_entries; i++) {
		const struct net_api_entry *e = &api->entries[i];

		r = buf_printf(reply,
			"%s{\"id\":%llu,\"proto\":\"%s\",\"host_addr\":\"%s\",\"host_port\":%u,"
			"\"guest_addr\":\"%s\",\"guest_port\":%u}",
			i ? "," : "", (unsigned long long)e->id, proto_names[e->proto],
			e->host_addr, e->host_port, e->guest_addr, e->guest_port);
	}
	return r < 0 ? r : buf_add_str(reply, "]}}");
}

static int remove_at(struct net_api *api, size_t i)
{
	const struct net_api_entry *e = &api->entries[i];
	const struct net_forward f = { e->proto, e->host_port, e->guest_port, e->host_addr,
		e->guest_addr };
	struct net_endpoint host, guest;
	int r;

	r = net_plan_forward(api->plan, &f, &host, &guest, NULL);
	if (r >= 0)
		r = api->remove(api->ctx, f.proto, &host);
	if (r < 0)
		return r;
	memmove(&api->entries[i], &api->entries[i + 1],
		(api->n_entries - i - 1) * sizeof(api->entries[0]));
	api->n_entries--;
	return 0;
}

void net_api_remove_newest(struct net_api *api)
{
	if (api->n_entries > 0)
		(void)remove_at(api, api->n_entries - 1);
}

static int answer_remove(struct net_api *api, const json_t *args, struct buf *reply)
{
	uint64_t id;
	size_t i;

	if (json_get_u64(args, "id", &id) < 0)
		return bad(reply, "remove_hostfwd: bad arguments.id");
	for (i = 0; i < api->n_entries && api->entries[i].id != id; i++)
		;
	if (i == api->n_entries)
		return bad(reply, "remove_hostfwd: bad arguments.id");
	if (remove_at(api, i) < 0)
		return bad(reply, "remove_hostfwd: slirp_remove_hostfwd failed");
	return buf_add_str(reply, "{\"return\":{}}");
}

int net_api_answer(struct net_api *api, const char *request, size_t len, struct buf *reply)
{
	const json_t *args;
	auto_json *j = NULL;
	const char *verb;

	if (len > LIMIT_API_REQUEST)
		return bad(reply, "too large message");
	if (json_parse(request, len, "request", &j, NULL) < 0)
		return bad(reply, "cannot parse JSON");
	if (!json_is_object(j))
		return bad(reply, "json_object() failed");
	verb = json_get_str(j, "execute");
	if (!verb)
		return bad(reply, "no execute found");
	args = json_object_get(j, "arguments");
	if (str_eq(verb, "add_hostfwd"))
		return answer_add(api, args, reply);
	if (str_eq(verb, "list_hostfwd"))
		return answer_list(api, reply);
	if (str_eq(verb, "remove_hostfwd"))
		return answer_remove(api, args, reply);
	return bad(reply, "unknown execute");
}

bool net_api_is_whole(const char *request, size_t len)
{
	auto_json *j = NULL;

	return json_parse(request, len, "request", &j, NULL) == 0;
}
