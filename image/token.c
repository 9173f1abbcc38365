/* SPDX-License-Identifier: Apache-2.0 */
/* From a challenge to an Authorization header (the contract is in the header). */
#include "image/token.h"

#include "base/json.h"
#include "base/str.h"
#include "image/blob_source.h"

#define LIMIT_TOKEN_BYTES    (64U << 10)
#define LIMIT_TOKEN_DOCUMENT (256U << 10)

static int hint_login(const struct token_context *ctx, struct err *err)
{
	return err_hint(
		err, -EACCES, "check the name, or log in with 'lamina login %s'", ctx->host);
}

static int answer_basic(
	const struct token_context *ctx, const struct cred *cred, char **ret, struct err *err)
{
	if (!cred->user) {
		err_say(err, -EACCES, "'%s' asks for a user and password", ctx->host);
		return hint_login(ctx, err);
	}
	if (!url_is_private_line(ctx->registry))
		return err_say(err, -EACCES,
			"'%s' asks for a password without TLS, where others could read it",
			ctx->host);
	*ret = auth_basic(cred->user, cred->password);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot log in");
}

/* Is the realm one that we talk to at all? */
static int check_realm(
	const struct token_context *ctx, const char *realm, struct url *ret, struct err *err)
{
	if (url_parse(realm, ret) < 0)
		return err_say(err, -EACCES, "the token server '%.200s' is not a URL", realm);
	if (!url_may_follow(ctx->registry, ret, ctx->trust->insecure))
		return err_say(err, -EACCES,
			"the token server 'http://%s' is not asked without TLS", ret->host);
	return 0;
}

/* The registry's credentials. */
static int get_cred(const struct token_context *ctx, struct cred *ret, struct err *err)
{
	if (!ctx->cred)
		return auth_find(ctx->auth_file, ctx->host, ctx->path, ret, err);
	return cred_copy(ret, ctx->cred) < 0 ? err_set(err, -ENOMEM, "cannot log in") : 0;
}

/* The credentials that this realm may see: user NULL if there are none. */
static int choose_cred(const struct token_context *ctx, const struct url *realm, struct cred *ret,
	bool *withheld, struct err *err)
{
	auto_cred own = { 0 };
	int r = get_cred(ctx, ret, err);

	*withheld = false;
	if (r < 0 || (!ret->user && !ret->identity_token) ||
		url_may_hold_credentials(ctx->registry, realm))
		return r;
	r = auth_find(ctx->auth_file, realm->host, NULL, &own, err);
	cred_done(ret);
	/* What people keep for the token server itself, it may have. */
	if (r == 0 && (own.user || own.identity_token) && url_is_private_line(realm)) {
		*ret = own;
		memset(&own, 0, sizeof(own));
		return 0;
	}
	*withheld = true;
	return r;
}

/* "&scope=repository:PATH:ACTIONS…": what we need, whatever the challenge proposes. */
static int add_scopes(struct buf *b, const struct token_context *ctx)
{
	auto_free char *path = ctx->path ? url_escape(ctx->path) : NULL;
	auto_free char *actions = url_escape(ctx->actions);
	auto_free char *from = ctx->mount_from ? url_escape(ctx->mount_from) : NULL;
	int r = 0;

	if ((ctx->path && !path) || !actions || (ctx->mount_from && !from))
		return -ENOMEM;
	if (path)
		r = buf_printf(b, "&scope=repository%%3A%s%%3A%s", path, actions);
	if (r == 0 && from)
		r = buf_printf(b, "&scope=repository%%3A%s%%3Apull", from);
	return r;
}

/* REALM?service=…&scope=…: what every realm understands. */
static char *token_url(const struct token_context *ctx, const struct challenge *c)
{
	auto_free char *service = url_escape(c->service);
	auto_free char *realm = strndup(c->realm, strcspn(c->realm, "#"));
	auto_buf b = { 0 };

	if (!service || !realm || buf_printf(&b, "service=%s", service) < 0 ||
		add_scopes(&b, ctx) < 0)
		return NULL;
	return str_format("%s%c%s", realm, strchr(realm, '?') ? '&' : '?',
		*service ? b.data : b.data + strlen("service=") + (b.data[8] == '&'));
}

