/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container sees mounted
 *
 * The list is made of three parts: the kernel's file systems, the runtime's files over those of the
 * image, and what the user asked for.  A volume replaces the mount of the first two that has its
 * place.  At the end mounts are ordered by depth, so that none hides another by accident.
 */
#include "runtime/spec_make.h"

#include <errno.h>
#include <inttypes.h>

#define LIMIT_DEPTH 4096 /* components of a path; PATH_MAX allows no more */
#define TTY_GID	    5

/* The options of a mount as they are written in tables: "nosuid,noexec". */
static int add_options(json_t *list, const char *options)
{
	while (options[0]) {
		size_t n = strcspn(options, ",");

		if (json_array_append_new(list, json_stringn(options, n)) < 0)
			return -EINVAL;
		options += n + (options[n] == ',');
	}
	return 0;
}

static bool volume_covers(const struct spec_make *m, const char *dest)
{
	for (size_t i = 0; i < m->n_volumes; i++) {
		const char *v = m->volumes[i].dest;

		/* Whoever brings a /dev of his own brings all of it. */
		if (str_eq(v, dest) || (str_eq(v, "/dev") && str_starts(dest, "/dev/")))
			return true;
	}
	return false;
}

static int add_mount(
	json_t *mounts, const char *dest, const char *type, const char *source, const char *options)
{
	json_t *list = json_array();
	json_t *mount = json_pack("{s:s, s:s, s:s, s:o}", "destination", dest, "type", type,
		"source", source, "options", list);

	if (!mount || add_options(list, options) < 0) {
		json_decref(mount);
		return -EINVAL;
	}
	return json_array_append_new(mounts, mount) < 0 ? -ENOMEM : 0;
}

/* One of ours, unless a volume takes its place. */
static int add_default(const struct spec_make *m, json_t *mounts, const char *dest,
	const char *type, const char *options)
{
	const char *source = str_eq(type, "bind") ? dest : type;

	return volume_covers(m, dest) ? 0 : add_mount(mounts, dest, type, source, options);
}

static bool is_new(const struct spec_make *m, enum spec_ns ns)
{
	return m->ns[ns].mode == SPEC_MAKE_NEW;
}

static int add_proc(const struct spec_make *m, json_t *mounts)
{
	auto_buf options = { 0 };
	int r = buf_add_str(&options, "nosuid,noexec,nodev");

	for (size_t i = 0; r == 0 && m->proc_opts && i < m->proc_opts->n; i++)
		r = buf_printf(&options, ",%s", m->proc_opts->v[i]);
	return r < 0 ? r : add_default(m, mounts, "/proc", "proc", options.data);
}

/* The kernel mounts proc, sysfs and mqueue only for who owns the namespace that they show. */
static int add_kernel(const struct spec_make *m, json_t *mounts)
{
	bool privileged = m->flags & SPEC_MAKE_PRIVILEGED;
	int r;

	if (m->ns[SPEC_NS_PID].mode == SPEC_MAKE_HOST)
		r = add_default(m, mounts, "/proc", "bind", "rbind,rprivate,nosuid,noexec,nodev");
	else
		r = add_proc(m, mounts);
	if (r == 0 && is_new(m, SPEC_NS_NET))
		r = add_default(m, mounts, "/sys", "sysfs",
			privileged ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro");
	else if (r == 0)
		r = add_default(m, mounts, "/sys", "bind",
			privileged ? "rbind,rprivate,nosuid,noexec,nodev,rw"
				   : "rbind,rprivate,nosuid,noexec,nodev,ro");
	if (r == 0 && m->cgroup != SPEC_MAKE_CGROUP_NONE)
		r = add_default(m, mounts, "/sys/fs/cgroup", "cgroup",
			m->cgroup == SPEC_MAKE_CGROUP_RW
				? "rprivate,nosuid,noexec,nodev,relatime,rw"
				: "rprivate,nosuid,noexec,nodev,relatime,ro");
	return r;
}

static int add_dev(const struct spec_make *m, json_t *mounts)
{
	bool host_ipc = m->ns[SPEC_NS_IPC].mode == SPEC_MAKE_HOST;
	uint64_t shm_bytes = m->shm_bytes ? m->shm_bytes : SPEC_MAKE_SHM_BYTES;
	char options[96];
	uint32_t out;
	bool tty_group;
	int r;

	r = add_default(
		m, mounts, "/dev", "tmpfs", "nosuid,noexec,strictatime,mode=755,size=65536k");
	/* A mount with a group that the namespace lacks fails. */
	tty_group = !m->gid_map || m->gid_map->n == 0 || idmap_out(m->gid_map, TTY_GID, &out);
	snprintf(options, sizeof(options), "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620%s",
		tty_group ? ",gid=5" : "");
	if (r == 0)
		r = add_default(m, mounts, "/dev/pts", "devpts", options);
	if (r == 0 && host_ipc && m->flags & SPEC_MAKE_NO_MQUEUE)
		r = 0;
	else if (r == 0 && host_ipc)
		r = add_default(
			m, mounts, "/dev/mqueue", "bind", "rbind,rprivate,nosuid,noexec,nodev");
	else if (r == 0)
		r = add_default(m, mounts, "/dev/mqueue", "mqueue", "nosuid,noexec,nodev");
	snprintf(
		options, sizeof(options), "nosuid,noexec,nodev,mode=1777,size=%" PRIu64, shm_bytes);
	if (r == 0 && host_ipc)
		r = add_default(
			m, mounts, "/dev/shm", "bind", "rbind,rprivate,nosuid,noexec,nodev");
	else if (r == 0)
		r = add_default(m, mounts, "/dev/shm", "tmpfs", options);
	return r;
}

static int add_files(const struct spec_make *m, json_t *mounts)
{
	const struct {
		const char *dest, *source;
	} files[] = {
		{ "/etc/hosts", m->files.hosts },
		{ "/etc/hostname", m->files.hostname },
		{ "/etc/resolv.conf", m->files.resolv_conf },
		{ "/run/.containerenv", m->files.containerenv },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		if (files[i].source && !volume_covers(m, files[i].dest))
			r = add_mount(
				mounts, files[i].dest, "bind", files[i].source, "bind,rprivate");
	return r;
}

/* A root that cannot be written still needs places for what programs do not want to keep. */
static int add_scratch(const struct spec_make *m, json_t *mounts)
{
	static const char *const places[] = { "/run", "/tmp", "/var/tmp" };
	const unsigned int both = SPEC_MAKE_READ_ONLY | SPEC_MAKE_READ_ONLY_TMPFS;
	int r = 0;

	for (size_t i = 0; r == 0 && (m->flags & both) == both && i < ARRAY_SIZE(places); i++)
		r = add_default(
			m, mounts, places[i], "tmpfs", "rw,rprivate,nosuid,nodev,tmpcopyup");
	return r;
}

static bool has_any(const struct strv *words, const char *const *any, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strv_has(words, any[i]))
			return true;
	return false;
}

/* Adds a word unless the user said something about the same matter. */
static int add_unless(struct buf *options, const struct volume *v, const char *word,
	const char *const *said, size_t n)
{
	return has_any(&v->options, said, n) ? 0 : buf_printf(options, ",%s", word);
}

static int volume_options(const struct volume *v, struct buf *options)
{
	static const char *const binding[] = { "bind", "rbind" };
	static const char *const propagation[] = { "shared", "rshared", "slave", "rslave",
		"private", "rprivate", "unbindable", "runbindable" };
	static const char *const suid[] = { "suid", "nosuid" };
	static const char *const dev[] = { "dev", "nodev" };
	bool tmpfs = v->type == VOLUME_TMPFS;
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->options.n; i++)
		r = buf_printf(options, "%s%s", i ? "," : "", v->options.v[i]);
	if (r == 0 && !tmpfs)
		r = add_unless(options, v, "rbind", binding, ARRAY_SIZE(binding));
	if (r == 0)
		r = add_unless(options, v, "rprivate", propagation, ARRAY_SIZE(propagation));
	/* Set-user-id programs and devices come from images and the host, not from data. */
	if (r == 0 && v->type != VOLUME_BIND)
		r = add_unless(options, v, "nosuid", suid, ARRAY_SIZE(suid));
	if (r == 0 && v->type != VOLUME_BIND)
		r = add_unless(options, v, "nodev", dev, ARRAY_SIZE(dev));
	if (r == 0 && tmpfs && !(v->flags & VOLUME_NO_COPY) && !strv_has(&v->options, "tmpcopyup"))
		r = buf_add_str(options, ",tmpcopyup");
	return r;
}

