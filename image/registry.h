/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A registry as an origin: manifests and blobs by the distribution specification
 *
 *      thread 1 ── line ──┐
 *      thread 2 ── line ──┼─▶ registry: base URL, credentials, one token for all
 *
 * https, but for loopback and --tls-verify=false, where plain http is tried as well.  A request
 * that fails for a passing reason is repeated (image/retry.h); a blob that breaks off goes on where
 * it stopped.  URLs inside of manifests are never fetched. Spec: OCI distribution-spec, "Pull";
 * distribution's token authentication.
 */

#include "image/http.h"
#include "image/origin.h"

struct registry_options {
	struct http_options http;
	const char *auth_file; /* borrowed; NULL: the usual places */
};

/** registry_open() - an origin for a name as of ref_parse(); connects at the first request */
int registry_open(struct origin **ret, const char *name, const struct registry_options *opts,
	struct err *err);
