/* SPDX-License-Identifier: Apache-2.0 */
/* Which containers --filter means (the contract is in the header). */
#include "runtime/cli/ctrfilter.h"

#include <errno.h>

typedef bool filter(const struct control_ctr *c, const char *value);

static bool by_name(const struct control_ctr *c, const char *value)
{
	return strstr(c->record.name, value);
}

static bool by_id(const struct control_ctr *c, const char *value)
{
	return str_starts(c->record.id, value);
}

static bool by_status(const struct control_ctr *c, const char *value)
{
	return str_eq(state_word(c->record.state), value) ||
	       str_eq(state_name(c->record.state), value);
}

static bool by_exit_code(const struct control_ctr *c, const char *value)
{
	uint64_t code;

	return c->record.state == CTR_STOPPED && str_to_u64(value, 255, &code) == 0 &&
	       c->record.exit_code == (int)code;
}

/* "NAME" or "NAME=VALUE" */
static bool by_label(const struct control_ctr *c, const char *value)
{
	size_t n = strlen(value);

	for (size_t i = 0; i < c->opts.labels.n; i++) {
		const char *label = c->opts.labels.v[i];

		if (str_eq(label, value))
			return true;
		if (!strchr(value, '=') && str_starts(label, value) && label[n] == '=')
			return true;
	}
	return false;
}

static bool by_ancestor(const struct control_ctr *c, const char *value)
{
	const char *image = c->record.image ? c->record.image : "";
	const char *id = c->record.image_id ? c->record.image_id : "";
	const char *at = strstr(image, value);

	if (strchr(id, ':') && str_starts(strchr(id, ':') + 1, value))
		return true;
	/* "demo", "demo:latest" and "localhost/demo" are all "localhost/demo:latest". */
	return at && (at == image || at[-1] == '/') &&
	       (at[strlen(value)] == '\0' || at[strlen(value)] == ':');
}

static bool by_volume(const struct control_ctr *c, const char *value)
{
	return strv_has(&c->opts.volumes, value);
}

static bool by_network(const struct control_ctr *c, const char *value)
{
	return str_starts(c->opts.network ? c->opts.network : "slirp", value);
}

static const struct {
	const char *key;
	filter *matches;
} filters[] = { { "name", by_name }, { "id", by_id }, { "status", by_status },
	{ "exited", by_exit_code }, { "label", by_label }, { "ancestor", by_ancestor },
	{ "volume", by_volume }, { "network", by_network } };

static int find_filter(const char *text, size_t *ret, const char **ret_value, struct err *err)
{
	size_t n = strcspn(text, "=");

	for (*ret = 0; *ret < ARRAY_SIZE(filters); ++*ret)
		if (strlen(filters[*ret].key) == n && text[n] == '=' &&
			memcmp(filters[*ret].key, text, n) == 0) {
			*ret_value = text + n + 1;
			return 0;
		}
	return err_say(err, -EINVAL,
		"filter '%.64s' is not name, id, status, exited, label, ancestor, volume or "
		"network, =, and a value",
		text);
}

/* Of one key any may match, of different keys all must. */
bool ctrfilter_matches(const struct strv *wanted, const struct control_ctr *c)
{
	bool asked[ARRAY_SIZE(filters)] = { 0 }, matched[ARRAY_SIZE(filters)] = { 0 };

	for (size_t i = 0; i < wanted->n; i++) {
		const char *value;
		size_t f;

		if (find_filter(wanted->v[i], &f, &value, NULL) < 0)
			return false;
		asked[f] = true;
		matched[f] |= filters[f].matches(c, value);
	}
	for (size_t f = 0; f < ARRAY_SIZE(filters); f++)
		if (asked[f] && !matched[f])
			return false;
	return true;
}

int ctrfilter_check(const struct strv *wanted, struct err *err)
{
	const char *value;
	size_t which;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < wanted->n; i++)
		r = find_filter(wanted->v[i], &which, &value, err);
	return r;
}

/* Who names a state, or an exit code, means those that do not run, too. */
bool ctrfilter_asks_for_state(const struct strv *wanted)
{
	for (size_t i = 0; i < wanted->n; i++)
		if (str_starts(wanted->v[i], "status=") || str_starts(wanted->v[i], "exited="))
			return true;
	return false;
}
