/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as data (the contract is in the header)
 *
 * Objects are built member by member; a member that cannot be made is left out, and the whole is
 * then refused by its maker.
 */
#include "runtime/describe.h"

#include "base/cleanup.h"
#include "runtime/logfile.h"
#include "runtime/netstore.h"
#include "runtime/network.h"
#include "runtime/signame.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>

struct maker {
	bool failed;
};

static json_t *put(struct maker *m, json_t *obj, const char *key, json_t *value)
{
	if (json_object_set_new(obj, key, value) < 0)
		m->failed = true;
	return value;
}

static void put_text(struct maker *m, json_t *obj, const char *key, const char *s)
{
	put(m, obj, key, json_string(s ? s : ""));
}

static void put_flag(struct maker *m, json_t *obj, const char *key, bool on)
{
	put(m, obj, key, json_boolean(on));
}

static void put_number(struct maker *m, json_t *obj, const char *key, int64_t v)
{
	put(m, obj, key, json_integer(v));
}

static json_t *put_object(struct maker *m, json_t *obj, const char *key)
{
	return put(m, obj, key, json_object());
}

static json_t *put_list(struct maker *m, json_t *obj, const char *key)
{
	return put(m, obj, key, json_array());
}

static void push_text(struct maker *m, json_t *list, const char *s)
{
	if (json_array_append_new(list, json_string(s)) < 0)
		m->failed = true;
}

static void put_words(struct maker *m, json_t *obj, const char *key, const struct strv *words)
{
	json_t *list = put_list(m, obj, key);

	for (size_t i = 0; i < words->n; i++)
		push_text(m, list, words->v[i]);
}

/* RFC 3339; what has not been is Go's zero time, which scripts look for. */
static void put_time(struct maker *m, json_t *obj, const char *key, int64_t secs)
{
	char text[LOGFILE_STAMP_LEN + 1];

	logfile_stamp(secs * 1000000000, text);
	put_text(m, obj, key, secs ? text : "0001-01-01T00:00:00Z");
}

json_t *describe_labels(const struct strv *labels)
{
	json_t *obj = json_object();

	for (size_t i = 0; obj && i < labels->n; i++) {
		const char *eq = strchr(labels->v[i], '=');
		auto_free char *key = eq ? strndup(labels->v[i], (size_t)(eq - labels->v[i]))
					 : strdup(labels->v[i]);

		if (!key || json_object_set_new(obj, key, json_string(eq ? eq + 1 : "")) < 0) {
			json_decref(obj);
			return NULL;
		}
	}
	return obj;
}

/* ---- status ---- */

