/* SPDX-License-Identifier: Apache-2.0 */
/* The "linux" member of config.json.  Spec: OCI runtime-spec 1.2, config-linux.md. */
#include "runtime/spec_json.h"
#include "runtime/spec_read.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/personality.h>

#define MAX_NANOSECS 999999999
#define MAX_MODE     07777
#define MAX_MAJOR    4095 /* MINORBITS is 20 */
#define MAX_MINOR    1048575

/* One element of linux.namespaces. */
static int read_namespace(const struct rd *item, void *elem)
{
	static const struct rd_word words[] = {
		{ "user", SPEC_NS_USER },
		{ "mount", SPEC_NS_MNT },
		{ "pid", SPEC_NS_PID },
		{ "network", SPEC_NS_NET },
		{ "ipc", SPEC_NS_IPC },
		{ "uts", SPEC_NS_UTS },
		{ "cgroup", SPEC_NS_CGROUP },
		{ "time", SPEC_NS_TIME },
	};
	static const struct rd_field path = { "path", RD_STR,
		offsetof(struct spec_namespace, path) };
	struct spec_namespace ns = { .on = true };
	long type = 0;
	int r;

	r = rd_word(item, "type", words, ARRAY_SIZE(words), &type);
	if (r == 0)
		return rd_fail(item, -EINVAL, "has no 'type'");
	if (r > 0)
		r = rd_fields(item, &path, 1, &ns);
	if (r < 0)
		return r;
	if (item->spec->ns[type].on)
		return rd_fail(item, -EINVAL, "names the %s namespace a second time",
			spec_ns_name((enum spec_ns)type));
	/* Writers in Go leave the path empty where they mean none. */
	if (ns.path && !ns.path[0])
		ns.path = NULL;
	item->spec->ns[type] = ns;
	return 0;
}

static const struct rd_field device_fields[] = {
	{ "path", RD_STR, offsetof(struct spec_device, path), .required = true },
	{ "major", RD_U32, offsetof(struct spec_device, major), MAX_MAJOR },
	{ "minor", RD_U32, offsetof(struct spec_device, minor), MAX_MINOR },
	{ "fileMode", RD_OPT_U64, offsetof(struct spec_device, mode), UINT32_MAX },
	{ "uid", RD_U32, offsetof(struct spec_device, uid), LIMIT_SPEC_ID },
	{ "gid", RD_U32, offsetof(struct spec_device, gid), LIMIT_SPEC_ID },
};

static int read_device(const struct rd *item, void *elem)
{
	static const struct rd_word words[] = { { "c", 'c' }, { "u", 'c' }, { "b", 'b' },
		{ "p", 'p' } };
	struct spec_device *d = elem;
	long type = 0;
	int r;

	r = rd_word(item, "type", words, ARRAY_SIZE(words), &type);
	if (r == 0)
		return rd_fail(item, -EINVAL, "has no 'type'");
	if (r > 0)
		r = rd_fields(item, device_fields, ARRAY_SIZE(device_fields), d);
	if (r < 0)
		return r;
	d->type = (char)type;
	d->mode.v &= MAX_MODE; /* some writers put st_mode, with the type, here */
	return 0;
}

static const struct rd_field offset_fields[] = {
	{ "secs", RD_I64, offsetof(struct spec_time_offset, secs), INT64_MAX, INT64_MIN },
	{ "nanosecs", RD_U32, offsetof(struct spec_time_offset, nanosecs), MAX_NANOSECS },
};

static int read_monotonic(const struct rd *at, void *spec)
{
	struct spec_time_offset *t = &((struct spec *)spec)->monotonic;

	t->set = true;
	return rd_fields(at, offset_fields, ARRAY_SIZE(offset_fields), t);
}

static int read_boottime(const struct rd *at, void *spec)
{
	struct spec_time_offset *t = &((struct spec *)spec)->boottime;

	t->set = true;
	return rd_fields(at, offset_fields, ARRAY_SIZE(offset_fields), t);
}

static int read_time_offsets(const struct rd *at, void *spec)
{
	static const struct rd_part clocks[] = {
		{ "monotonic", read_monotonic },
		{ "boottime", read_boottime },
	};

	return rd_parts(at, clocks, ARRAY_SIZE(clocks), spec);
}

