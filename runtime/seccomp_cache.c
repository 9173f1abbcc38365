/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled filters, kept
 *
 *      profile --SHA-256--> slot "seccomp-2a": | digest of the profile, 32 bytes | instructions |
 *
 * The digest covers everything that the program depends on, the compiler's version included.  A
 * slot is replaced in one step; two profiles that fall into one slot evict each other.
 */
#include "runtime/seccomp_cache.h"

#include "base/at.h"
#include "base/str.h"
#include "image/digest.h"

#include <errno.h>
#include <linux/filter.h>

#define CACHE_FORMAT	 1u
#define DIGEST_BYTES	 32
#define LIMIT_SLOT_BYTES (DIGEST_BYTES + BPF_MAXINSNS * sizeof(struct sock_filter))

static void add_number(struct hasher *h, uint64_t v)
{
	hasher_update(h, &v, sizeof(v));
}

/* With its NUL, so that no two lists read alike. */
static void add_text(struct hasher *h, const char *s)
{
	hasher_update(h, s, strlen(s) + 1);
}

static void add_rule(struct hasher *h, const struct sec_rule *rule)
{
	add_number(h, rule->action);
	add_number(h, rule->errno_ret);
	add_number(h, rule->n_args);
	for (size_t i = 0; i < rule->n_args; i++) {
		add_number(h, rule->args[i].index);
		add_number(h, rule->args[i].op);
		add_number(h, rule->args[i].value);
		add_number(h, rule->args[i].value2);
	}
	add_number(h, rule->n_names);
	for (size_t i = 0; i < rule->n_names; i++)
		add_text(h, rule->names[i]);
}

static int digest_profile(const struct sec_profile *p, struct idx_digest *ret)
{
	struct hasher *h;
	int r;

	r = hasher_new(&h, IDX_SHA256);
	if (r < 0)
		return r;
	add_number(h, CACHE_FORMAT);
	add_number(h, sec_compiler_version());
	add_number(h, p->default_action);
	add_number(h, p->default_errno);
	add_number(h, p->n_archs);
	for (size_t i = 0; i < p->n_archs; i++)
		add_text(h, p->archs[i]);
	add_number(h, p->n_rules);
	for (size_t i = 0; i < p->n_rules; i++)
		add_rule(h, &p->rules[i]);
	hasher_finish(h, ret);
	hasher_free(h);
	return 0;
}

static void slot_name(const struct idx_digest *d, char name[static 16])
{
	snprintf(name, 16, "seccomp-%02x", d->bytes[0] % SEC_CACHE_SLOTS);
}

static int read_slot(int dirfd, const struct idx_digest *d, struct sec_filter *ret)
{
	auto_free char *data = NULL;
	char name[16];
	size_t len = 0, n;
	int r;

	slot_name(d, name);
	r = at_read_file(dirfd, name, LIMIT_SLOT_BYTES, &data, &len);
	if (r < 0)
		return r;
	if (len <= DIGEST_BYTES || (len - DIGEST_BYTES) % sizeof(struct sock_filter) != 0 ||
		memcmp(data, d->bytes, DIGEST_BYTES) != 0)
		return -ENOENT;
	n = (len - DIGEST_BYTES) / sizeof(struct sock_filter);
	ret->insns = malloc(n * sizeof(*ret->insns));
	if (!ret->insns)
		return -ENOMEM;
	memcpy(ret->insns, data + DIGEST_BYTES, n * sizeof(*ret->insns));
	ret->n = (unsigned short)n;
	return 0;
}

static int write_slot(int dirfd, const struct idx_digest *d, const struct sec_filter *f)
{
	auto_buf data = { 0 };
	char name[16];
	int r;

	slot_name(d, name);
	r = buf_add(&data, d->bytes, DIGEST_BYTES);
	if (r == 0)
		r = buf_add(&data, f->insns, f->n * sizeof(*f->insns));
	return r < 0 ? r : at_replace_file(dirfd, name, data.data, data.len, 0600, 0);
}

int sec_compile_cached(
	int dirfd, const struct sec_profile *p, struct sec_filter *ret, struct err *err)
{
	struct sec_filter f = { .kernel_flags = sec_kernel_flags(p) };
	struct idx_digest d;
	int r;

	if (digest_profile(p, &d) < 0)
		return sec_compile(p, ret, err);
	if (read_slot(dirfd, &d, &f) == 0) {
		*ret = f;
		return 0;
	}
	r = sec_compile(p, ret, err);
	if (r == 0)
		(void)write_slot(dirfd, &d, ret);
	return r;
}
