/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/volume.h"
#include "tests/unit/test.h"

#include <errno.h>

struct row {
	const char *text, *error; /* "": it is fine */
	enum volume_type type;
	const char *source, *dest, *options;
	unsigned int flags;
	bool read_only;
};

static void check_rows(
	const struct row *rows, size_t n, int (*parse)(const char *, struct volume *, struct err *))
{
	for (size_t i = 0; i < n; i++) {
		auto_volume v = { 0 };
		auto_buf words = { 0 };
		struct err err = ERR_INIT;

		CHECK_INT(parse(rows[i].text, &v, &err), ==, rows[i].error[0] ? -EINVAL : 0);
		CHECK_STR(err.text, rows[i].error);
		if (rows[i].error[0])
			continue;
		for (size_t k = 0; k < v.options.n; k++)
			(void)buf_printf(&words, "%s%s", k ? "," : "", v.options.v[k]);
		CHECK_INT(v.type, ==, rows[i].type);
		CHECK_STR(v.source, rows[i].source);
		CHECK_STR(v.dest, rows[i].dest);
		CHECK_STR(words.data ? words.data : "", rows[i].options);
		CHECK_INT(v.flags, ==, rows[i].flags);
		CHECK_INT(v.read_only, ==, rows[i].read_only);
	}
}

TEST(short_volumes)
{
	static const struct row rows[] = {
		{ "/srv:/data", "", VOLUME_BIND, "/srv", "/data", "", 0, false },
		{ "./a:/b:ro", "", VOLUME_BIND, "./a", "/b", "ro", 0, true },
		{ "..:/b", "", VOLUME_BIND, "..", "/b", "", 0, false },
		{ "db:/var/lib/db:Z,U,rslave,nosuid", "", VOLUME_NAMED, "db", "/var/lib/db",
			"rslave,nosuid", VOLUME_PRIVATE_LABEL | VOLUME_CHOWN, false },
		{ "/cache", "", VOLUME_NAMED, NULL, "/cache", "", 0, false },
		{ "a.b_c-1:/x:nocopy", "", VOLUME_NAMED, "a.b_c-1", "/x", "", VOLUME_NO_COPY,
			false },
		{ "/s:/d:idmap=uids=0-1-2;gids=0-1-2", "", VOLUME_BIND, "/s", "/d",
			"idmap=uids=0-1-2;gids=0-1-2", 0, false },
		{ "/s:/d:O", "", VOLUME_BIND, "/s", "/d", "", VOLUME_OVERLAY, false },
		{ "/s:/d/../e//f/./", "", VOLUME_BIND, "/s", "/e/f", "", 0, false },
		{ "/s:/d:", "", VOLUME_BIND, "/s", "/d", "", 0, false },
		{ "", "-v '': '' is not an absolute path inside the container", 0, 0, 0, 0, 0, 0 },
		{ ":/d", "-v ':/d': the source is empty", 0, 0, 0, 0, 0, 0 },
		{ "/s:d", "-v '/s:d': 'd' is not an absolute path inside the container", 0, 0, 0, 0,
			0, 0 },
		{ "/s:/", "-v '/s:/': '/' cannot be mounted over", 0, 0, 0, 0, 0, 0 },
		{ "/s:/a/..", "-v '/s:/a/..': '/' cannot be mounted over", 0, 0, 0, 0, 0, 0 },
		{ "/s:/d:ro:x", "-v '/s:/d:ro:x': more than two colons", 0, 0, 0, 0, 0, 0 },
		{ "/s:/d:fast", "-v '/s:/d:fast': unknown option 'fast'", 0, 0, 0, 0, 0, 0 },
		{ "/s:/d:ro,rw", "-v '/s:/d:ro,rw': options 'ro' and 'rw' exclude each other", 0, 0,
			0, 0, 0, 0 },
		{ "/s:/d:z,Z", "-v '/s:/d:z,Z': options 'z' and 'Z' exclude each other", 0, 0, 0, 0,
			0, 0 },
		{ "/s:/d:O,ro", "-v '/s:/d:O,ro': options 'O' and 'ro' exclude each other", 0, 0, 0,
			0, 0, 0 },
		{ "/s:/d:tmpcopyup", "-v '/s:/d:tmpcopyup': option 'tmpcopyup' is for tmpfs", 0, 0,
			0, 0, 0, 0 },
		{ "/s:/d:size=1", "-v '/s:/d:size=1': unknown option 'size=1'", 0, 0, 0, 0, 0, 0 },
		{ "a b:/d", "-v 'a b:/d': 'a b' is not a name for a volume", 0, 0, 0, 0, 0, 0 },
	};

	check_rows(rows, ARRAY_SIZE(rows), volume_parse);
}

