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
	return err_hint(err, -EACCES,
		"check the name, or log in with 'podman login %s' or 'docker login %s'", ctx->host,
		ctx->host);
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
	if (!url_may_follow(ctx->registry, ret, ctx->plain_allowed))
		return err_say(err, -EACCES,
			"the token server 'http://%s' is not asked without TLS", ret->host);
	return 0;
}

/* The credentials that this realm may see: user NULL if there are none. */
static int choose_cred(const struct token_context *ctx, const struct url *realm, struct cred *ret,
	bool *withheld, struct err *err)
{
	auto_cred own = { 0 };
	int r = auth_find(ctx->auth_file, ctx->host, ctx->path, ret, err);

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

/* REALM?service=…&scope=…: what every realm understands. */
static char *token_url(const struct token_context *ctx, const struct challenge *c)
{
	auto_free char *service = url_escape(c->service);
	auto_free char *scope = url_escape(ctx->path);
	auto_free char *realm = strndup(c->realm, strcspn(c->realm, "#"));

	if (!service || !scope || !realm)
		return NULL;
	/* We ask for what we need, whatever the challenge proposes. */
	return str_format("%s%c%s%s%sscope=repository%%3A%s%%3Apull", realm,
		strchr(realm, '?') ? '&' : '?', *service ? "service=" : "", service,
		*service ? "&" : "", scope);
}

static char *refresh_form(
	const struct token_context *ctx, const struct challenge *c, const struct cred *cred)
{
	auto_free char *service = url_escape(c->service), *scope = url_escape(ctx->path);
	auto_free char *token = url_escape(cred->identity_token);

	if (!service || !scope || !token)
		return NULL;
	return str_format("grant_type=refresh_token&client_id=lamina&service=%s"
			  "&scope=repository%%3A%s%%3Apull&refresh_token=%s",
		service, scope, token);
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
	struct http_request req = { .accept = "application/json" };
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
	r = auth_find(ctx->auth_file, ctx->host, ctx->path, &cred, err);
	return r < 0 ? r : answer_basic(ctx, &cred, ret, err);
}
