/* SPDX-License-Identifier: Apache-2.0 */
/* An image's passwd and group: "USER\n", then passwd, a byte 1, then group. */
#include "base/str.h"
#include "runtime/userdb.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *nl = len ? memchr(data, '\n', len) : NULL;
	const uint8_t *rest = nl ? nl + 1 : data + len;
	size_t rest_len = (size_t)(data + len - rest);
	const uint8_t *mid = rest_len ? memchr(rest, 1, rest_len) : NULL;
	struct userdb_file passwd = { (const char *)rest, mid ? (size_t)(mid - rest) : rest_len };
	struct userdb_file group = { mid ? (const char *)mid + 1 : NULL,
		mid ? (size_t)(data + len - mid - 1) : 0 };
	auto_free char *who = strndup((const char *)data, nl ? (size_t)(nl - data) : len);
	auto_userdb_user user = { 0 };
	struct err err = ERR_INIT;

	if (!who || userdb_resolve(who, &passwd, &group, &user, &err) < 0)
		return 0;
	assert(user.home && user.home[0] == '/');
	assert(user.uid != UINT32_MAX && user.gid != UINT32_MAX);
	assert(user.n_gids <= LIMIT_USER_GROUPS);
	return 0;
}
