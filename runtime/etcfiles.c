/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/hosts, /etc/resolv.conf and /etc/hostname (the contract is in the header). */
#include "runtime/etcfiles.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/net_resolv.h"
#include "runtime/resolv.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/stat.h>

static bool is_address(const char *s)
{
	unsigned char raw[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, s, raw) == 1 || inet_pton(AF_INET6, s, raw) == 1;
}

static int add_hosts(const struct etcfiles *e, struct buf *ret, struct err *err)
{
	for (size_t i = 0; e->add_hosts && i < e->add_hosts->n; i++) {
		const char *text = e->add_hosts->v[i], *colon = strchr(text, ':');
		const char *addr = colon ? colon + 1 : "";

		if (str_eq(addr, "host-gateway") && e->host_addr)
			addr = e->host_addr;
		if (!colon || colon == text || !is_address(addr) ||
			strcspn(text, " \t\n#") < (size_t)(colon - text))
			return err_say(err, -EINVAL, "'%s' is not of the form NAME:ADDRESS", text);
		if (buf_printf(ret, "%s\t%.*s\n", addr, (int)(colon - text), text) < 0)
			return err_set(err, -ENOMEM, "cannot make /etc/hosts");
	}
	return 0;
}

/* For whoever looks here when host.containers.internal does not do what he expects */
static int add_host(const struct etcfiles *e, struct buf *ret)
{
	int r = 0;

	if (e->host_addr)
		r = buf_printf(
			ret, "%s\thost.containers.internal host.docker.internal\n", e->host_addr);
	if (r >= 0 && e->host_loopback_closed)
		r = buf_printf(ret,
			"# host.containers.internal: %s;\n"
			"# '--network slirp:allow_host_loopback=true' opens the host's loopback\n",
			e->host_addr ? "reaches what listens on the host's own addresses"
				     : "the host has no address but its loopback");
	return r;
}

int etc_make_hosts(const struct etcfiles *e, struct buf *ret, struct err *err)
{
	const char *own = e->plan ? e->plan->guest_text : "127.0.0.1";
	int r;

	r = add_hosts(e, ret, err);
	if (r < 0)
		return r;
	r = buf_add_str(ret, "127.0.0.1\tlocalhost\n"
			     "::1\tlocalhost ip6-localhost ip6-loopback\n");
	if (r >= 0)
		r = buf_printf(ret, "%s\t%s%s%s\n", own, e->hostname,
			str_eq(e->hostname, e->name) ? "" : " ",
			str_eq(e->hostname, e->name) ? "" : e->name);
	if (r >= 0)
		r = add_host(e, ret);
	return r < 0 ? err_set(err, r, "cannot make /etc/hosts") : 0;
}

/* Which of the host's servers the container reaches. */
static bool keep_server(const struct etcfiles *e, const char *server)
{
	return e->network == ETC_NET_HOST ||
	       ((e->network == ETC_NET_NONE || e->no_dns_server) && !resolv_is_loopback(server));
}

static int add_servers(const struct etcfiles *e, const struct strv *host, struct strv *ret)
{
	int r = 0;

	if (e->dns && e->dns->n > 0) {
		for (size_t i = 0; r >= 0 && i < e->dns->n; i++)
			r = strv_add(ret, e->dns->v[i]);
		return r;
	}
	if (e->plan && !e->no_dns_server)
		r = strv_add(ret, e->plan->dns_text);
	if (r >= 0 && e->plan && !e->no_dns_server && e->plan->ipv6)
		r = strv_add(ret, e->plan->dns6_text);
	for (size_t i = 0; r >= 0 && i < host->n; i++)
		if (keep_server(e, host->v[i]))
			r = strv_add(ret, host->v[i]);
	return r;
}

static int replace_words(struct strv *words, const struct strv *by)
{
	int r = 0;

	if (!by || by->n == 0)
		return 0;
	strv_done(words);
	*words = (struct strv){ 0 };
	for (size_t i = 0; r == 0 && i < by->n; i++)
		r = strv_add(words, by->v[i]);
	return r;
}

int etc_make_resolv(const struct etcfiles *e, const char *host, struct buf *ret)
{
	auto_resolv rv = { 0 };
	auto_strv servers = { 0 };
	struct strv theirs;
	int r;

	r = resolv_parse(host, strlen(host), &rv);
	if (r >= 0)
		r = add_servers(e, &rv.servers, &servers);
	if (r < 0)
		return r;
	theirs = rv.servers;
	rv.servers = servers;
	servers = theirs;
	r = replace_words(&rv.search, e->search);
	if (r == 0)
		r = replace_words(&rv.options, e->options);
	/* podman's way to say that there is none */
	if (rv.search.n == 1 && str_eq(rv.search.v[0], "."))
		strv_done(&rv.search);
	if (r < 0)
		return r;
	r = resolv_write(&rv, ret);
	return r < 0 ? r : buf_add(ret, "", 0);
}

static int write_file(int dirfd, const char *name, const struct buf *text, struct err *err)
{
	auto_fd fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fd_write_all(fd, text->data, text->len);

	/* Whatever the umask: every user of the container reads it. */
	if (r >= 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	return r < 0 ? err_set(err, r, "cannot write '%s' for the container", name) : 0;
}

/* What would be another line of resolv.conf, or more of its line, is no word. */
static bool are_words(const struct strv *words)
{
	for (size_t i = 0; words && i < words->n; i++)
		if (!words->v[i][0] || strpbrk(words->v[i], " \t\r\n#;") ||
			strlen(words->v[i]) > LIMIT_RESOLV_WORD)
			return false;
	return true;
}

int etcfiles_write(int dirfd, const struct etcfiles *e, struct err *err)
{
	auto_buf hosts = { 0 }, resolv = { 0 }, hostname = { 0 };
	auto_free char *host_resolv = calloc(1, LIMIT_RESOLV_BYTES + 1);
	int r;

	if (!host_resolv)
		return err_set(err, -ENOMEM, "cannot make /etc/resolv.conf");
	for (size_t i = 0; e->dns && i < e->dns->n; i++)
		if (!resolv_is_address(e->dns->v[i]))
			return err_say(
				err, -EINVAL, "name server '%s' is no address", e->dns->v[i]);
	if (!are_words(e->search) || !are_words(e->options))
		return err_say(err, -EINVAL, "--dns-search and --dns-option take a word each");
	r = net_resolv_read(host_resolv);
	host_resolv[r > 0 ? r : 0] = '\0';
	r = etc_make_hosts(e, &hosts, err);
	if (r < 0)
		return r;
	if (etc_make_resolv(e, host_resolv, &resolv) < 0 ||
		buf_printf(&hostname, "%s\n", e->hostname) < 0)
		return err_set(err, -ENOMEM, "cannot make /etc/resolv.conf");
	r = write_file(dirfd, "hosts", &hosts, err);
	if (r >= 0)
		r = write_file(dirfd, "resolv.conf", &resolv, err);
	if (r >= 0)
		r = write_file(dirfd, "hostname", &hostname, err);
	return r;
}

int etcfiles_host_addr(char ret[INET_ADDRSTRLEN])
{
	struct ifaddrs *list;
	int r = -ENOENT;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (const struct ifaddrs *a = list; a && r < 0; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET && (a->ifa_flags & IFF_UP) &&
			!(a->ifa_flags & IFF_LOOPBACK) &&
			inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr,
				ret, INET_ADDRSTRLEN))
			r = 0;
	freeifaddrs(list);
	return r;
}
