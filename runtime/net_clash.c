/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that the host is in already (the contract is in the header). */
#include "runtime/net_clash.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Each from another private block, for a VPN may take whole ones; the last is for measurements. */
static const struct {
	const char *text;
	uint32_t network;
} candidates[] = {
	{ "10.0.2.0/24", 0x0a000200 },
	{ "10.213.2.0/24", 0x0ad50200 },
	{ "172.29.2.0/24", 0xac1d0200 },
	{ "192.168.213.0/24", 0xc0a8d500 },
	{ "198.18.2.0/24", 0xc6120200 },
};
#define CANDIDATE_MASK	   UINT32_C(0xffffff00)
#define LIMIT_ROUTES_BYTES (256 * 1024)

/* Columns: interface, destination, gateway, flags, …, mask at 7; numbers in network order */
size_t net_clash_parse_routes(const char *text, struct net_range *ret)
{
	size_t n = 0;

	for (const char *line = text; *line && n < LIMIT_NET_RANGES;) {
		uint32_t destination, mask;

		if (*line != '\n' &&
			sscanf(line, "%*s %" SCNx32 " %*x %*x %*d %*d %*d %" SCNx32, &destination,
				&mask) == 2 &&
			mask)
			ret[n++] = (struct net_range){ ntohl(destination), ntohl(mask) };
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return n;
}

static bool overlap(const struct net_range *a, uint32_t network, uint32_t mask)
{
	uint32_t wider = a->mask & mask;

	return (a->network & wider) == (network & wider);
}

const char *net_clash_pick(const struct net_range *taken, size_t n)
{
	for (size_t c = 0; c < ARRAY_SIZE(candidates); c++) {
		size_t i = 0;

		while (i < n && !overlap(&taken[i], candidates[c].network, CANDIDATE_MASK))
			i++;
		if (i == n)
			return candidates[c].text;
	}
	return candidates[0].text;
}

/* Return: the number of networks in a file like /proc/net/route, and @ret, owned by the caller */
static int read_networks(const char *path, struct net_range **ret)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_free struct net_range *ranges = calloc(LIMIT_NET_RANGES, sizeof(*ranges));
	auto_free char *text = malloc(LIMIT_ROUTES_BYTES);
	size_t len = 0, count;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (!ranges || !text)
		return -ENOMEM;
	do {
		n = read(fd, text + len, LIMIT_ROUTES_BYTES - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	text[len] = '\0';
	count = net_clash_parse_routes(text, ranges);
	*ret = ptr_take(&ranges);
	return (int)count;
}

const char *net_clash_choose(void)
{
	auto_free struct net_range *ranges = NULL;
	int n = read_networks("/proc/net/route", &ranges);

	return net_clash_pick(ranges, n < 0 ? 0 : (size_t)n);
}

int net_clash_own(pid_t pid, char *ret, size_t len)
{
	auto_free struct net_range *ranges = NULL;
	char path[64], address[INET_ADDRSTRLEN];
	struct in_addr network;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/net/route", (int)pid);
	n = read_networks(path, &ranges);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	network.s_addr = htonl(ranges[0].network);
	(void)inet_ntop(AF_INET, &network, address, sizeof(address));
	snprintf(ret, len, "%s/%d", address, __builtin_popcount(ranges[0].mask));
	return 0;
}