static int add_volumes(const struct spec_make *m, json_t *mounts, struct err *err)
{
	for (size_t i = 0; i < m->n_volumes; i++) {
		const struct volume *v = &m->volumes[i];
		bool tmpfs = v->type == VOLUME_TMPFS;
		auto_buf options = { 0 };
		int r;

		for (size_t k = 0; k < i; k++)
			if (str_eq(m->volumes[k].dest, v->dest))
				return err_say(err, -EINVAL, "two volumes at '%s'", v->dest);
		if (!tmpfs && (!v->source || v->source[0] != '/'))
			return err_say(err, -EINVAL, "the volume at '%s' has no source", v->dest);
		r = volume_options(v, &options);
		if (r == 0)
			r = add_mount(mounts, v->dest, tmpfs ? "tmpfs" : "bind",
				tmpfs ? "tmpfs" : v->source,
				options.data + (options.data[0] == ','));
		if (r == -EINVAL)
			return err_say(err, r, "the volume at '%s' is not valid UTF-8", v->dest);
		if (r < 0)
			return err_set(err, r, "cannot list the volume at '%s'", v->dest);
	}
	return 0;
}

static size_t depth_of(const json_t *mount)
{
	size_t depth = 0;

	for (const char *s = json_get_str(mount, "destination"); *s; s++)
		depth += *s == '/';
	return depth;
}

/* Stable: of one depth, the order stays.  Moves all of @mounts into @ret. */
static int sort_by_depth(const json_t *mounts, json_t *ret)
{
	size_t n = json_array_size(mounts), done = 0;

	for (size_t depth = 1; done < n && depth <= LIMIT_DEPTH; depth++)
		for (size_t i = 0; i < n; i++) {
			json_t *mount = json_array_get(mounts, i);

			if (depth_of(mount) != depth)
				continue;
			if (json_array_append(ret, mount) < 0)
				return -ENOMEM;
			done++;
		}
	return done == n ? 0 : -EINVAL;
}

int spec_make_mounts(const struct spec_make *m, json_t **ret, struct err *err)
{
	auto_json *mounts = json_array(), *sorted = json_array();
	int r;

	r = mounts && sorted ? 0 : -ENOMEM;
	if (r == 0)
		r = add_kernel(m, mounts);
	if (r == 0)
		r = add_dev(m, mounts);
	if (r == 0)
		r = add_files(m, mounts);
	if (r == 0)
		r = add_scratch(m, mounts);
	if (r < 0)
		return err_set(err, r, "cannot list the mounts");
	r = add_volumes(m, mounts, err);
	if (r < 0)
		return r;
	r = sort_by_depth(mounts, sorted);
	if (r < 0)
		return err_set(err, r, "cannot order the mounts");
	*ret = ptr_take(&sorted);
	return 0;
}
