/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups of an image (the contract is in the header). */
#include "runtime/userdb.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>

#define MAX_ID	      4294967294u /* UINT32_MAX is "no id" */
#define PASSWD_FIELDS 7
#define GROUP_FIELDS  4

/* A piece of the file, not terminated. */
struct span {
	const char *p;
	size_t len;
};

static bool span_is(struct span s, const char *word)
{
	return strlen(word) == s.len && memcmp(s.p, word, s.len) == 0;
}

/* A whole decimal number of at most MAX_ID. */
static bool span_to_id(struct span s, uint32_t *ret)
{
	char digits[11];
	uint64_t v;

	if (s.len >= sizeof(digits))
		return false;
	memcpy(digits, s.p, s.len);
	digits[s.len] = '\0';
	if (strlen(digits) != s.len || str_to_u64(digits, MAX_ID, &v) < 0)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* Takes the next line off the front of @rest; false at the end. */
static bool next_line(struct span *rest, struct span *ret)
{
	const char *nl;

	if (rest->len == 0)
		return false;
	nl = memchr(rest->p, '\n', rest->len);
	*ret = (struct span){ rest->p, nl ? (size_t)(nl - rest->p) : rest->len };
	rest->p += ret->len + (nl ? 1 : 0);
	rest->len -= ret->len + (nl ? 1 : 0);
	return true;
}

/* Cuts a line at its colons; the number of fields, or 0 if there are more than @max. */
static size_t split(struct span line, char sep, struct span *fields, size_t max)
{
	size_t n = 0, start = 0;

	for (size_t i = 0; i <= line.len; i++) {
		if (i < line.len && line.p[i] != sep)
			continue;
		if (n == max)
			return 0;
		fields[n++] = (struct span){ line.p + start, i - start };
		start = i + 1;
	}
	return n;
}

struct passwd_entry {
	struct span name, home;
	uint32_t uid, gid;
};

/* "name:password:uid:gid:comment:home:shell"; a NUL in a line makes it malformed. */
static bool parse_passwd(struct span line, struct passwd_entry *ret)
{
	struct span f[PASSWD_FIELDS];

	if (line.len > 0 && memchr(line.p, '\0', line.len))
		return false;
	if (split(line, ':', f, PASSWD_FIELDS) < 6 || f[0].len == 0)
		return false;
	ret->name = f[0];
	ret->home = f[5];
	return span_to_id(f[2], &ret->uid) && span_to_id(f[3], &ret->gid);
}

struct group_entry {
	struct span name, members;
	uint32_t gid;
};

/* "name:password:gid:member,member" */
static bool parse_group(struct span line, struct group_entry *ret)
{
	struct span f[GROUP_FIELDS];
	size_t n;

	if (line.len > 0 && memchr(line.p, '\0', line.len))
		return false;
	n = split(line, ':', f, GROUP_FIELDS);
	if (n < 3 || f[0].len == 0)
		return false;
	ret->name = f[0];
	ret->members = n > 3 ? f[3] : (struct span){ line.p, 0 };
	return span_to_id(f[2], &ret->gid);
}

static struct span file_span(const struct userdb_file *file)
{
	return (struct span){ file->data, file->data ? file->len : 0 };
}

/* A name first, since "1000" may be one; then a number. */
static bool find_user(const struct userdb_file *passwd, const char *who, const uint32_t *uid,
	struct passwd_entry *ret)
{
	struct span rest = file_span(passwd), line;

	while (next_line(&rest, &line))
		if (parse_passwd(line, ret) && (uid ? ret->uid == *uid : span_is(ret->name, who)))
			return true;
	return false;
}

/* 1 if @text is a number, 0 if it is a name, -ERANGE if it is a number beyond the limit. */
static int parse_id(const char *text, uint32_t *ret)
{
	uint64_t v;
	int r;

	r = str_to_u64(text, MAX_ID, &v);
	if (r == -EINVAL)
		return 0;
	if (r < 0)
		return r;
	*ret = (uint32_t)v;
	return 1;
}

int userdb_find_group(
	const char *name, const struct userdb_file *group, uint32_t *ret, struct err *err)
{
	struct span rest = file_span(group), line;
	struct group_entry e;
	int r;

	while (next_line(&rest, &line))
		if (parse_group(line, &e) && span_is(e.name, name)) {
			*ret = e.gid;
			return 0;
		}
	r = parse_id(name, ret);
	if (r < 0)
		return err_say(err, r, "group id '%.64s' is not between 0 and %u", name, MAX_ID);
	if (r == 0)
		return err_say(err, -ENOENT, "no group '%.64s' in the image's /etc/group", name);
	return 0;
}

int userdb_add_gid(struct userdb_user *user, uint32_t gid)
{
	uint32_t *v;

	if (gid == user->gid)
		return 0;
	for (size_t i = 0; i < user->n_gids; i++)
		if (user->gids[i] == gid)
			return 0;
	if (user->n_gids == LIMIT_USER_GROUPS)
		return -E2BIG;
	v = reallocarray(user->gids, user->n_gids + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	user->gids = v;
	v[user->n_gids++] = gid;
	return 0;
}

static bool is_member(struct span members, struct span name)
{
	size_t start = 0;

	for (size_t i = 0; i <= members.len; i++) {
		if (i < members.len && members.p[i] != ',')
			continue;
		if (i - start == name.len && memcmp(members.p + start, name.p, name.len) == 0)
			return true;
		start = i + 1;
	}
	return false;
}

static int add_groups(struct userdb_user *user, const struct userdb_file *group, struct span name,
	struct err *err)
{
	struct span rest = file_span(group), line;
	struct group_entry e;
	int r;

	while (next_line(&rest, &line)) {
		if (!parse_group(line, &e) || !is_member(e.members, name))
			continue;
		r = userdb_add_gid(user, e.gid);
		if (r < 0)
			return err_say(err, r, "user '%.*s' is in more than %d groups of the image",
				(int)name.len, name.p, LIMIT_USER_GROUPS);
	}
	return 0;
}

/* Uid, gid, name and home of the part in front of the colon. */
static int resolve_user(const char *who, const struct userdb_file *passwd, struct userdb_user *user,
	struct span *ret_name, struct err *err)
{
	struct passwd_entry e;
	bool found;
	int r;

	found = find_user(passwd, who, NULL, &e);
	if (!found) {
		r = parse_id(who, &user->uid);
		if (r < 0)
			return err_say(
				err, r, "user id '%.64s' is not between 0 and %u", who, MAX_ID);
		if (r == 0)
			return err_say(
				err, -ENOENT, "no user '%.64s' in the image's /etc/passwd", who);
		found = find_user(passwd, NULL, &user->uid, &e);
	}
	if (found) {
		user->uid = e.uid;
		user->gid = e.gid;
		*ret_name = e.name;
		user->name = strndup(e.name.p, e.name.len);
		if (e.home.len > 0 && e.home.p[0] == '/')
			user->home = strndup(e.home.p, e.home.len);
	}
	if (!user->home)
		user->home = strdup("/");
	if (!user->home || (found && !user->name))
		return err_set(err, -ENOMEM, "cannot look up user '%.64s'", who);
	return 0;
}

int userdb_resolve(const char *spec, const struct userdb_file *passwd,
	const struct userdb_file *group, struct userdb_user *ret, struct err *err)
{
	auto_userdb_user user = { 0 };
	auto_free char *who = strdup(spec ? spec : "");
	struct span name = { "", 0 };
	char *colon;
	int r;

	if (!who)
		return err_set(err, -ENOMEM, "cannot look up the user");
	colon = strchr(who, ':');
	if (colon)
		*colon++ = '\0';
	r = resolve_user(who[0] ? who : "0", passwd, &user, &name, err);
	if (r < 0)
		return r;
	if (colon && colon[0])
		r = userdb_find_group(colon, group, &user.gid, err);
	else if (name.len > 0)
		r = add_groups(&user, group, name, err);
	if (r < 0)
		return r;
	*ret = user;
	user = (struct userdb_user){ 0 };
	return 0;
}

void userdb_user_done(struct userdb_user *user)
{
	free(user->name);
	free(user->home);
	free(user->gids);
	memset(user, 0, sizeof(*user));
}
