/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: login, logout */
#include "base/fd.h"
#include "base/str.h"
#include "image/auth_store.h"
#include "image/regconf.h"
#include "image/session.h"
#include "runtime/cli/transfer.h"

#include <stdio.h>
#include <termios.h>

#define LIMIT_PASSWORD_BYTES 65536

struct opts_login {
	struct transfer_opts transfer;
	const char *user, *password;
	bool password_stdin, get_login;
	bool all; /* logout */
};

static const struct args_opt opts_login[] = {
	{ "username", 'u', ARGS_STRING, offsetof(struct opts_login, user), "NAME",
		"instead of asking" },
	{ "password", 'p', ARGS_STRING, offsetof(struct opts_login, password), "PASSWORD",
		"instead of asking; others can see it in the list of processes" },
	{ "password-stdin", 0, ARGS_FLAG, offsetof(struct opts_login, password_stdin), NULL,
		"read the password from stdin" },
	{ "get-login", 0, ARGS_FLAG, offsetof(struct opts_login, get_login), NULL,
		"print who is logged in, and do nothing else" },
	{ "authfile", 0, ARGS_STRING, offsetof(struct opts_login, transfer.authfile), "FILE",
		"instead of the usual file" },
	{ "tls-verify", 0, ARGS_STRING, offsetof(struct opts_login, transfer.tls_verify),
		"true|false", "false: any certificate, or no TLS" },
	{ "cert-dir", 0, ARGS_STRING, offsetof(struct opts_login, transfer.cert_dir), "DIR",
		"the registry's certificates, instead of certs.d" },
	{ 0 },
};

static const struct args_opt opts_logout[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct opts_login, all), NULL,
		"all registries of the file" },
	{ "authfile", 0, ARGS_STRING, offsetof(struct opts_login, transfer.authfile), "FILE",
		"instead of the usual file" },
	{ 0 },
};

/* "https://HOST/v2/" and HOST/ mean HOST; a namespace behind it stays. */
static char *plain_key(const char *text)
{
	static const char *const hub[] = { "index.docker.io", "registry-1.docker.io",
		"index.docker.io/v1" };
	size_t len;

	if (str_starts(text, "https://"))
		text += strlen("https://");
	else if (str_starts(text, "http://"))
		text += strlen("http://");
	len = strlen(text);
	while (len && text[len - 1] == '/')
		len--;
	for (size_t i = 0; i < ARRAY_SIZE(hub); i++)
		if (len == strlen(hub[i]) && memcmp(text, hub[i], len) == 0)
			return strdup("docker.io");
	return strndup(text, len);
}

/* A line of stdin, without its end. */
static int read_line(FILE *in, const char *what, char **ret, struct err *err)
{
	size_t room = 0;
	ssize_t n = getline(ret, &room, in);

	if (n < 0 || n > LIMIT_PASSWORD_BYTES)
		return err_say(err, -EINVAL, "cannot read the %s", what);
	(*ret)[strcspn(*ret, "\r\n")] = '\0';
	return 0;
}

static int ask(const char *what, bool hidden, char **ret, struct err *err)
{
	struct termios old, quiet;
	int r;

	if (!isatty(0)) {
		err_say(err, -EINVAL, "there is no terminal to ask for the %s", what);
		return err_hint(err, -EINVAL, "give --username and --password-stdin");
	}
	fprintf(stderr, "%s: ", what);
	if (hidden && tcgetattr(0, &old) == 0) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(0, TCSAFLUSH, &quiet);
	}
	r = read_line(stdin, what, ret, err);
	if (hidden) {
		(void)tcsetattr(0, TCSAFLUSH, &old);
		fprintf(stderr, "\n");
	}
	return r;
}

static int get_cred(const struct opts_login *o, struct cred *ret, struct err *err)
{
	int r = 0;

	if (o->password_stdin && (o->password || !o->user))
		return err_say(err, -EINVAL, "%s",
			o->password ? "--password and --password-stdin exclude each other"
				    : "--password-stdin needs --username");
	if (o->user)
		ret->user = strdup(o->user);
	else
		r = ask("username", false, &ret->user, err);
	if (r == 0 && o->password)
		ret->password = strdup(o->password);
	else if (r == 0 && o->password_stdin)
		r = read_line(stdin, "password", &ret->password, err);
	else if (r == 0)
		r = ask("password", true, &ret->password, err);
	if (r < 0)
		return r;
	if (!ret->user || !ret->password)
		return err_set(err, -ENOMEM, "cannot log in");
	if (!*ret->user || strchr(ret->user, ':') || strpbrk(ret->user, "\r\n") ||
		strpbrk(ret->password, "\r\n"))
		return err_say(err, -EINVAL, "a username is not empty, and without a colon");
	return 0;
}

