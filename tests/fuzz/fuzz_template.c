/* SPDX-License-Identifier: Apache-2.0 */
/* Any template on a small document: no crash, bounded work. */
#include "runtime/template.h"

#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char doc[] = "{\"A\":{\"B\":[1,\"x\",null,true],\"m\":{\"k\":\"v\"}},\"S\":"
				  "\"text\",\"L\":[{\"X\":1},{\"X\":2}]}";
	auto_json *j = NULL;
	auto_buf out = { 0 };
	char *text;

	if (size > 4096 || json_parse(doc, sizeof(doc) - 1, "document", &j, NULL) < 0)
		return 0;
	text = strndup((const char *)data, size);
	if (text && template_run(text, j, &out, NULL) == 0)
		(void)template_header(text, &out);
	free(text);
	return 0;
}
