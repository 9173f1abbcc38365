/* SPDX-License-Identifier: Apache-2.0 */
/* lamina-runtime features: what of the specification is there, as JSON (runtime-spec features.md). */
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/caps.h"
#include "runtime/hooks.h"
#include "runtime/mountopt.h"
#include "runtime/oci.h"
#include "runtime/seccomp_words.h"
#include "runtime/spec.h"

#include <stdio.h>

static json_t *list_of(const char *(*word)(size_t i))
{
	json_t *list = json_array();

	for (size_t i = 0; word(i); i++)
		(void)json_array_append_new(list, json_string(word(i)));
	return list;
}

static const char *hook_word(size_t i)
{
	return i < SPEC_HOOK_MAX_ ? hooks_name((enum spec_hook_kind)i) : NULL;
}

static const char *ns_word(size_t i)
{
	return i < SPEC_NS_MAX_ ? spec_ns_name((enum spec_ns)i) : NULL;
}

static const char *cap_word(size_t i)
{
	return caps_name((int)i);
}

static json_t *features(void)
{
	json_t *linux_part = json_pack(
		"{s:o, s:o, s:{s:b, s:b, s:b, s:b, s:b}, s:{s:b, s:o, s:o, s:o, s:o, s:o}, "
		"s:{s:b}, s:{s:b}, s:{s:b}, s:{s:{s:b}}}",
		"namespaces", list_of(ns_word), "capabilities", list_of(cap_word), "cgroup", "v1",
		0, "v2", 1, "systemd", 0, "systemdUser", 0, "rdma", 1, "seccomp", "enabled", 1,
		"actions", list_of(sec_word_action), "operators", list_of(sec_word_operator),
		"archs", list_of(sec_word_arch), "knownFlags", list_of(sec_word_flag),
		"supportedFlags", list_of(sec_word_flag), "apparmor", "enabled", 1, "selinux",
		"enabled", 1, "intelRdt", "enabled", 0, "mountExtensions", "idmap", "enabled", 1);

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:s}}", "ociVersionMin", "1.0.0",
		"ociVersionMax", OCI_SPEC_VERSION, "hooks", list_of(hook_word), "mountOptions",
		list_of(mountopt_word), "linux", linux_part, "annotations",
		"org.opencontainers.runtime-spec.lamina.version", LAMINA_VERSION);
}

static int run_features(struct oci *o, void *opts, char **args, struct err *err)
{
	auto_json *doc = features();
	auto_free char *text = doc ? json_dumps(doc, JSON_INDENT(2)) : NULL;

	if (!text)
		return err_set(err, -ENOMEM, "cannot print");
	printf("%s\n", text);
	return fflush(stdout) != 0 ? err_set(err, -errno, "cannot print") : 0;
}

const struct oci_verb oci_verb_features = { "features", "", "what is supported, as JSON", NULL, 0,
	0, 0, false, run_features };
