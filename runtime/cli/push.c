/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: push, save, copy
 *
 * Results go to stdout, what happens meanwhile to stderr; `save` without a file writes the archive
 * to stdout.
 */
#include "base/str.h"
#include "image/names.h"
#include "image/policy.h"
#include "image/pull.h"
#include "image/ref.h"
#include "image/resolve.h"
#include "image/send.h"
#include "runtime/cli/transfer.h"

#include <stdio.h>
#include <sys/eventfd.h>

DEFINE_CLEANUP(struct img_store *, store, img_store_close)
#define auto_store auto_cleanup(store) struct img_store *
DEFINE_CLEANUP(struct target *, target, target_close)
#define auto_target auto_cleanup(target) struct target *

struct opts_push {
	struct transfer_opts transfer;
	const char *digestfile;
	const char *output, *format; /* save */
	const char *src_tls_verify, *dest_tls_verify, *platform; /* copy */
	const char *src_creds, *dest_creds; /* copy */
	bool all; /* copy */
};

static const struct args_opt opts_push[] = {
	TRANSFER_OPTS(struct opts_push, transfer),
	{ "digestfile", 0, ARGS_STRING, offsetof(struct opts_push, digestfile), "FILE",
		"write the manifest's digest there" },
	{ 0 },
};

static const struct args_opt opts_save[] = {
	{ "output", 'o', ARGS_STRING, offsetof(struct opts_push, output), "FILE",
		"a file or directory, instead of stdout" },
	{ "format", 0, ARGS_STRING, offsetof(struct opts_push, format), "FORMAT",
		"oci-archive (default), docker-archive, oci-dir or docker-dir" },
	{ "quiet", 'q', ARGS_FLAG, offsetof(struct opts_push, transfer.quiet), NULL,
		"say nothing meanwhile" },
	{ "progress", 0, ARGS_STRING, offsetof(struct opts_push, transfer.progress),
		"auto|plain|json", "moving lines, lines, or an object a line, on stderr" },
	{ 0 },
};

static const struct args_opt opts_copy[] = {
	TRANSFER_OPTS(struct opts_push, transfer),
	{ "all", 'a', ARGS_FLAG, offsetof(struct opts_push, all), NULL,
		"every platform, and what else an index names" },
	{ "platform", 0, ARGS_STRING, offsetof(struct opts_push, platform), "OS/ARCH[/VARIANT]",
		"instead of this machine's" },
	{ "src-tls-verify", 0, ARGS_STRING, offsetof(struct opts_push, src_tls_verify),
		"true|false", "--tls-verify for the source alone" },
	{ "dest-tls-verify", 0, ARGS_STRING, offsetof(struct opts_push, dest_tls_verify),
		"true|false", "--tls-verify for the destination alone" },
	{ "src-creds", 0, ARGS_STRING, offsetof(struct opts_push, src_creds), "USER:PASSWORD",
		"--creds for the source alone" },
	{ "dest-creds", 0, ARGS_STRING, offsetof(struct opts_push, dest_creds), "USER:PASSWORD",
		"--creds for the destination alone" },
	{ "digestfile", 0, ARGS_STRING, offsetof(struct opts_push, digestfile), "FILE",
		"write the manifest's digest there" },
	{ 0 },
};

/* What all three need. */
struct job {
	struct transfer_view view;
	struct transport_options transport;
	struct copy_options copy;
	struct cred src, dest; /* without a user: those in files */
	char *tmp;
};

static int take_creds(const char *option, const char *text, struct cred *ret, struct err *err)
{
	return text ? transfer_creds(option, text, ret, err) : 0;
}

/* --creds are for both ends; an end's own go before them. */
static int job_creds(struct job *j, const struct opts_push *o, struct err *err)
{
	const char *both = o->transfer.creds;
	int r = take_creds(o->src_creds ? "src-creds" : "creds", o->src_creds ? o->src_creds : both,
		&j->src, err);

	if (r == 0)
		r = take_creds(o->dest_creds ? "dest-creds" : "creds",
			o->dest_creds ? o->dest_creds : both, &j->dest, err);
	if (r == 0 && j->dest.user)
		j->transport.registry.cred = &j->dest;
	return r;
}

