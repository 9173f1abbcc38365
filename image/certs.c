/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of registries (the contract is in the header). */
#include "image/certs.h"

#include "base/fd.h"
#include "base/str.h"
#include "image/conf_path.h"

#include <dirent.h>
#include <fcntl.h>

void certs_done(struct http_trust *t)
{
	free(t->ca_pem);
	free(t->cert_path);
	free(t->key_path);
	t->ca_pem = t->cert_path = t->key_path = NULL;
}

static int add_ca(int dirfd, const char *name, struct buf *pem, struct err *err)
{
	auto_free char *data = NULL;
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t len;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot read '%s'", name);
	r = fd_read_file(fd, LIMIT_CERTS_BYTES - pem->len, &data, &len);
	if (r == 0 && (buf_add(pem, data, len) < 0 || buf_add_str(pem, "\n") < 0))
		r = -ENOMEM;
	return r < 0 ? err_set(err, r, "cannot read '%s'", name) : 0;
}

static int set_client(
	const char *dir, int dirfd, const char *cert, struct http_trust *ret, struct err *err)
{
	auto_free char *key = str_format("%.*s.key", (int)(strlen(cert) - strlen(".cert")), cert);

	if (!key)
		return err_set(err, -ENOMEM, "cannot read '%s'", cert);
	if (faccessat(dirfd, key, R_OK, 0) < 0)
		return err_say(err, -EINVAL, "'%s' has no '%s' beside it", cert, key);
	free(ret->cert_path);
	free(ret->key_path);
	ret->cert_path = str_format("%s/%s", dir, cert);
	ret->key_path = str_format("%s/%s", dir, key);
	return ret->cert_path && ret->key_path ? 0 : err_set(err, -ENOMEM, "cannot read '%s'", dir);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_dir(const char *dir, int dirfd, struct http_trust *ret, struct err *err)
{
	struct dirent **list;
	auto_buf pem = { 0 };
	int n = scandirat(dirfd, ".", &list, NULL, by_name), r = 0;

	if (n < 0)
		return err_set(err, -errno, "cannot read '%s'", dir);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		if (r == 0 && str_ends(name, ".crt"))
			r = add_ca(dirfd, name, &pem, err);
		else if (r == 0 && str_ends(name, ".cert"))
			r = set_client(dir, dirfd, name, ret, err);
		free(list[i]);
	}
	free(list);
	if (r == 0 && pem.len) {
		ret->ca_pem = buf_take(&pem);
		if (!ret->ca_pem)
			r = -ENOMEM;
	}
	if (r < 0)
		certs_done(ret);
	return r < 0 ? err_wrap(err, r, "'%s'", dir) : 0;
}

/* Return: 1 if the directory is there and was read. */
static int try_dir(const char *dir, struct http_trust *ret, struct err *err)
{
	auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0;
	if (fd < 0)
		return err_set(err, -errno, "cannot read '%s'", dir);
	r = read_dir(dir, fd, ret, err);
	return r < 0 ? r : 1;
}

int certs_load(const char *host, const char *dir, struct http_trust *ret, struct err *err)
{
	auto_free char *own = conf_path_user("certs.d");
	const char *const roots[] = { own, "/etc/containers/certs.d", "/etc/docker/certs.d" };
	int r = 0;

	ret->ca_pem = ret->cert_path = ret->key_path = NULL;
	if (dir) {
		r = try_dir(dir, ret, err);
		return r == 0 ? err_set(err, -ENOENT, "cannot read '%s'", dir) : r < 0 ? r : 0;
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(roots); i++) {
		auto_free char *path = roots[i] ? str_format("%s/%s", roots[i], host) : NULL;

		if (path)
			r = try_dir(path, ret, err);
	}
	return r < 0 ? r : 0;
}