static int read_personality(const struct rd *at, void *spec)
{
	static const struct rd_word words[] = { { "LINUX", PER_LINUX },
		{ "LINUX32", PER_LINUX32 } };
	static const struct rd_field flags_field = { "flags", RD_LIST, 0, LIMIT_SPEC_ARGS };
	struct spec_list flags = { 0 };
	long domain = 0;
	int r;

	r = rd_word(at, "domain", words, ARRAY_SIZE(words), &domain);
	if (r == 0)
		return rd_fail(at, -EINVAL, "has no 'domain'");
	if (r > 0)
		r = rd_fields(at, &flags_field, 1, &flags);
	if (r < 0)
		return r;
	if (flags.n > 0) /* "currently no flag values are supported" */
		return rd_fail(at, -EINVAL, "has flags, and none are defined");
	((struct spec *)spec)->personality = (struct spec_u64){ true, (uint64_t)domain };
	return 0;
}

static int read_intel_rdt(const struct rd *at, void *spec)
{
	static const struct rd_field field = { "closID", RD_STR,
		offsetof(struct spec, intel_rdt_clos) };

	return rd_fields(at, &field, 1, spec);
}

static const struct rd_field linux_fields[] = {
	{ "cgroupsPath", RD_STR, offsetof(struct spec, cgroups_path) },
	{ "sysctl", RD_PAIRS, offsetof(struct spec, sysctl), LIMIT_SPEC_PAIRS },
	{ "maskedPaths", RD_LIST, offsetof(struct spec, masked_paths), LIMIT_SPEC_ARGS },
	{ "readonlyPaths", RD_LIST, offsetof(struct spec, readonly_paths), LIMIT_SPEC_ARGS },
	{ "mountLabel", RD_STR, offsetof(struct spec, mount_label) },
};

static const struct rd_part linux_parts[] = {
	{ "resources", spec_read_resources },
	{ "seccomp", spec_read_seccomp },
	{ "timeOffsets", read_time_offsets },
	{ "personality", read_personality },
	{ "intelRdt", read_intel_rdt },
};

/* Namespaces are kept by type, so this list goes as soon as it is read. */
struct namespace_list {
	struct spec_namespace *v;
	size_t n;
};

static const struct rd_array namespace_array = { "namespaces", LIMIT_SPEC_NAMESPACES,
	sizeof(struct spec_namespace), offsetof(struct namespace_list, v),
	offsetof(struct namespace_list, n), read_namespace };

static const struct rd_array device_array = { "devices", LIMIT_SPEC_DEVICES,
	sizeof(struct spec_device), offsetof(struct spec, devices),
	offsetof(struct spec, n_devices), read_device };

static const struct rd_word propagation_words[] = {
	{ "shared", MS_SHARED },
	{ "rshared", MS_SHARED | MS_REC },
	{ "slave", MS_SLAVE },
	{ "rslave", MS_SLAVE | MS_REC },
	{ "private", MS_PRIVATE },
	{ "rprivate", MS_PRIVATE | MS_REC },
	{ "unbindable", MS_UNBINDABLE },
	{ "runbindable", MS_UNBINDABLE | MS_REC },
};

int spec_read_linux(const struct rd *at, void *out)
{
	struct namespace_list ignored = { 0 };
	struct spec *spec = out;
	long propagation = 0;
	int r;

	r = rd_fields(at, linux_fields, ARRAY_SIZE(linux_fields), spec);
	if (r == 0)
		r = rd_arrays(at, &namespace_array, 1, &ignored);
	if (r == 0)
		r = rd_arrays(at, &device_array, 1, spec);
	if (r == 0)
		r = rd_idmap(at, "uidMappings", &spec->uid_map);
	if (r == 0)
		r = rd_idmap(at, "gidMappings", &spec->gid_map);
	if (r == 0)
		r = rd_word(at, "rootfsPropagation", propagation_words,
			ARRAY_SIZE(propagation_words), &propagation);
	if (r < 0)
		return r;
	spec->rootfs_propagation = (unsigned long)propagation;
	return rd_parts(at, linux_parts, ARRAY_SIZE(linux_parts), spec);
}