static int job_init(struct job *j, const struct opts_push *o, const char *verb, struct err *err)
{
	int r = transfer_fill(&o->transfer, &j->transport, err);

	j->view.verb = verb;
	j->copy.jobs = (unsigned int)o->transfer.jobs;
	j->copy.cancel_fd = -1;
	if (r == 0)
		r = job_creds(j, o, err);
	if (r == 0)
		r = transfer_view(&o->transfer, &j->view, &j->copy.view, err);
	if (r < 0)
		return r;
	j->copy.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (j->copy.cancel_fd < 0)
		return err_set(err, -errno, "cannot start");
	j->transport.registry.http.cancel_fd = j->copy.cancel_fd;
	return 0;
}

static void job_done(struct job *j)
{
	transfer_view_done(&j->view);
	if (j->copy.cancel_fd >= 0)
		(void)close(j->copy.cancel_fd);
	cred_done(&j->src);
	cred_done(&j->dest);
	free(j->tmp);
}

static int print_digest(const struct idx_digest *digest, const char *file, struct err *err)
{
	char text[DIGEST_TEXT_BYTES];
	auto_file f = NULL;

	digest_text(digest, text);
	if (!file) {
		printf("%s\n", text);
		return 0;
	}
	f = fopen(file, "we");
	if (!f || fputs(text, f) < 0 || fflush(f) != 0)
		return err_set(err, -errno, "cannot write '%s'", file);
	return 0;
}

/* ---- push ---- */

/* Repositories of the registry that may have the layers: those of the image's other names. */
static int offer_mounts(struct img_store *s, const char *ref, struct target *t, struct err *err)
{
	auto_index x = { 0 };
	const struct descriptor *d;
	auto_fd lock = store_lock(s, LOCK_SHARED, err);
	int r = lock < 0 ? lock : names_load(s, &x, err);

	if (r == 0)
		r = resolve_entry(s, &x, ref, &d, err);
	for (size_t i = 0; r >= 0 && i < x.n; i++)
		if (x.entries[i].ref_name && digest_eq(&x.entries[i].digest, &d->digest) &&
			registry_target_mount_from(t, x.entries[i].ref_name) < 0)
			r = err_set(err, -ENOMEM, "cannot push");
	return r < 0 ? r : 0;
}

/* Where an image goes that is pushed under its own name. */
static int own_name(struct img_store *s, const char *ref, char **ret, struct err *err)
{
	struct img img;
	int r = img_resolve(s, ref, &img, err);

	if (r < 0)
		return r;
	if (!img.name || str_starts(img.name, "localhost/"))
		r = err_say(err, -EINVAL, "its name '%s' is no registry's: name a destination",
			img.name ? img.name : "");
	else
		*ret = ptr_take(&img.name);
	img_done(&img);
	return r;
}

static int push(struct img_store *s, const char *ref, const char *to, struct job *j,
	struct idx_digest *ret, struct err *err)
{
	auto_target t = NULL;
	auto_place place = { 0 };
	int r = place_parse(to, &place, err);

	if (r == 0)
		r = transport_target(&t, &place, &j->transport, err);
	if (r == 0)
		r = offer_mounts(s, ref, t, err);
	if (r < 0)
		return r;
	j->copy.view.begin(j->copy.view.ctx, to);
	r = img_send(
		s, ref, t, place.kind == PLACE_DOCKER_ARCHIVE ? SEND_PLAIN : 0, &j->copy, ret, err);
	return r < 0 ? r : t->ops->finish(t, err);
}

