/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks as lamina-runtime runs them (the contract is in the header). */
#include "runtime/oci_hooks.h"

#include "base/cleanup.h"
#include "runtime/hooks.h"
#include "runtime/spec_json.h"

int oci_hooks_run(const struct oci_state *s, const struct spec *spec, enum spec_hook_kind kind,
	enum ctr_state status, struct err *err)
{
	auto_buf text = { 0 };
	auto_json *doc = NULL;

	if (spec->hooks[kind].n == 0)
		return 0;
	doc = oci_state_json(s, spec, status);
	if (!doc || spec_json_dump(doc, &text) < 0)
		return err_set(err, -ENOMEM, "cannot run hooks");
	return hooks_run(spec, kind, text.data, text.len, err);
}

/* On either side of the clone: whoever runs them says what its pid is. */
static int run_for_stage(void *arg, enum spec_hook_kind kind, pid_t pid, struct err *err)
{
	struct oci_create *c = arg;

	c->state.init.pid = pid;
	return oci_hooks_run(&c->state, c->spec, kind,
		kind == SPEC_HOOK_START_CONTAINER || kind == SPEC_HOOK_PRESTART ? CTR_CREATED
										: CTR_CREATING,
		err);
}

void oci_hooks_prepare(struct oci_create *c)
{
	c->stage.run_hooks = run_for_stage;
	c->stage.arg = c;
}
