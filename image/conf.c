/* SPDX-License-Identifier: Apache-2.0 */
/* lamina.conf (the contract is in the header). */
#include "image/conf.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <ctype.h>
#include <fcntl.h>

#define SYSTEM_CONF "/etc/lamina/lamina.conf"

/* Where the parser is. */
struct parser {
	struct conf *conf;
	const char *what;
	unsigned int line;
	const char *(*lookup)(void *ctx, const char *name);
	void *ctx;
};

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* One "$NAME" or "${NAME}"; @text stands behind the dollar.  Return: bytes used, or an error. */
static int expand_one(const struct parser *p, const char *text, struct buf *out, struct err *err)
{
	bool braced = *text == '{';
	const char *name = text + braced, *value;
	auto_free char *copy = NULL;
	size_t len = 0;

	while (is_name_char(name[len]))
		len++;
	if (len == 0 || (braced && name[len] != '}'))
		return err_say(err, -EINVAL, "%s, line %u: '$' is not followed by a name", p->what,
			p->line);
	copy = strndup(name, len);
	if (!copy)
		return err_set(err, -ENOMEM, "cannot read '%s'", p->what);
	value = p->lookup(p->ctx, copy);
	if (!value)
		return err_say(err, -EINVAL, "%s, line %u: the variable '%s' is not set", p->what,
			p->line, copy);
	if (out->len + strlen(value) > LIMIT_CONF_VALUE)
		return err_say(
			err, -EINVAL, "%s, line %u: the value is too long", p->what, p->line);
	if (buf_add_str(out, value) < 0)
		return err_set(err, -ENOMEM, "cannot read '%s'", p->what);
	return (int)(len + (braced ? 2 : 0));
}

static int expand(const struct parser *p, const char *value, char **ret, struct err *err)
{
	auto_buf out = { 0 };

	while (*value) {
		int n = 1;

		if (*value == '$')
			n = expand_one(p, ++value, &out, err);
		else if (buf_add(&out, value, 1) < 0)
			n = err_set(err, -ENOMEM, "cannot read '%s'", p->what);
		if (n < 0)
			return n;
		value += n;
	}
	*ret = buf_take(&out);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot read '%s'", p->what);
}

/* @value_take: an absolute path. */
static int set(struct parser *p, const char *key, char *value_take, struct err *err)
{
	auto_free char *value = value_take;
	struct conf *c = p->conf;

	if (*value != '/')
		return err_say(err, -EINVAL, "%s, line %u: '%s' takes an absolute path, not '%s'",
			p->what, p->line, key, value);
	if (str_eq(key, "root")) {
		free(c->root);
		c->root = ptr_take(&value);
		return 0;
	}
	if (c->additional_stores.n >= LIMIT_CONF_ADDITIONAL)
		return err_say(err, -E2BIG, "%s, line %u: more than %d additional stores", p->what,
			p->line, LIMIT_CONF_ADDITIONAL);
	if (strv_add(&c->additional_stores, value) < 0)
		return err_set(err, -ENOMEM, "cannot read '%s'", p->what);
	return 0;
}

static char *trim(char *s)
{
	size_t len;

	s += strspn(s, " \t\r");
	len = strlen(s);
	while (len && strchr(" \t\r", s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

static int parse_line(struct parser *p, char *line, struct err *err)
{
	char *key = trim(line), *eq, *value;
	int r;

	if (!*key || *key == '#')
		return 0;
	eq = strchr(key, '=');
	if (!eq)
		return err_say(
			err, -EINVAL, "%s, line %u: it is not 'key = value'", p->what, p->line);
	*eq = '\0';
	key = trim(key);
	if (!str_eq(key, "root") && !str_eq(key, "additional-store")) {
		auto_free char *shown = str_quote(key, strlen(key));

		err_say(err, -EINVAL, "%s, line %u: '%s' is not known", p->what, p->line,
			shown ? shown : "");
		return err_hint(err, -EINVAL, "man lamina.conf");
	}
	r = expand(p, trim(eq + 1), &value, err);
	return r < 0 ? r : set(p, key, value, err);
}

int conf_parse(struct conf *c, const char *text, size_t len, const char *what,
	const char *(*lookup)(void *ctx, const char *name), void *ctx, struct err *err)
{
	struct parser p = { c, what, 0, lookup, ctx };
	auto_free char *copy = NULL;
	char *rest, *line;
	int r = 0;

	if (len > LIMIT_CONF_BYTES)
		return err_say(err, -E2BIG, "%s is larger than %d bytes", what, LIMIT_CONF_BYTES);
	if (memchr(text, 0, len))
		return err_say(err, -EINVAL, "%s holds a NUL", what);
	copy = strndup(text, len);
	if (!copy)
		return err_set(err, -ENOMEM, "cannot read '%s'", what);
	rest = copy;
	while (r == 0 && (line = strsep(&rest, "\n"))) {
		p.line++;
		if (strlen(line) > LIMIT_CONF_VALUE)
			r = err_say(err, -EINVAL, "%s, line %u: it is too long", what, p.line);
		else
			r = parse_line(&p, line, err);
	}
	return r;
}

static const char *lookup_env(void *ctx, const char *name)
{
	char *uid = ctx;

	return str_eq(name, "UID") ? uid : getenv(name);
}

static int load_file(struct conf *c, const char *path, bool must_exist, struct err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_free char *text = NULL;
	char uid[16];
	size_t len;
	int r;

	if (fd < 0 && !must_exist && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0;
	r = fd < 0 ? -errno : fd_read_file(fd, LIMIT_CONF_BYTES, &text, &len);
	if (r < 0)
		return err_set(err, r, "cannot read '%s'", path);
	snprintf(uid, sizeof(uid), "%u", (unsigned int)getuid());
	return conf_parse(c, text, len, path, lookup_env, uid, err);
}

int conf_load(struct conf *ret, struct err *err)
{
	const char *only = getenv("LAMINA_CONF"), *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	auto_free char *own = NULL;
	struct conf c = { 0 };
	int r;

	if (only && *only) {
		r = load_file(&c, only, true, err);
	} else {
		r = load_file(&c, SYSTEM_CONF, false, err);
		if (config && *config == '/')
			own = str_format("%s/lamina/lamina.conf", config);
		else if (home && *home)
			own = str_format("%s/.config/lamina/lamina.conf", home);
		if (r == 0 && own)
			r = load_file(&c, own, false, err);
	}
	if (r < 0) {
		conf_done(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void conf_done(struct conf *c)
{
	free(c->root);
	strv_done(&c->additional_stores);
	*c = (struct conf){ 0 };
}
