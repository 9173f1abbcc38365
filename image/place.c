/* SPDX-License-Identifier: Apache-2.0 */
/* Where images come from and go to (the contract is in the header). */
#include "image/place.h"

#include "base/str.h"

#include <assert.h>
#include <sys/stat.h>

static const char *const prefixes[] = {
	[PLACE_REGISTRY] = "docker://",
	[PLACE_OCI] = "oci:",
	[PLACE_OCI_ARCHIVE] = "oci-archive:",
	[PLACE_DOCKER_ARCHIVE] = "docker-archive:",
	[PLACE_DIR] = "dir:",
	[PLACE_STORAGE] = "containers-storage:",
};
static_assert(ARRAY_SIZE(prefixes) == PLACE_MAX_, "a prefix for each kind");

/* What skopeo knows and we do not: else they would be taken for names of images. */
static const char *const unsupported[] = {
	"docker-daemon:", "ostree:", "tarball:", "sif:", "atomic:"
};

void place_done(struct place *p)
{
	free(p->path);
	free(p->ref);
	memset(p, 0, sizeof(*p));
}

const char *place_prefix(enum place_kind kind)
{
	return prefixes[kind];
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* PATH[:REF]: the whole if it exists, else what stands before the first colon that leaves something
 * that does; if nothing exists yet, before the first colon. */
static int split(const char *text, struct place *p)
{
	const char *first = strchr(text, ':'), *colon = first;

	p->path = strdup(text);
	if (!p->path)
		return -ENOMEM;
	if (!first || exists(text))
		return 0;
	for (; colon; colon = strchr(colon + 1, ':')) {
		p->path[colon - text] = '\0';
		if (exists(p->path))
			break;
		p->path[colon - text] = ':';
	}
	if (!colon)
		colon = first;
	p->path[colon - text] = '\0';
	p->ref = strdup(colon + 1);
	return p->ref ? 0 : -ENOMEM;
}

char *place_text(const struct place *p)
{
	if (p->kind == PLACE_STORAGE)
		return str_format("%s%s%s%s%s", prefixes[p->kind], *p->path ? "[" : "", p->path,
			*p->path ? "]" : "", p->ref ? p->ref : "");
	return str_format(
		"%s%s%s%s", prefixes[p->kind], p->path, p->ref ? ":" : "", p->ref ? p->ref : "");
}

/* [SPEC]NAME, or NAME alone. */
static int split_storage(const char *text, struct place *p, struct err *err)
{
	const char *end = *text == '[' ? strchr(text, ']') : NULL;

	if (*text == '[' && !end)
		return err_say(err, -EINVAL, "the ']' is missing behind '%s'", text);
	p->path = end ? strndup(text + 1, (size_t)(end - text - 1)) : strdup("");
	p->ref = strdup(end ? end + 1 : text);
	return p->path && p->ref ? 0 : err_set(err, -ENOMEM, "cannot read '%s'", text);
}

int place_parse(const char *text, struct place *ret, struct err *err)
{
	auto_place p = { PLACE_REGISTRY, NULL, NULL };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
		if (str_starts(text, unsupported[i]))
			return err_say(err, -EINVAL, "the transport '%s' is not supported",
				unsupported[i]);
	for (int i = 0; i < PLACE_MAX_ && !p.path; i++) {
		if (!str_starts(text, prefixes[i]))
			continue;
		p.kind = (enum place_kind)i;
		text += strlen(prefixes[i]);
		if (i == PLACE_STORAGE)
			r = split_storage(text, &p, err);
		else if (i != PLACE_REGISTRY && i != PLACE_DIR)
			r = split(text, &p);
		break;
	}
	if (r == 0 && !p.path) {
		p.path = strdup(text);
		r = p.path ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r == -EINVAL ? r : err_set(err, r, "cannot read '%s'", text);
	if (!*p.path && p.kind != PLACE_STORAGE)
		return err_say(err, -EINVAL, "the %s is missing behind '%s'",
			p.kind == PLACE_REGISTRY ? "name" : "path", prefixes[p.kind]);
	if (p.ref && !*p.ref) {
		free(p.ref);
		p.ref = NULL;
	}
	*ret = p;
	memset(&p, 0, sizeof(p));
	return 0;
}
