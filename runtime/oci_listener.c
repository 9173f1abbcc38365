/* SPDX-License-Identifier: Apache-2.0 */
/* The listener of a seccomp filter (the contract is in the header). */
#include "runtime/oci_listener.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/oci_create.h"
#include "runtime/spec_json.h"

int oci_listener_send(const struct oci_state *s, const struct spec *spec, enum ctr_state status,
	int listener_fd, pid_t pid, struct err *err)
{
	const struct sec_profile *p = spec->seccomp;
	auto_json *state = oci_state_json(s, spec, status);
	auto_json *doc = json_pack("{s:s, s:[s], s:i, s:O}", "ociVersion", OCI_SPEC_VERSION, "fds",
		"seccompFd", "pid", (int)pid, "state", state);
	auto_buf text = { 0 };

	if (doc && p->listener_metadata)
		(void)json_object_set_new(doc, "metadata", json_string(p->listener_metadata));
	if (!doc || spec_json_dump(doc, &text) < 0)
		return err_set(err, -ENOMEM, "cannot describe the process");
	return oci_send_fd(p->listener_path, listener_fd, text.data, err);
}