static int run_push(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_push *o = opts;
	struct job j = { 0 };
	struct idx_digest digest;
	auto_free char *own = NULL;
	struct err err = ERR_INIT;
	auto_store s = NULL;
	int r = job_init(&j, o, "pushing", &err);

	if (r == 0)
		r = img_store_open(&s, cli->root, &err);
	if (r == 0 && argc < 2)
		r = own_name(s, argv[0], &own, &err);
	if (r == 0) {
		j.transport.tmp_dir = j.tmp = transfer_tmp_dir(img_store_path(s));
		r = push(s, argv[0], argc > 1 ? argv[1] : own, &j, &digest, &err);
	}
	job_done(&j);
	if (r == 0)
		r = print_digest(&digest, o->digestfile, &err);
	if (r < 0) {
		err_wrap(&err, r, "cannot push '%s'", argv[0]);
		return transfer_fail(r, &err);
	}
	return 0;
}

/* ---- save ---- */

static const struct {
	const char *format;
	enum place_kind kind;
} formats[] = {
	{ "oci-archive", PLACE_OCI_ARCHIVE },
	{ "docker-archive", PLACE_DOCKER_ARCHIVE },
	{ "oci-dir", PLACE_OCI },
	{ "docker-dir", PLACE_DIR },
};

static int choose_format(const struct opts_push *o, int n, enum place_kind *ret, struct err *err)
{
	*ret = PLACE_MAX_;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (str_eq(o->format ? o->format : "oci-archive", formats[i].format))
			*ret = formats[i].kind;
	if (*ret == PLACE_MAX_)
		return err_say(err, -EINVAL, "the format '%s' is not supported", o->format);
	if (*ret == PLACE_DIR && n > 1)
		return err_say(err, -EINVAL, "docker-dir holds one image only");
	if ((*ret == PLACE_DIR || *ret == PLACE_OCI) && !o->output)
		return err_say(err, -EINVAL, "a directory must be named with --output");
	return 0;
}

/* The full name for the archive; an id gives none. */
static int name_target(struct img_store *s, const char *ref, struct target *t, struct err *err)
{
	struct img img;
	int r = img_resolve(s, ref, &img, err);

	if (r < 0)
		return r;
	r = target_name(t, img.name);
	img_done(&img);
	return r < 0 ? err_set(err, r, "cannot save an image") : 0;
}

static int save_all(struct img_store *s, int n, char **refs, struct target *t,
	enum send_flags flags, struct job *j, struct err *err)
{
	struct idx_digest digest;
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++) {
		r = name_target(s, refs[i], t, err);
		if (r == 0) {
			j->copy.view.begin(j->copy.view.ctx, refs[i]);
			r = img_send(s, refs[i], t, flags, &j->copy, &digest, err);
		}
		if (r < 0)
			return err_wrap(err, r, "cannot save '%s'", refs[i]);
	}
	return t->ops->finish(t, err);
}

static int run_save(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_push *o = opts;
	struct place place = { .path = (char *)(o->output ? o->output : "-") };
	struct job j = { 0 };
	struct err err = ERR_INIT;
	auto_target t = NULL;
	auto_store s = NULL;
	int r = job_init(&j, o, "saving", &err);

	if (r == 0)
		r = choose_format(o, argc, &place.kind, &err);
	if (r == 0)
		r = img_store_open(&s, cli->root, &err);
	if (r == 0) {
		j.transport.tmp_dir = j.tmp = transfer_tmp_dir(img_store_path(s));
		r = transport_target(&t, &place, &j.transport, &err);
	}
	if (r == 0)
		r = save_all(s, argc, argv, t, place.kind == PLACE_DOCKER_ARCHIVE ? SEND_PLAIN : 0,
			&j, &err);
	job_done(&j);
	return r < 0 ? transfer_fail(r, &err) : 0;
}

/* ---- copy ---- */

static int copy(struct job *j, const char *from, const char *to, enum tls_choice src,
	enum tls_choice dest, struct idx_digest *ret, struct err *err)
{
	auto_place a = { 0 }, b = { 0 };
	struct origin *o = NULL;
	auto_target t = NULL;
	int r = place_parse(from, &a, err);

