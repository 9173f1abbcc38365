/* SPDX-License-Identifier: Apache-2.0 */
/* What a container was made with (the contract is in the header): one table says how it is written. */
#include "runtime/ctropts.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/logfile.h"

enum kind { TEXT, LIST, NUMBER, BOOL };

static const struct {
	const char *key;
	enum kind kind;
	size_t offset;
} members[] = {
	{ "network", TEXT, offsetof(struct ctropts, network) },
	{ "rootfs", TEXT, offsetof(struct ctropts, rootfs) },
	{ "logDriver", TEXT, offsetof(struct ctropts, log_driver) },
	{ "pidFile", TEXT, offsetof(struct ctropts, pid_file) },
	{ "userns", TEXT, offsetof(struct ctropts, userns) },
	{ "publish", LIST, offsetof(struct ctropts, publish) },
	{ "addHost", LIST, offsetof(struct ctropts, add_host) },
	{ "dns", LIST, offsetof(struct ctropts, dns) },
	{ "dnsSearch", LIST, offsetof(struct ctropts, dns_search) },
	{ "dnsOption", LIST, offsetof(struct ctropts, dns_option) },
	{ "shares", LIST, offsetof(struct ctropts, shares) },
	{ "overlays", LIST, offsetof(struct ctropts, overlays) },
	{ "labels", LIST, offsetof(struct ctropts, labels) },
	{ "volumes", LIST, offsetof(struct ctropts, volumes) },
	{ "ownVolumes", LIST, offsetof(struct ctropts, own_volumes) },
	{ "createCommand", LIST, offsetof(struct ctropts, create_command) },
	{ "logMaxBytes", NUMBER, offsetof(struct ctropts, log_max_bytes) },
	{ "stopTimeout", NUMBER, offsetof(struct ctropts, stop_timeout_s) },
	{ "timeout", NUMBER, offsetof(struct ctropts, timeout_s) },
	{ "interactive", BOOL, offsetof(struct ctropts, interactive) },
	{ "init", BOOL, offsetof(struct ctropts, init) },
	{ "keepGroups", BOOL, offsetof(struct ctropts, keep_groups) },
	{ "noCgroup", BOOL, offsetof(struct ctropts, no_cgroup) },
	{ "fakeIds", BOOL, offsetof(struct ctropts, fake_ids) },
};

void ctropts_init(struct ctropts *o)
{
	memset(o, 0, sizeof(*o));
	o->log_max_bytes = LOGFILE_MAX_BYTES;
	o->stop_timeout_s = CTROPTS_STOP_TIMEOUT_S;
}

void ctropts_done(struct ctropts *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		void *field = (char *)o + members[i].offset;

		if (members[i].kind == TEXT)
			free(*(char **)field);
		else if (members[i].kind == LIST)
			strv_done(field);
	}
	memset(o, 0, sizeof(*o));
}

static json_t *list_to_json(const struct strv *list)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->n; i++)
		if (json_array_append_new(array, json_string(list->v[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *member_to_json(const struct ctropts *o, size_t i)
{
	const void *field = (const char *)o + members[i].offset;

	switch (members[i].kind) {
	case TEXT:
		return *(char *const *)field ? json_string(*(char *const *)field) : json_null();
	case LIST:
		return list_to_json(field);
	case NUMBER:
		return json_integer((json_int_t) * (const uint64_t *)field);
	case BOOL:
		return json_boolean(*(const bool *)field);
	}
	return NULL;
}

json_t *ctropts_to_json(const struct ctropts *o)
{
	auto_json *j = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_object_set_new(j, members[i].key, member_to_json(o, i)) < 0)
			return NULL;
	return ptr_take(&j);
}

static int list_from_json(const json_t *array, struct strv *ret)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *s = json_string_value(json_array_get(array, i));

		if (s && strv_add(ret, s) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int member_from_json(const json_t *j, struct ctropts *o, size_t i)
{
	void *field = (char *)o + members[i].offset;
	const char *key = members[i].key, *s;

	switch (members[i].kind) {
	case TEXT:
		s = json_get_str(j, key);
		*(char **)field = s ? strdup(s) : NULL;
		return s && !*(char **)field ? -ENOMEM : 0;
	case LIST:
		return list_from_json(json_object_get(j, key), field);
	case NUMBER:
		(void)json_get_u64(j, key, field);
		return 0;
	case BOOL:
		*(bool *)field = json_is_true(json_object_get(j, key));
		return 0;
	}
	return 0;
}

int ctropts_from_json(const json_t *j, struct ctropts *ret)
{
	struct ctropts o;
	int r = 0;

	ctropts_init(&o);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(members); i++)
		r = member_from_json(j, &o, i);
	if (r < 0)
		ctropts_done(&o);
	else
		*ret = o;
	return r;
}

int ctropts_write(int dirfd, const struct ctropts *o, struct err *err)
{
	auto_json *j = ctropts_to_json(o);
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
	int r;

	if (!text)
		return err_say(
			err, -EINVAL, "the options are not valid UTF-8 and cannot be written down");
	r = at_replace_file(dirfd, "options.json", text, strlen(text), 0600, 0);
	return r < 0 ? err_set(err, r, "cannot write the container's options") : 0;
}

int ctropts_read(int dirfd, struct ctropts *ret, struct err *err)
{
	auto_free char *text = NULL;
	auto_json *j = NULL;
	size_t len;
	int r;

	r = at_read_file(dirfd, "options.json", LIMIT_CTROPTS_BYTES, &text, &len);
	if (r == -ENOENT) {
		ctropts_init(ret);
		return 0;
	}
	if (r < 0)
		return err_set(err, r, "cannot read the container's options");
	r = json_parse(text, len, "options.json", &j, err);
	if (r < 0)
		return r;
	r = ctropts_from_json(j, ret);
	return r < 0 ? err_set(err, r, "options.json") : 0;
}
