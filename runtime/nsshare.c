/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces shared with another container (the contract is in the header). */
#include "runtime/nsshare.h"

#include "base/cleanup.h"
#include "runtime/record.h"

#include <errno.h>

/* The names of files below /proc/PID/ns, which the notes begin with. */
static const char *const files[SPEC_NS_MAX_] = {
	[SPEC_NS_USER] = "user",
	[SPEC_NS_PID] = "pid",
	[SPEC_NS_UTS] = "uts",
	[SPEC_NS_IPC] = "ipc",
	[SPEC_NS_CGROUP] = "cgroup",
};

bool nsshare_is(const char *value)
{
	return value && (str_starts(value, "container:") || str_starts(value, "ns:"));
}

int nsshare_add(
	struct strv *shares, int store_fd, enum spec_ns ns, const char *value, struct err *err)
{
	char id[CTR_ID_LEN + 1];
	int r;

	if (str_starts(value, "ns:")) {
		if (value[3] != '/')
			return err_say(err, -EINVAL, "'%.256s' is not an absolute path", value + 3);
		r = strv_addf(shares, "%s=%s", files[ns], value);
		return r < 0 ? err_set(err, r, "namespaces") : 0;
	}
	r = record_find(store_fd, value + strlen("container:"), id, err);
	if (r < 0)
		return r;
	r = strv_addf(shares, "%s=container:%s", files[ns], id);
	return r < 0 ? err_set(err, r, "namespaces") : 0;
}

static int path_in_container(
	int store_fd, const char *id, const char *file, char **ret, struct err *err)
{
	struct record rec;
	int r = record_read(store_fd, id, &rec, err);

	if (r < 0)
		return r;
	if (rec.state != CTR_RUNNING && rec.state != CTR_CREATED) {
		r = err_say(err, -ESRCH, "container '%s' is not running", rec.name);
		err_hint(err, r, "lamina start %s", rec.name);
	} else {
		*ret = str_format("/proc/%d/ns/%s", (int)rec.init.pid, file);
	}
	record_done(&rec);
	return r;
}

static int resolve_one(
	const char *share, int store_fd, char *ret_paths[SPEC_NS_MAX_], struct err *err)
{
	const char *value = strchr(share, '=');
	size_t len = value ? (size_t)(value - share) : 0;
	int ns = 0, r = 0;

	while (ns < SPEC_NS_MAX_ &&
		!(files[ns] && strlen(files[ns]) == len && memcmp(files[ns], share, len) == 0))
		ns++;
	if (ns == SPEC_NS_MAX_ || !nsshare_is(value + 1) || ret_paths[ns])
		return err_say(err, -EINVAL, "'%.64s' is no namespace to share", share);
	if (str_starts(value + 1, "ns:"))
		ret_paths[ns] = strdup(value + 1 + strlen("ns:"));
	else
		r = path_in_container(
			store_fd, value + 1 + strlen("container:"), files[ns], &ret_paths[ns], err);
	return r < 0 || ret_paths[ns] ? r : err_set(err, -ENOMEM, "namespaces");
}

int nsshare_resolve(
	const struct strv *shares, int store_fd, char *ret_paths[SPEC_NS_MAX_], struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < shares->n; i++)
		r = resolve_one(shares->v[i], store_fd, ret_paths, err);
	return r;
}
