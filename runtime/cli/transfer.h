/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the verbs that move images share: options, the display, exit codes
 *
 *      3 network   4 not allowed   5 not found   6 not what was promised   7 no space left
 */

#include "image/copy.h"
#include "image/transport.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/progress.h"
#include "runtime/userns.h"

enum {
	EXIT_NETWORK = 3, /* the other side was not reached, or broke off, or is overloaded */
	EXIT_DENIED = 4, /* authentication or permission */
	EXIT_ABSENT = 5, /* no such image, blob or file */
	EXIT_DAMAGED = 6, /* digest, size or form is not what was promised */
	EXIT_NO_SPACE = 7,
};

struct transfer_opts {
	bool quiet;
	const char *progress;
	const char *tls_verify;
	const char *authfile;
	const char *cert_dir;
	const char *creds;
	uint64_t jobs;
	uint64_t timeout;
};

/* Rows of an options table; @type is the verb's struct, @member its struct transfer_opts. */
#define TRANSFER_OPTS(type, member)                                                                \
	{ "quiet", 'q', ARGS_FLAG, offsetof(type, member.quiet), NULL, "print the result alone" }, \
		{ "progress", 0, ARGS_STRING, offsetof(type, member.progress), "auto|plain|json",  \
			"moving lines, lines, or an object a line, on stderr" },                   \
		{ "tls-verify", 0, ARGS_STRING, offsetof(type, member.tls_verify), "true|false",   \
			"false: any certificate, or no TLS" },                                     \
		{ "authfile", 0, ARGS_STRING, offsetof(type, member.authfile), "FILE",             \
			"credentials, instead of the usual files" },                               \
		{ "cert-dir", 0, ARGS_STRING, offsetof(type, member.cert_dir), "DIR",              \
			"the registry's certificates, instead of certs.d" },                       \
		{ "creds", 0, ARGS_STRING, offsetof(type, member.creds), "USER:PASSWORD",          \
			"instead of those in files" },                                             \
		{ "jobs", 0, ARGS_U64, offsetof(type, member.jobs), "N",                           \
			"layers at once, 1 to 16 (default 4)" },                                   \
	{                                                                                          \
		"timeout", 0, ARGS_U64, offsetof(type, member.timeout), "SECONDS",                 \
			"to connect, and without progress (default 30)"                            \
	}

/* What the callbacks of a transfer need; transfer_view_init() fills it. */
struct transfer_view {
	struct progress *progress; /* NULL with --quiet */
	const char *verb; /* "pulling" */
	const char *source; /* said beside the name unless NULL */
};

/** transfer_fill() - from options to what the library takes; 0 or -EINVAL */
int transfer_fill(const struct transfer_opts *o, struct transport_options *ret, struct err *err);

/** transfer_creds() - "USER:PASSWORD" of an option; 0 with @ret filled (cred_done() it); -EINVAL */
int transfer_creds(const char *option, const char *text, struct cred *ret, struct err *err);

/** transfer_bool() - a value "true" or "false" of an option; 0 or -EINVAL */
int transfer_bool(const char *option, const char *text, bool *ret, struct err *err);

/** transfer_view() - callbacks for a display as @o says; transfer_view_done() ends it */
int transfer_view(
	const struct transfer_opts *o, struct transfer_view *v, struct view *ret, struct err *err);
void transfer_view_done(struct transfer_view *v);

/**
 * transfer_enter() - make a source readable: what containers-storage holds belongs to subordinate ids
 * @ns: USERNS_INIT; ended with userns_leave().  Only for processes with one thread.
 */
int transfer_enter(const char *source, struct userns *ns, struct err *err);

/** transfer_tmp_dir() - the directory of the store for temporary files, owned by the caller; NULL if
 * there is no store yet */
char *transfer_tmp_dir(const char *store_path);

/** transfer_fail() - print the error; Return: the exit code that tells of @code */
int transfer_fail(int code, const struct err *err);