/* Ask the registry whether it takes the credentials. */
static int verify(
	const struct opts_login *o, const char *key, const struct cred *cred, struct err *err)
{
	struct transport_options transport = { 0 };
	auto_free char *host = strndup(key, strcspn(key, "/"));
	struct session_place place = { .host = host };
	struct session *s = NULL;
	struct http *h = NULL;
	struct query q = { 0 };
	struct http_response resp;
	struct source *body = NULL;
	int r = transfer_fill(&o->transfer, &transport, err);

	if (r == 0 && !host)
		r = err_set(err, -ENOMEM, "cannot log in");
	if (r == 0)
		r = regconf_insecure(host, &place.insecure, err);
	transport.registry.cred = cred;
	if (r == 0)
		r = session_new(&s, &place, "pull", &transport.registry, err);
	if (r == 0)
		r = session_http(s, &h, err);
	if (r == 0)
		r = session_perform(s, h, &q, &resp, &body, err);
	source_close(body);
	http_free(h);
	session_free(s);
	return r;
}

static int print_login(const struct opts_login *o, const char *key, struct err *err)
{
	auto_free char *host = strndup(key, strcspn(key, "/"));
	const char *path = strchr(key, '/');
	auto_cred c = { 0 };
	int r = host ? auth_find(o->transfer.authfile, host, path ? path + 1 : NULL, &c, err)
		     : err_set(err, -ENOMEM, "cannot look");

	if (r < 0)
		return r;
	if (!c.user && !c.identity_token)
		return err_say(err, -ENOENT, "nobody is logged in to '%s'", key);
	printf("%s\n", c.user ? c.user : "<token>");
	return 0;
}

static int login(const struct opts_login *o, const char *key, struct err *err)
{
	auto_cred c = { 0 };
	int r = get_cred(o, &c, err);

	if (r == 0)
		r = verify(o, key, &c, err);
	if (r == 0)
		r = auth_store(o->transfer.authfile, key, &c, err);
	if (r == 0)
		printf("Login Succeeded!\n");
	return r;
}

static int run_login(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_login *o = opts;
	auto_free char *key = plain_key(argc ? argv[0] : "docker.io");
	struct err err = ERR_INIT;
	int r;

	if (!key || !*key)
		r = err_say(&err, -EINVAL, "the name of the registry is empty");
	else
		r = o->get_login ? print_login(o, key, &err) : login(o, key, &err);
	if (r < 0) {
		err_wrap(&err, r, "cannot log in to '%s'", key ? key : "");
		return transfer_fail(r, &err);
	}
	return 0;
}

static int run_logout(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_login *o = opts;
	auto_free char *key = o->all ? NULL : plain_key(argc ? argv[0] : "docker.io");
	struct err err = ERR_INIT;
	int r;

	if (o->all && argc)
		r = err_say(&err, -EINVAL, "'lamina logout' takes a registry or --all");
	else
		r = auth_erase(o->transfer.authfile, key, &err);
	if (r == 0 && !o->all)
		r = err_say(&err, -ENOENT, "nobody is logged in there");
	if (r < 0) {
		err_wrap(&err, r, "cannot log out of '%s'", key ? key : "all registries");
		return transfer_fail(r, &err);
	}
	if (o->all)
		printf("Removed credentials for %d registries\n", r);
	else
		printf("Removed credentials for %s\n", key);
	return 0;
}

const struct cli_verb cli_verbs_login[] = {
	{ .name = "login",
		.synopsis = "[OPTION]… [REGISTRY]",
		.help = "check a name and password with a registry, keep them",
		.opts = opts_login,
		.opts_bytes = sizeof(struct opts_login),
		.max_args = 1,
		.run = run_login },
	{ .name = "logout",
		.synopsis = "[OPTION]… [REGISTRY]",
		.help = "forget the credentials for a registry",
		.opts = opts_logout,
		.opts_bytes = sizeof(struct opts_login),
		.max_args = 1,
		.run = run_logout },
	{ 0 },
};