TEST(long_mounts)
{
	static const struct row rows[] = {
		{ "type=bind,src=/s,dst=/d", "", VOLUME_BIND, "/s", "/d", "", 0, false },
		{ "dst=/d,source=/s,readonly,type=bind,bind-propagation=rshared", "", VOLUME_BIND,
			"/s", "/d", "ro,rshared", 0, true },
		{ "type=bind,src=/s,target=/d,ro=false", "", VOLUME_BIND, "/s", "/d", "rw", 0,
			false },
		{ "src=db,destination=/d,U=true", "", VOLUME_NAMED, "db", "/d", "", VOLUME_CHOWN,
			false },
		{ "type=volume,dst=/d", "", VOLUME_NAMED, NULL, "/d", "", 0, false },
		{ "type=tmpfs,dst=/t,tmpfs-size=64k,tmpfs-mode=1777,tmpcopyup", "", VOLUME_TMPFS,
			NULL, "/t", "size=64k,mode=1777,tmpcopyup", 0, false },
		{ "type=bind,src=/s,dst=/d,relabel=private,idmap,bind-nonrecursive", "",
			VOLUME_BIND, "/s", "/d", "idmap,bind", VOLUME_PRIVATE_LABEL, false },
		{ "type=bind,dst=/d", "--mount 'type=bind,dst=/d': no source: 'src=' is missing", 0,
			0, 0, 0, 0, 0 },
		{ "type=bind,src=/s",
			"--mount 'type=bind,src=/s': no destination: 'dst=' is missing", 0, 0, 0, 0,
			0, 0 },
		{ "type=glob,dst=/d",
			"--mount 'type=glob,dst=/d': type 'glob' is not bind, volume or tmpfs", 0,
			0, 0, 0, 0, 0 },
		{ "type=tmpfs,src=/s,dst=/d",
			"--mount 'type=tmpfs,src=/s,dst=/d': a tmpfs has no source", 0, 0, 0, 0, 0,
			0 },
		{ "dst=/d,ro=maybe", "--mount 'dst=/d,ro=maybe': 'ro=maybe' is not true or false",
			0, 0, 0, 0, 0, 0 },
		{ "dst", "--mount 'dst': 'dst' needs a value", 0, 0, 0, 0, 0, 0 },
		{ "dst=/d,warp=9", "--mount 'dst=/d,warp=9': unknown option 'warp'", 0, 0, 0, 0, 0,
			0 },
		{ "dst=/d,ro,rw",
			"--mount 'dst=/d,ro,rw': options 'ro' and 'rw' exclude each other", 0, 0, 0,
			0, 0, 0 },
	};

	check_rows(rows, ARRAY_SIZE(rows), volume_parse_mount);
}

TEST(tmpfs_volumes)
{
	static const struct row rows[] = {
		{ "/t", "", VOLUME_TMPFS, NULL, "/t", "", 0, false },
		{ "/t:size=1m,mode=755,noexec", "", VOLUME_TMPFS, NULL, "/t",
			"size=1m,mode=755,noexec", 0, false },
		{ "/t:notmpcopyup", "", VOLUME_TMPFS, NULL, "/t", "", VOLUME_NO_COPY, false },
		{ "t", "--tmpfs 't': 't' is not an absolute path inside the container", 0, 0, 0, 0,
			0, 0 },
		{ "/t:nope", "--tmpfs '/t:nope': unknown option 'nope'", 0, 0, 0, 0, 0, 0 },
	};

	check_rows(rows, ARRAY_SIZE(rows), volume_parse_tmpfs);
}

TEST(devices_are_bound)
{
	static const struct row rows[] = {
		{ "/dev/fuse", "", VOLUME_BIND, "/dev/fuse", "/dev/fuse", "bind,nosuid,noexec", 0,
			false },
		{ "/dev/a:/dev/b:rwm", "", VOLUME_BIND, "/dev/a", "/dev/b", "bind,nosuid,noexec", 0,
			false },
		{ "/dev/a:r", "", VOLUME_BIND, "/dev/a", "/dev/a", "bind,nosuid,noexec,ro", 0,
			true },
		{ "dev/a", "--device 'dev/a': 'dev/a' is not an absolute path", 0, 0, 0, 0, 0, 0 },
		{ "/dev/a:x", "--device '/dev/a:x': the access 'x' is not made of 'rwm'", 0, 0, 0,
			0, 0, 0 },
		{ "/dev/a:/b:r:w", "--device '/dev/a:/b:r:w': more than two colons", 0, 0, 0, 0, 0,
			0 },
	};

	check_rows(rows, ARRAY_SIZE(rows), volume_parse_device);
}
