/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits as people write them (the contract is in the header). */
#include "runtime/ulimit.h"

#include <errno.h>
#include <strings.h>
#include <sys/resource.h>

#define PREFIX "RLIMIT_"

static const struct {
	const char *name;
	int resource;
} limits[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
};

int ulimit_resource(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (str_eq(limits[i].name, name))
			return limits[i].resource;
	return -EINVAL;
}

static int parse_value(const char *text, uint64_t *ret)
{
	if (str_eq(text, "-1") || strcasecmp(text, "unlimited") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	return str_to_u64(text, INT64_MAX, ret);
}

int ulimit_parse(const char *text, struct spec_rlimit *ret, struct err *err)
{
	auto_free char *copy = strdup(text);
	char *name = copy, *value, *hard;
	struct spec_rlimit limit = { 0 };

	if (!copy)
		return err_set(err, -ENOMEM, "cannot read --ulimit");
	value = strchr(copy, '=');
	if (!value)
		return err_say(
			err, -EINVAL, "--ulimit '%.64s': it is written NAME=SOFT[:HARD]", text);
	*value++ = '\0';
	hard = strchr(value, ':');
	if (hard)
		*hard++ = '\0';
	if (strncasecmp(name, PREFIX, strlen(PREFIX)) == 0)
		name += strlen(PREFIX);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (strcasecmp(limits[i].name + strlen(PREFIX), name) == 0)
			limit = (struct spec_rlimit){ .resource = limits[i].resource,
				.name = limits[i].name };
	if (!limit.name)
		return err_say(err, -EINVAL, "--ulimit '%.64s': no such limit", text);
	if (parse_value(value, &limit.soft) < 0 ||
		parse_value(hard ? hard : value, &limit.hard) < 0)
		return err_say(
			err, -EINVAL, "--ulimit '%.64s': not a number, or -1 for no limit", text);
	if (limit.soft > limit.hard)
		return err_say(err, -EINVAL,
			"--ulimit '%.64s': the soft limit is above the hard one", text);
	*ret = limit;
	return 0;
}