/* "5 minutes" */
static void age_text(int64_t secs, char *ret, size_t size)
{
	static const struct {
		int64_t secs;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t u = 0;
	int64_t n;

	while (u + 1 < ARRAY_SIZE(units) && secs < units[u].secs)
		u++;
	n = secs / units[u].secs;
	snprintf(ret, size, "%" PRId64 " %s%s", n, units[u].name, n == 1 ? "" : "s");
}

void describe_status(const struct record *r, time_t now, char *ret, size_t size)
{
	int64_t since = r->state == CTR_STOPPED ? r->finished_s : r->started_s;
	char age[32];

	age_text(now > since ? now - since : 0, age, sizeof(age));
	switch (r->state) {
	case CTR_CONFIGURED:
		snprintf(ret, size, "Created");
		break;
	case CTR_CREATED:
		snprintf(ret, size, "Initialized");
		break;
	case CTR_STOPPED:
		if (r->exit_code < 0 || !r->finished_s)
			snprintf(ret, size, "Exited (unknown)");
		else
			snprintf(ret, size, "Exited (%d) %s ago", r->exit_code, age);
		break;
	default:
		snprintf(ret, size, "Up %s%s", age, r->state == CTR_PAUSED ? " (Paused)" : "");
	}
}

static void put_state(struct maker *m, json_t *doc, const struct record *r)
{
	json_t *s = put_object(m, doc, "State");

	put_text(m, s, "OciVersion", "1.2.0");
	put_text(m, s, "Status", state_word(r->state));
	put_flag(m, s, "Running", r->state == CTR_RUNNING);
	put_flag(m, s, "Paused", r->state == CTR_PAUSED);
	put_flag(m, s, "Restarting", false);
	put_flag(m, s, "OOMKilled", false);
	put_flag(m, s, "Dead", false);
	put_number(m, s, "Pid", state_is_live(r->state) ? r->init.pid : 0);
	put_number(m, s, "ConmonPid", state_is_live(r->state) ? r->monitor.pid : 0);
	put_number(m, s, "ExitCode", r->state == CTR_STOPPED ? r->exit_code : 0);
	put_text(m, s, "Error", "");
	put_time(m, s, "StartedAt", r->started_s);
	put_time(m, s, "FinishedAt", r->finished_s);
}

/* ---- mounts ---- */

static bool has_option(const struct spec_mount *mnt, const char *word)
{
	for (size_t i = 0; i < mnt->options.n; i++)
		if (str_eq(mnt->options.v[i], word))
			return true;
	return false;
}

/* STORE/volumes/NAME/_data: the name, owned by the caller; NULL if it is something else. */
static char *volume_name(const char *store_path, const char *source)
{
	size_t len = strlen(store_path);
	const char *name, *end;

	if (strncmp(source, store_path, len) != 0 || !str_starts(source + len, "/volumes/"))
		return NULL;
	name = source + len + strlen("/volumes/");
	end = strchr(name, '/');
	return end && str_eq(end, "/_data") ? strndup(name, (size_t)(end - name)) : NULL;
}

/* What the user asked for: the kernel's file systems and our own files are left out. */
static void put_mounts(struct maker *m, json_t *doc, const struct describe *d)
{
	json_t *list = put_list(m, doc, "Mounts");

	for (size_t i = 0; i < d->spec->n_mounts; i++) {
		const struct spec_mount *mnt = &d->spec->mounts[i];
		bool bind = mnt->type && str_eq(mnt->type, "bind");
		auto_free char *name = NULL;
		json_t *j, *options;

		if (!bind || !mnt->source || mnt->source[0] != '/')
			continue;
		name = volume_name(d->store_path, mnt->source);
		j = json_object();
		put_text(m, j, "Type", name ? "volume" : "bind");
		if (name)
			put_text(m, j, "Name", name);
		put_text(m, j, "Source", mnt->source);
		put_text(m, j, "Destination", mnt->destination);
		put_text(m, j, "Driver", name ? "local" : "");
		put_text(m, j, "Mode", "");
		options = put_list(m, j, "Options");
		for (size_t k = 0; k < mnt->options.n; k++)
			push_text(m, options, mnt->options.v[k]);
		put_flag(m, j, "RW", !has_option(mnt, "ro"));
		put_text(m, j, "Propagation", has_option(mnt, "rshared") ? "rshared" : "rprivate");
		if (json_array_append_new(list, j) < 0)
			m->failed = true;
	}
}

/* ---- network ---- */

static json_t *port_bindings(struct maker *m, const struct portmap *ports)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ports->n; i++) {
		const struct port *p = &ports->v[i];
		json_t *list, *binding = json_object();
		char key[32], number[8];

		snprintf(key, sizeof(key), "%u/%s", p->guest_port,
			p->proto == NET_TCP ? "tcp" : "udp");
		snprintf(number, sizeof(number), "%u", p->host_port);
		put_text(m, binding, "HostIp", p->host_addr);
		put_text(m, binding, "HostPort", number);
		list = json_object_get(all, key);
		if (!list)
			list = put_list(m, all, key);
		if (json_array_append_new(list, binding) < 0)
			m->failed = true;
	}
	return all;
}

static const char *network_mode(const struct ctropts *o)
{
	return o->network ? o->network : "slirp";
}

static void put_lease(
	struct maker *m, json_t *networks, const struct net_def *def, const struct net_lease *lease)
{
	json_t *j = put_object(m, networks, def->name);
	char ip[INET_ADDRSTRLEN], mac[18];
	struct net_plan plan;

	(void)inet_ntop(AF_INET, &lease->ip, ip, sizeof(ip));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", lease->mac[0], lease->mac[1],
		lease->mac[2], lease->mac[3], lease->mac[4], lease->mac[5]);
	put_text(m, j, "IPAddress", ip);
	put_text(m, j, "MacAddress", mac);
	if (netdef_plan(def, &plan, NULL) == 0) {
		put_number(m, j, "IPPrefixLen", plan.prefix_len);
		put_text(m, j, "Gateway", plan.gateway_text);
	}
}

