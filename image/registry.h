/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A registry as an origin and as a target, by the distribution specification
 *
 *      thread 1 ── line ──┐
 *      thread 2 ── line ──┼─▶ session: base URL, credentials, one token for all
 *
 * https, but for loopback and where it is said to be insecure, where plain http is tried as well.
 * A request that fails for a passing reason is repeated (image/retry.h); a blob that breaks off
 * goes on where it stopped, in both directions.  URLs inside of manifests are never fetched.
 * Mirrors, other locations and blocked registries are those of registries.conf (image/regconf.h).
 * Spec: OCI distribution-spec, "Pull", "Push"; distribution's token authentication.
 */

#include "image/auth.h"
#include "image/http.h"
#include "image/origin.h"
#include "image/target.h"

enum tls_choice {
	TLS_DEFAULT, /* as registries.conf says, else TLS_VERIFY */
	TLS_VERIFY,
	TLS_SKIP, /* any certificate, and plain http */
};

struct registry_options {
	struct http_options http;
	enum tls_choice tls;
	const char *auth_file; /* borrowed; NULL: the usual places */
	const struct cred *cred; /* borrowed; instead of those in files; NULL: none */
	const char *cert_dir; /* borrowed; instead of certs.d; NULL: the usual places */
};

/** registry_open() - an origin for a name as of ref_parse(); connects at the first request */
int registry_open(struct origin **ret, const char *name, const struct registry_options *opts,
	struct err *err);

/**
 * registry_target_open() - a target for a name with a tag, or with the digest of what is put
 * Blobs are uploaded in pieces, which are repeated alone if the connection breaks.
 */
int registry_target_open(struct target **ret, const char *name, const struct registry_options *opts,
	struct err *err);

/**
 * registry_target_mount_from() - blobs may lie in another repository of the same registry
 * @name: as of ref_parse(); one of another registry is ignored.  0 or -ENOMEM.
 */
int registry_target_mount_from(struct target *t, const char *name);