static char *refresh_form(
	const struct token_context *ctx, const struct challenge *c, const struct cred *cred)
{
	auto_free char *service = url_escape(c->service);
	auto_free char *token = url_escape(cred->identity_token);
	auto_buf b = { 0 };

	if (!service || !token ||
		buf_printf(&b, "grant_type=refresh_token&client_id=lamina&service=%s", service) <
			0 ||
		add_scopes(&b, ctx) < 0 || buf_printf(&b, "&refresh_token=%s", token) < 0)
		return NULL;
	return buf_take(&b);
}

/* It goes into a header: printable characters without blanks only. */
static bool token_is_sane(const char *token)
{
	if (!token || !*token || strlen(token) > LIMIT_TOKEN_BYTES)
		return false;
	for (; *token; token++)
		if ((unsigned char)*token <= 0x20 || (unsigned char)*token >= 0x7f)
			return false;
	return true;
}

static int read_token(struct source *body, const char *host, char **ret, struct err *err)
{
	auto_free char *data = NULL;
	auto_json *j = NULL;
	const char *token;
	size_t len;
	int r = source_read_all(body, LIMIT_TOKEN_DOCUMENT, &data, &len, err);

	if (r == 0)
		r = json_parse(data, len, "the token", &j, err);
	if (r < 0)
		return err_wrap(err, r, "the token server '%s'", host);
	token = json_get_str(j, "token");
	if (!token || !*token)
		token = json_get_str(j, "access_token");
	if (!token_is_sane(token))
		return err_say(err, -EBADMSG, "the token server '%s' sent no valid token", host);
	*ret = str_format("Bearer %s", token);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot log in");
}

static int answer_bearer(struct http *h, const struct token_context *ctx, const struct challenge *c,
	char **ret, struct err *err)
{
	auto_free char *url = NULL, *basic = NULL, *form = NULL;
	auto_cred cred = { 0 };
	auto_source body = NULL;
	struct http_request req = { .accept = "application/json", .trust = ctx->trust };
	struct http_response resp;
	struct url realm;
	bool withheld = false;
	int r = check_realm(ctx, c->realm, &realm, err);

	if (r == 0)
		r = choose_cred(ctx, &realm, &cred, &withheld, err);
	if (r < 0)
		return r;
	if (cred.identity_token) {
		url = strdup(c->realm);
		form = refresh_form(ctx, c, &cred);
	} else {
		url = token_url(ctx, c);
		basic = cred.user ? auth_basic(cred.user, cred.password) : NULL;
	}
	if (!url || (cred.identity_token && !form) || (!cred.identity_token && cred.user && !basic))
		return err_set(err, -ENOMEM, "cannot log in");
	req.url = url;
	req.home = ctx->registry;
	req.authorization = basic;
	req.form = form;
	r = http_open(h, &req, &resp, &body, err);
	if (r < 0)
		return err_wrap(err, r, "the token server '%s'", realm.host);
	if (resp.status == 200)
		return read_token(body, realm.host, ret, err);
	err_say(err, -EACCES, "the token server '%s' refuses with status %d%s", realm.host,
		resp.status, withheld ? " (it was not sent the registry's credentials)" : "");
	if (withheld)
		return err_hint(err, -EACCES, "add credentials for '%s' if it is to be trusted",
			realm.host);
	return hint_login(ctx, err);
}

int token_answer(struct http *h, const struct token_context *ctx, const struct challenge *c,
	char **ret, struct err *err)
{
	auto_cred cred = { 0 };
	int r;

	if (c->scheme == AUTH_BEARER)
		return answer_bearer(h, ctx, c, ret, err);
	if (c->scheme != AUTH_BASIC)
		return err_say(err, -EACCES,
			"'%s' asks for a login of a kind that is not supported", ctx->host);
	r = get_cred(ctx, &cred, err);
	return r < 0 ? r : answer_basic(ctx, &cred, ret, err);
}