/* What a running container has in named networks.  Without access to them there is nothing to say. */
static void put_leases(struct maker *m, json_t *networks, const struct describe *d)
{
	auto_netstore store = NETSTORE_INIT;
	auto_strv names = { 0 };

	if (netstore_open(&store, d->store_fd, NULL) < 0 || netstore_list(&store, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_netdef def = { 0 };
		const struct net_lease *lease = NULL;

		if (netstore_read(&store, names.v[i], &def, NULL) == 0)
			lease = ipam_find(&def, d->ctr->record.id);
		if (lease && netstore_is_alive(&lease->holder))
			put_lease(m, networks, &def, lease);
	}
}

static void put_network(struct maker *m, json_t *doc, json_t *host, const struct describe *d)
{
	const struct ctropts *o = &d->ctr->opts;
	json_t *s = put_object(m, doc, "NetworkSettings");
	struct network n;
	bool slirp;

	network_init(&n);
	slirp = network_parse(&n, o->network, &o->publish, NULL) == 0 &&
		n.mode.kind == NETMODE_SLIRP;
	put_text(m, s, "IPAddress", slirp ? n.plan.guest_text : "");
	put_number(m, s, "IPPrefixLen", slirp ? n.plan.prefix_len : 0);
	put_text(m, s, "Gateway", slirp ? n.plan.gateway_text : "");
	put(m, s, "Ports", port_bindings(m, &n.ports));
	put_leases(m, put_object(m, s, "Networks"), d);
	put(m, host, "PortBindings", port_bindings(m, &n.ports));
	put_text(m, host, "NetworkMode", network_mode(o));
	network_done(&n);
}

/* ---- configuration ---- */

static void put_file(
	struct maker *m, json_t *doc, const char *key, const struct describe *d, const char *name)
{
	auto_free char *path =
		str_format("%s/containers/%s/%s", d->store_path, d->ctr->record.id, name);

	put_text(m, doc, key, path);
}

static void put_config(struct maker *m, json_t *doc, const struct describe *d)
{
	const struct spec_process *p = d->spec->process;
	const char *sig = spec_annotation(d->spec, "org.opencontainers.image.stopSignal");
	json_t *c = put_object(m, doc, "Config"), *list;
	char user[32];

	snprintf(user, sizeof(user), "%u:%u", p->user.uid, p->user.gid);
	put_text(m, c, "Hostname", d->spec->hostname);
	put_text(m, c, "Domainname", d->spec->domainname);
	put_text(m, c, "User", p->user.uid || p->user.gid ? user : "");
	put_flag(m, c, "AttachStdin", false);
	put_flag(m, c, "Tty", p->terminal);
	put_flag(m, c, "OpenStdin", d->ctr->opts.interactive);
	list = put_list(m, c, "Env");
	for (size_t i = 0; i < p->env.n; i++)
		push_text(m, list, p->env.v[i]);
	list = put_list(m, c, "Cmd");
	for (size_t i = 0; i < p->args.n; i++)
		push_text(m, list, p->args.v[i]);
	put_text(m, c, "Image", d->ctr->record.image);
	put_text(m, c, "WorkingDir", p->cwd);
	put(m, c, "Labels", describe_labels(&d->ctr->opts.labels));
	list = put_object(m, c, "Annotations");
	for (size_t i = 0; i < d->spec->annotations.n; i++)
		put_text(m, list, d->spec->annotations.v[i].key, d->spec->annotations.v[i].value);
	put_number(m, c, "StopSignal", sig ? strtol(sig, NULL, 10) : 15);
	put_number(m, c, "StopTimeout", (int64_t)d->ctr->opts.stop_timeout_s);
	put_number(m, c, "Timeout", (int64_t)d->ctr->opts.timeout_s);
	put_words(m, c, "CreateCommand", &d->ctr->opts.create_command);
}

static json_t *put_host_config(struct maker *m, json_t *doc, const struct describe *d)
{
	const struct ctropts *o = &d->ctr->opts;
	json_t *h = put_object(m, doc, "HostConfig"), *log;

	put_text(m, h, "ContainerIDFile", "");
	log = put_object(m, h, "LogConfig");
	put_text(m, log, "Type", o->log_driver ? o->log_driver : "file");
	put_file(m, log, "Path", d, LOGFILE_NAME);
	put_number(m, log, "MaxBytes", (int64_t)o->log_max_bytes);
	put_flag(m, h, "AutoRemove", d->ctr->record.auto_remove);
	put_flag(m, h, "Init", o->init);
	put_flag(m, h, "ReadonlyRootfs", d->spec->root.readonly);
	put_number(m, h, "Memory", d->spec->resources.memory.limit.v);
	put_number(m, h, "PidsLimit", d->spec->resources.pids.v);
	put_number(m, h, "CpuQuota", d->spec->resources.cpu.quota.v);
	put_words(m, h, "ExtraHosts", &o->add_host);
	put_words(m, h, "Dns", &o->dns);
	put_text(m, h, "UsernsMode", o->userns);
	return h;
}

json_t *describe_inspect(const struct describe *d)
{
	const struct record *r = &d->ctr->record;
	auto_json *doc = json_object();
	struct maker m = { 0 };
	json_t *args, *host;

	if (!doc)
		return NULL;
	put_text(&m, doc, "Id", r->id);
	put_time(&m, doc, "Created", r->created_s);
	put_text(&m, doc, "Path", d->spec->process->args.n ? d->spec->process->args.v[0] : "");
	args = put_list(&m, doc, "Args");
	for (size_t i = 1; i < d->spec->process->args.n; i++)
		push_text(&m, args, d->spec->process->args.v[i]);
	put_state(&m, doc, r);
	put_text(&m, doc, "Image", r->image_id);
	put_text(&m, doc, "ImageName", r->image);
	put_text(&m, doc, "Name", r->name);
	put_text(&m, doc, "Driver", "lamina");
	put_file(&m, doc, "LogPath", d, LOGFILE_NAME);
	put_file(&m, doc, "HostsPath", d, "hosts");
	put_file(&m, doc, "ResolvConfPath", d, "resolv.conf");
	put_file(&m, doc, "HostnamePath", d, "hostname");
	put_file(&m, doc, "OCIConfigPath", d, "config.json");
	put_text(&m, doc, "Rootfs", d->ctr->opts.rootfs);
	put_text(&m, doc, "PidFile", d->ctr->opts.pid_file);
	put_mounts(&m, doc, d);
	put_config(&m, doc, d);
	host = put_host_config(&m, doc, d);
	put_network(&m, doc, host, d);
	return m.failed ? NULL : ptr_take(&doc);
}

/* ---- rows ---- */

static void put_ports(struct maker *m, json_t *row, const struct ctropts *o)
{
	auto_buf text = { 0 };

	for (size_t i = 0; i < o->publish.n; i++)
		if (buf_printf(&text, "%s%s", i ? ", " : "", o->publish.v[i]) < 0)
			m->failed = true;
	put_text(m, row, "Ports", text.data);
}

json_t *describe_row(const struct control_ctr *c, time_t now)
{
	const struct record *r = &c->record;
	auto_json *row = json_object();
	struct maker m = { 0 };
	char text[64];

	put_text(&m, row, "ID", r->id);
	put_text(&m, row, "Image", r->image);
	put_text(&m, row, "ImageID", r->image_id);
	put_text(&m, row, "Command", r->command);
	put_time(&m, row, "CreatedAt", r->created_s);
	age_text(now > r->created_s ? now - r->created_s : 0, text, sizeof(text) - 4);
	snprintf(text + strlen(text), 5, " ago");
	put_text(&m, row, "RunningFor", text);
	describe_status(r, now, text, sizeof(text));
	put_text(&m, row, "Status", text);
	put_text(&m, row, "State", state_word(r->state));
	put_text(&m, row, "Names", r->name);
	put_number(&m, row, "Pid", state_is_live(r->state) ? r->init.pid : 0);
	put_number(&m, row, "ExitCode", r->state == CTR_STOPPED ? r->exit_code : 0);
	put_time(&m, row, "StartedAt", r->started_s);
	put_ports(&m, row, &c->opts);
	put_text(&m, row, "Networks", network_mode(&c->opts));
	put(&m, row, "Labels", describe_labels(&c->opts.labels));
	return m.failed ? NULL : ptr_take(&row);
}
