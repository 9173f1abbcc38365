/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images (the contract is in the header). */
#include "image/ref.h"

#include "base/str.h"
#include "image/digest.h"

#include <arpa/inet.h>

#define DEFAULT_HOST "docker.io"

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool ref_tag_is_valid(const char *tag)
{
	size_t len = strlen(tag);

	if (len == 0 || len > LIMIT_REF_TAG_BYTES || tag[0] == '.' || tag[0] == '-')
		return false;
	for (; *tag; tag++)
		if (!is_alnum(*tag) && !strchr("_.-", *tag))
			return false;
	return true;
}

/* One dot, one or two underscores, or any number of dashes: what may stand between two words. */
static size_t separator_len(const char *p, size_t left)
{
	size_t n = 0;

	if (left && *p == '.')
		return 1;
	if (left && *p == '_')
		return left > 1 && p[1] == '_' ? 2 : 1;
	while (n < left && p[n] == '-')
		n++;
	return n;
}

static bool component_is_valid(const char *p, size_t len)
{
	size_t i = 0;

	for (;;) {
		size_t start = i;

		while (i < len && is_lower_alnum(p[i]))
			i++;
		if (i == start)
			return false;
		if (i == len)
			return true;
		start = i;
		i += separator_len(p + i, len - i);
		if (i == start)
			return false;
	}
}

static bool path_is_valid(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!component_is_valid(path, len))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

static bool port_is_valid(const char *port)
{
	uint64_t n;

	return str_to_u64(port, 65535, &n) == 0 && n > 0;
}

/* "[::1]:5000" */
static bool bracketed_is_valid(const char *host)
{
	const char *end = strchr(host, ']');
	char address[INET6_ADDRSTRLEN];
	struct in6_addr unused;
	size_t len = end ? (size_t)(end - host) - 1 : 0;

	if (len == 0 || len >= sizeof(address))
		return false;
	memcpy(address, host + 1, len);
	address[len] = '\0';
	if (inet_pton(AF_INET6, address, &unused) != 1)
		return false;
	return end[1] == '\0' || (end[1] == ':' && port_is_valid(end + 2));
}

static bool host_is_valid(const char *host)
{
	const char *colon = strchr(host, ':');
	size_t len = colon ? (size_t)(colon - host) : strlen(host);
	char before = '.';

	if (host[0] == '[')
		return bracketed_is_valid(host);
	/* Labels of letters, digits and inner dashes. */
	for (size_t i = 0; i <= len; i++) {
		char c = i < len ? host[i] : '.';

		if (c == '.' && !is_alnum(before))
			return false;
		if (c != '.' && !is_alnum(c) && (c != '-' || before == '.'))
			return false;
		before = c;
	}
	return !colon || port_is_valid(colon + 1);
}

static bool is_host(const char *first)
{
	return strpbrk(first, ".:[") || str_eq(first, "localhost");
}

/* Split off "@DIGEST". */
static int take_digest(char *text, struct ref *ref, struct err *err)
{
	char *at = strchr(text, '@');

	if (!at)
		return 0;
	*at = '\0';
	if (digest_parse(at + 1, &ref->digest) < 0)
		return err_say(err, -EINVAL, "'%s' is not a digest", at + 1);
	return 0;
}

/* Split off ":TAG": a colon behind the last slash. */
static int take_tag(char *text, struct ref *ref, struct err *err)
{
	char *slash = strrchr(text, '/');
	char *colon = strchr(slash ? slash : text, ':');

	if (!colon) {
		if (ref->digest.alg)
			return 0;
		ref->tag = strdup("latest");
		return ref->tag ? 0 : -ENOMEM;
	}
	*colon = '\0';
	if (!ref_tag_is_valid(colon + 1))
		return err_say(err, -EINVAL, "'%s' is not a tag", colon + 1);
	ref->tag = strdup(colon + 1);
	return ref->tag ? 0 : -ENOMEM;
}

