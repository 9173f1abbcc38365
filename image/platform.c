/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms (the contract is in the header). */
#include "image/platform.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

/* Spellings of uname(2), Debian and people, and what the registries say. */
static const struct {
	const char *spelling, *arch, *variant;
} aliases[] = {
	{ "x86_64", "amd64", "" },
	{ "x86-64", "amd64", "" },
	{ "aarch64", "arm64", "" },
	{ "aarch64_be", "arm64be", "" },
	{ "armhf", "arm", "v7" },
	{ "armel", "arm", "v6" },
	{ "armv8l", "arm", "v8" },
	{ "armv7l", "arm", "v7" },
	{ "armv6l", "arm", "v6" },
	{ "armv5tel", "arm", "v5" },
	{ "i386", "386", "" },
	{ "i486", "386", "" },
	{ "i586", "386", "" },
	{ "i686", "386", "" },
	{ "loongarch64", "loong64", "" },
	{ "mips64el", "mips64le", "" },
	{ "ppc64el", "ppc64le", "" },
};

static bool word_is_valid(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len >= PLATFORM_WORD_BYTES)
		return false;
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			    (*s >= '0' && *s <= '9') || strchr("._-", *s)))
			return false;
	return true;
}

static void set_word(char ret[static PLATFORM_WORD_BYTES], const char *s)
{
	size_t i;

	for (i = 0; s[i] && i < PLATFORM_WORD_BYTES - 1; i++)
		ret[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
	ret[i] = '\0';
}

/* The variant that saying nothing means. */
static const char *default_variant(const char *arch)
{
	if (str_eq(arch, "arm64"))
		return "v8";
	return str_eq(arch, "amd64") ? "v1" : "";
}

int platform_set(struct platform *p, const char *os, const char *arch, const char *variant)
{
	struct platform ret = { 0 };

	if (!word_is_valid(os) || !word_is_valid(arch) ||
		(variant && *variant && !word_is_valid(variant)))
		return -EINVAL;
	set_word(ret.os, os);
	set_word(ret.arch, arch);
	set_word(ret.variant, variant ? variant : "");
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (str_eq(ret.arch, aliases[i].spelling)) {
			set_word(ret.arch, aliases[i].arch);
			if (!ret.variant[0])
				set_word(ret.variant, aliases[i].variant);
			break;
		}
	/* "8" and "v8" are both in use. */
	if (str_eq(ret.arch, "arm64") && str_eq(ret.variant, "8"))
		set_word(ret.variant, "v8");
	if (str_eq(ret.variant, default_variant(ret.arch)))
		ret.variant[0] = '\0';
	*p = ret;
	return 0;
}

int platform_parse(const char *text, struct platform *ret, struct err *err)
{
	auto_free char *copy = strdup(text);
	char *words[3] = { NULL }, *rest = copy;
	int n = 0, r;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot parse a platform");
	while (rest && n < 3)
		words[n++] = strsep(&rest, "/");
	if (rest)
		r = -EINVAL;
	else if (n == 1)
		r = platform_set(ret, "linux", words[0], NULL);
	else
		r = platform_set(ret, words[0], words[1], words[2]);
	/* "linux/" and "linux/amd64/" are typing errors, not wishes. */
	if (r == 0 && n == 3 && !*words[2])
		r = -EINVAL;
	if (r < 0) {
		err_say(err, r, "'%s' is not a platform", text);
		return err_hint(err, r, "OS/ARCH or OS/ARCH/VARIANT, as in linux/arm64");
	}
	return 0;
}

void platform_host(struct platform *ret)
{
	struct utsname u;

	if (uname(&u) < 0 || platform_set(ret, "linux", u.machine, NULL) < 0)
		(void)platform_set(ret, "linux", "unknown", NULL);
}

void platform_text(const struct platform *p, char ret[static PLATFORM_TEXT_BYTES])
{
	snprintf(ret, PLATFORM_TEXT_BYTES, "%s/%s%s%s", p->os, p->arch, p->variant[0] ? "/" : "",
		p->variant);
}

/* The number in "v7"; 0 if it is no such variant. */
static unsigned int version_of(const struct platform *p)
{
	const char *v = p->variant[0] ? p->variant : default_variant(p->arch);

	return v[0] == 'v' && v[1] >= '1' && v[1] <= '9' && !v[2] ? (unsigned int)(v[1] - '0') : 0;
}

unsigned int platform_rank(const struct platform *want, const struct platform *have)
{
	unsigned int w = version_of(want), h = version_of(have);

	if (!str_eq(want->os, have->os) || !str_eq(want->arch, have->arch))
		return 0;
	if (str_eq(want->variant, have->variant))
		return 100;
	/* A later version of an architecture runs what was made for an earlier one. */
	if (w && h && h <= w)
		return 80 - (w - h);
	/* The machine's version is not known ("arm" alone): the oldest is the safest. */
	if (!w && h)
		return 40 - h;
	/* One of them says nothing: better than nothing.  Too new: may run, if nothing else does.
	 */
	return !w || !h ? 20 : 10 - (h - w < 9 ? h - w : 9);
}
