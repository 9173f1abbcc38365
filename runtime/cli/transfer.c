/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that move images share (the contract is in the header). */
#include "runtime/cli/transfer.h"

#include "base/str.h"

#include <stdio.h>

int transfer_bool(const char *option, const char *text, bool *ret, struct err *err)
{
	*ret = str_eq(text, "true") || str_eq(text, "1");
	if (*ret || str_eq(text, "false") || str_eq(text, "0"))
		return 0;
	return err_say(err, -EINVAL, "option '--%s' takes true or false, not '%s'", option, text);
}

int transfer_creds(const char *option, const char *text, struct cred *ret, struct err *err)
{
	const char *colon = strchr(text, ':');

	/* The text is not shown: it may be the password. */
	if (!colon || colon == text)
		return err_say(err, -EINVAL, "option '--%s' takes USER:PASSWORD", option);
	ret->user = strndup(text, (size_t)(colon - text));
	ret->password = strdup(colon + 1);
	if (ret->user && ret->password)
		return 0;
	cred_done(ret);
	return err_set(err, -ENOMEM, "cannot read the credentials");
}

int transfer_fill(const struct transfer_opts *o, struct transport_options *ret, struct err *err)
{
	bool verify;

	if (o->tls_verify) {
		int r = transfer_bool("tls-verify", o->tls_verify, &verify, err);

		if (r < 0)
			return r;
		ret->registry.tls = verify ? TLS_VERIFY : TLS_SKIP;
	}
	if (o->jobs > CREW_MAX_THREADS || o->timeout > 3600)
		return err_say(err, -EINVAL, "option '--%s' takes at most %d",
			o->jobs > CREW_MAX_THREADS ? "jobs" : "timeout",
			o->jobs > CREW_MAX_THREADS ? CREW_MAX_THREADS : 3600);
	ret->registry.http.timeout_s = (unsigned int)o->timeout;
	ret->registry.http.cancel_fd = -1;
	ret->registry.auth_file = o->authfile;
	ret->registry.cert_dir = o->cert_dir;
	return 0;
}

int transfer_enter(const char *source, struct userns *ns, struct err *err)
{
	if (!str_starts(source, place_prefix(PLACE_STORAGE)) || proc_is_system_root())
		return 0;
	return userns_enter(ns, err);
}

char *transfer_tmp_dir(const char *store_path)
{
	return store_path ? str_format("%s/tmp", store_path) : NULL;
}

/* ---- the display ---- */

static void on_begin(void *ctx, const char *name)
{
	const struct transfer_view *v = ctx;
	auto_free char *text = NULL;

	if (v->source)
		text = str_format("%s %s from %s", v->verb, name, v->source);
	else
		text = str_format("%s %s", v->verb, name);
	if (text)
		progress_line(v->progress, text);
}

static void on_progress(void *ctx, const struct pull_status *st)
{
	const struct transfer_view *v = ctx;

	progress_show(v->progress, st);
}

static void on_note(void *ctx, const char *text)
{
	const struct transfer_view *v = ctx;
	auto_free char *line = str_format("warning: %s", text);

	if (v->progress)
		progress_line(v->progress, line ? line : text);
	else
		fprintf(stderr, "lamina: %s\n", line ? line : text);
}

int transfer_view(
	const struct transfer_opts *o, struct transfer_view *v, struct view *ret, struct err *err)
{
	enum progress_form form = PROGRESS_AUTO;

	if (o->progress && str_eq(o->progress, "json"))
		form = PROGRESS_JSON;
	else if (o->progress && str_eq(o->progress, "plain"))
		form = PROGRESS_PLAIN;
	else if (o->progress && !str_eq(o->progress, "auto"))
		return err_say(err, -EINVAL,
			"option '--progress' takes auto, plain or json, not '%s'", o->progress);
	if (!o->quiet)
		v->progress = progress_new(stderr, form);
	*ret = (struct view){ progress_tick_ms(v->progress), on_begin, on_progress, on_note, v };
	return 0;
}

void transfer_view_done(struct transfer_view *v)
{
	progress_free(v->progress);
	v->progress = NULL;
}

/* ---- exit codes ---- */

static const struct {
	int code, exit;
} exits[] = {
	{ -ECONNREFUSED, EXIT_NETWORK },
	{ -EHOSTUNREACH, EXIT_NETWORK },
	{ -ETIMEDOUT, EXIT_NETWORK },
	{ -ECONNRESET, EXIT_NETWORK },
	{ -EPROTO, EXIT_NETWORK },
	{ -EBUSY, EXIT_NETWORK },
	{ -EREMOTEIO, EXIT_NETWORK },
	{ -ESTALE, EXIT_NETWORK },
	{ -EACCES, EXIT_DENIED },
	{ -EPERM, EXIT_DENIED },
	{ -ENOENT, EXIT_ABSENT },
	{ -EBADMSG, EXIT_DAMAGED },
	{ -EFBIG, EXIT_DAMAGED },
	{ -ELOOP, EXIT_DAMAGED }, /* links or redirects */
	{ -ENOSPC, EXIT_NO_SPACE },
	{ -EDQUOT, EXIT_NO_SPACE },
};

int transfer_fail(int code, const struct err *err)
{
	(void)cli_fail(err);
	for (size_t i = 0; i < ARRAY_SIZE(exits); i++)
		if (exits[i].code == code)
			return exits[i].exit;
	return EXIT_LAMINA;
}