static int take_name(char *text, struct ref *ref, struct err *err)
{
	char *slash = strchr(text, '/');
	const char *path = text;

	if (slash) {
		*slash = '\0';
		if (is_host(text)) {
			ref->host = strdup(str_eq(text, "index.docker.io") ? DEFAULT_HOST : text);
			path = slash + 1;
		}
		*slash = '/';
	}
	if (path == text) {
		ref->host = strdup(DEFAULT_HOST);
		ref->is_short = true;
	}
	if (!ref->host)
		return -ENOMEM;
	if (!host_is_valid(ref->host))
		return err_say(err, -EINVAL, "'%s' is not a host name", ref->host);
	if (!path_is_valid(path)) {
		err_say(err, -EINVAL, "'%s' is not the name of a repository", path);
		return err_hint(err, -EINVAL, "small letters and digits, with . _ - / between");
	}
	ref->path = str_eq(ref->host, DEFAULT_HOST) && !strchr(path, '/')
			    ? str_format("library/%s", path)
			    : strdup(path);
	if (!ref->path)
		return -ENOMEM;
	if (strlen(ref->host) + 1 + strlen(ref->path) > LIMIT_REF_NAME_BYTES)
		return err_say(
			err, -EINVAL, "the name has more than %d bytes", LIMIT_REF_NAME_BYTES);
	return 0;
}

int ref_parse(const char *text, struct ref *ret, struct err *err)
{
	auto_ref ref = { 0 };
	auto_free char *copy = NULL;
	int r;

	if (str_starts(text, "docker://"))
		text += strlen("docker://");
	copy = strdup(text);
	if (!copy)
		return err_set(err, -ENOMEM, "cannot parse an image name");
	if (!*copy)
		return err_say(err, -EINVAL, "the image name is empty");
	r = take_digest(copy, &ref, err);
	if (r == 0)
		r = take_tag(copy, &ref, err);
	if (r == 0)
		r = take_name(copy, &ref, err);
	if (r == -ENOMEM)
		return err_set(err, r, "cannot parse an image name");
	if (r < 0)
		return r;
	*ret = ref;
	memset(&ref, 0, sizeof(ref));
	return 0;
}

void ref_done(struct ref *ref)
{
	free(ref->host);
	free(ref->path);
	free(ref->tag);
	memset(ref, 0, sizeof(*ref));
}

char *ref_text(const struct ref *ref)
{
	char digest[DIGEST_TEXT_BYTES] = "";

	if (ref->digest.alg)
		digest_text(&ref->digest, digest);
	return str_format("%s/%s%s%s%s%s", ref->host, ref->path, ref->tag ? ":" : "",
		ref->tag ? ref->tag : "", digest[0] ? "@" : "", digest);
}

int ref_stored_name(const char *text, char **ret, struct err *err)
{
	auto_free char *local = NULL;
	auto_ref ref = { 0 }, below = { 0 };
	int r = ref_parse(text, &ref, err);

	if (r < 0)
		return r;
	if (ref.digest.alg)
		return err_say(err, -EINVAL, "an image is stored under a name, not a digest");
	if (ref.is_short) {
		local = str_format("localhost/%s", text);
		r = local ? ref_parse(local, &below, err) : -ENOMEM;
		if (r < 0)
			return r == -ENOMEM ? err_set(err, r, "cannot parse an image name") : r;
	}
	*ret = ref_text(ref.is_short ? &below : &ref);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot parse an image name");
}

char *ref_local_name(const char *base, const char *tag)
{
	auto_buf b = { 0 };
	bool dash = false;

	for (; *base; base++) {
		char c = *base >= 'A' && *base <= 'Z' ? (char)(*base - 'A' + 'a') : *base;

		if (!is_lower_alnum(c)) {
			/* A lone dot or underscore between words is legal and stays. */
			if (strchr("._", c) && b.len && !dash && component_is_valid(base + 1, 1)) {
				if (buf_add(&b, &c, 1) < 0)
					return NULL;
				continue;
			}
			dash = true;
			continue;
		}
		if ((dash && b.len && buf_add_str(&b, "-") < 0) || buf_add(&b, &c, 1) < 0)
			return NULL;
		dash = false;
		if (b.len >= LIMIT_REF_NAME_BYTES / 2)
			break;
	}
	return str_format("localhost/%s:%s", b.len ? b.data : "image", tag);
}
