/* SPDX-License-Identifier: Apache-2.0 */
/* Why a machine makes no user namespaces (the contract is in runtime/userns.h). */
#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/userns.h"

#include <fcntl.h>

static bool sysctl_is(const char *path, char digit)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char c[2];

	return fd >= 0 && read(fd, c, 2) >= 1 && c[0] == digit && (c[1] == '\n' || c[1] == '\0');
}

int userns_hint_profile(struct err *err, int code, const char *program)
{
	return err_hint(err, code,
		"as root: printf 'abi <abi/4.0>,\\nprofile lamina %s flags=(unconfined) {\\n"
		"  userns,\\n}\\n' > /etc/apparmor.d/lamina && apparmor_parser -r "
		"/etc/apparmor.d/lamina",
		program);
}

/* Programs that run from a sealed copy have a path that no profile can name. */
static int hint_own_profile(struct err *err, int code)
{
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	if (self[0] != '/' || str_starts(self, "/memfd:") || strpbrk(self, "'\\%"))
		snprintf(self, sizeof(self), "/usr/local/bin/lamina");
	return userns_hint_profile(err, code, self);
}

int userns_explain(struct err *err, int code)
{
	static const struct {
		const char *path, *name, *why;
		char bad;
		const char *good;
	} knobs[] = {
		{ "/proc/sys/user/max_user_namespaces", "user.max_user_namespaces",
			"this machine allows no user namespaces", '0', "65536" },
		{ "/proc/sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone",
			"this machine allows user namespaces to root only", '0', "1" },
		{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
			"kernel.apparmor_restrict_unprivileged_userns",
			"AppArmor restricts user namespaces on this machine", '1', NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++) {
		if (!sysctl_is(knobs[i].path, knobs[i].bad))
			continue;
		err_say(err, code, "%s (%s = %c)", knobs[i].why, knobs[i].name, knobs[i].bad);
		return knobs[i].good ? err_hint(err, code, "run 'sysctl -w %s=%s' as root",
					       knobs[i].name, knobs[i].good)
				     : hint_own_profile(err, code);
	}
	return code;
}