	if (r == 0)
		r = place_parse(to, &b, err);
	j->transport.registry.tls = src;
	j->transport.registry.cred = j->src.user ? &j->src : NULL;
	if (r == 0)
		r = transport_origin(&o, &a, &j->transport, err);
	if (r < 0)
		return r;
	j->transport.registry.tls = dest;
	j->transport.registry.cred = j->dest.user ? &j->dest : NULL;
	r = policy_check(&a, o->name, err);
	if (r == 0)
		r = transport_target(&t, &b, &j->transport, err);
	if (r == 0 && a.kind == PLACE_REGISTRY && registry_target_mount_from(t, o->name) < 0)
		r = err_set(err, -ENOMEM, "cannot copy");
	if (r == 0) {
		j->copy.view.begin(j->copy.view.ctx, o->name);
		r = img_copy(o, t, &j->copy, ret, err);
	}
	if (r == 0)
		r = t->ops->finish(t, err);
	o->ops->close(o);
	return r;
}

static int tls_choice(const char *option, const char *text, enum tls_choice *ret, struct err *err)
{
	bool verify;
	int r = text ? transfer_bool(option, text, &verify, err) : 0;

	if (r == 0 && text)
		*ret = verify ? TLS_VERIFY : TLS_SKIP;
	return r;
}

static int run_copy(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_push *o = opts;
	struct userns ns = USERNS_INIT;
	struct job j = { 0 };
	struct idx_digest digest;
	struct err err = ERR_INIT;
	enum tls_choice src, dest;
	int r = job_init(&j, o, "copying", &err);

	src = dest = j.transport.registry.tls;
	if (r == 0)
		r = tls_choice("src-tls-verify", o->src_tls_verify, &src, &err);
	if (r == 0)
		r = tls_choice("dest-tls-verify", o->dest_tls_verify, &dest, &err);
	if (r == 0 && o->platform)
		r = platform_parse(o->platform, &j.copy.platform, &err);
	if (r == 0 && o->platform && o->all)
		r = err_say(&err, -EINVAL, "--all and --platform exclude each other");
	j.copy.flags = o->all ? COPY_ALL : 0;
	if (r == 0)
		r = transfer_enter(argv[0], &ns, &err);
	if (r == 0)
		r = copy(&j, argv[0], argv[1], src, dest, &digest, &err);
	job_done(&j);
	userns_leave(&ns);
	/* Stdout may be the archive. */
	if (r == 0 && (o->digestfile || !str_ends(argv[1], ":-")))
		r = print_digest(&digest, o->digestfile, &err);
	if (r < 0) {
		err_wrap(&err, r, "cannot copy '%s'", argv[0]);
		return transfer_fail(r, &err);
	}
	return 0;
}

const struct cli_verb cli_verbs_push[] = {
	{ .name = "push",
		.synopsis = "[OPTION]… IMAGE [DESTINATION]",
		.help = "send an image to a registry",
		.detail = "DESTINATION is a place as of 'lamina copy'; without it the image goes\n"
			  "where its name says.  Prints the digest of the manifest.",
		.opts = opts_push,
		.opts_bytes = sizeof(struct opts_push),
		.min_args = 1,
		.max_args = 2,
		.run = run_push },
	{ .name = "save",
		.synopsis = "[OPTION]… IMAGE…",
		.help = "write images into one archive",
		.opts = opts_save,
		.opts_bytes = sizeof(struct opts_push),
		.min_args = 1,
		.max_args = -1,
		.run = run_save },
	{ .name = "copy",
		.synopsis = "[OPTION]… SOURCE DESTINATION",
		.help = "copy an image between registries, layouts and archives",
		.detail =
			"Both are docker://NAME, oci:DIR[:REF], oci-archive:FILE[:REF],\n"
			"docker-archive:FILE[:NAME] or dir:DIR; FILE - is stdin or stdout.  SOURCE "
			"may\n"
			"also be containers-storage:IMAGE, one that Podman has.  The store is not "
			"used,\n"
			"and digests are preserved, but for those that Podman does not keep.",
		.opts = opts_copy,
		.opts_bytes = sizeof(struct opts_push),
		.min_args = 2,
		.max_args = 2,
		.run = run_copy },
	{ 0 },
};
