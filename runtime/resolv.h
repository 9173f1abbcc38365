/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* resolv.conf: reading the host's, writing the container's.  Pure. */

#include "base/str.h"

#define LIMIT_RESOLV_SERVERS 16 /* the C libraries use three */
#define LIMIT_RESOLV_WORDS   64 /* search domains, and options */
#define LIMIT_RESOLV_WORD    255 /* bytes of a word; longer ones are skipped */

struct resolv {
	struct strv servers; /* IPv4 and IPv6 addresses; a zone ("fe80::1%eth0") stays */
	struct strv search; /* of the last "search" or "domain" line */
	struct strv options;
};

/**
 * resolv_parse() - make sense of a resolv.conf
 * @data: @len bytes, any content; unknown and malformed lines are skipped, as resolvers do
 * @ret:  ended with resolv_done()
 *
 * Return: 0 or -ENOMEM.  What is beyond a limit is dropped.
 * Spec: resolv.conf(5).
 */
int resolv_parse(const char *data, size_t len, struct resolv *ret);

/** resolv_is_loopback() - whether a server is reached only from the host itself */
bool resolv_is_loopback(const char *server);

/** resolv_is_address() - whether a word can stand behind "nameserver" */
bool resolv_is_address(const char *word);

/** resolv_write() - the text of a resolv.conf, appended to @out; 0 or -ENOMEM */
int resolv_write(const struct resolv *rv, struct buf *out);

void resolv_done(struct resolv *rv);

static inline void cleanup_resolv(struct resolv *rv)
{
	resolv_done(rv);
}
#define auto_resolv __attribute__((cleanup(cleanup_resolv))) struct resolv
