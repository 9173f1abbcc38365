/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON (the contract is in the header). */
#include "base/json.h"

#include <stdbool.h>
#include <string.h>

/* Pure.  Counts brackets outside strings, so a bomb is refused before the parser recurses into it.
 */
static bool is_too_deep(const char *data, size_t len)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > LIMIT_JSON_DEPTH)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

int json_parse(const char *data, size_t len, const char *what, json_t **ret, struct err *err)
{
	json_error_t je;
	json_t *j;

	if (is_too_deep(data, len))
		return err_say(err, -EBADMSG, "%s is nested more than %d levels deep", what,
			LIMIT_JSON_DEPTH);
	j = json_loadb(data, len, JSON_REJECT_DUPLICATES, &je);
	if (!j)
		return err_say(
			err, -EBADMSG, "%s is not valid JSON: line %d: %s", what, je.line, je.text);
	*ret = j;
	return 0;
}

const char *json_get_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

int json_get_u64(const json_t *obj, const char *key, uint64_t *ret)
{
	const json_t *v = json_object_get(obj, key);

	if (!v)
		return -ENOENT;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}
