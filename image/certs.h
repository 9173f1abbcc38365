/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * certs.d: CAs and client certificates that are kept for a registry
 *
 *      DIR/HOST[:PORT]/NAME.crt              certificates of CAs, besides the system's
 *      DIR/HOST[:PORT]/NAME.cert, NAME.key   the client's own
 *
 * DIR is $XDG_CONFIG_HOME/containers/certs.d, /etc/containers/certs.d, /etc/docker/certs.d: the
 * first that has the host counts.
 * Spec: containers-certs.d(5).
 */

#include "base/err.h"
#include "image/http.h"

#define LIMIT_CERTS_BYTES (4U << 20)

/**
 * certs_load() - what is kept for a registry
 * @dir: --cert-dir: HOST's directory itself; NULL: the usual places
 * @ret: its certificates are filled in, for certs_done(); NULL where there are none
 *
 * Return: 0; -ENOENT if @dir is missing; -EINVAL for a .cert without .key; -EFBIG.
 */
int certs_load(const char *host, const char *dir, struct http_trust *ret, struct err *err);
void certs_done(struct http_trust *t);
