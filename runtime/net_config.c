/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses, routes and settings of a network namespace (the contract is in the header)
 *
 * One request, one acknowledgement: each netlink message asks for NLM_F_ACK and its error
 * is read before the next is sent.
 *
 * Spec: rtnetlink(7), netlink(7); kernel Documentation/networking/ip-sysctl.rst
 */
#include "runtime/net_config.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#define LIMIT_NL_BYTES 1024

struct nl_request {
	struct nlmsghdr hdr;
	uint8_t body[LIMIT_NL_BYTES];
};

static void nl_begin(
	struct nl_request *rq, uint16_t type, uint16_t flags, const void *body, size_t body_len)
{
	memset(rq, 0, sizeof(*rq));
	rq->hdr.nlmsg_type = type;
	rq->hdr.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	rq->hdr.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_len);
	memcpy(NLMSG_DATA(&rq->hdr), body, body_len);
}

/* All requests here are a few attributes long, far below the limit. */
static void nl_attr(struct nl_request *rq, uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((uint8_t *)rq + NLMSG_ALIGN(rq->hdr.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	rq->hdr.nlmsg_len = (uint32_t)(NLMSG_ALIGN(rq->hdr.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static void nl_attr_u32(struct nl_request *rq, uint16_t type, uint32_t v)
{
	nl_attr(rq, type, &v, sizeof(v));
}

static int nl_talk(int fd, struct nl_request *rq)
{
	struct {
		struct nlmsghdr hdr;
		struct nlmsgerr err;
		uint8_t rest[LIMIT_NL_BYTES];
	} reply;
	ssize_t n;

	do
		n = send(fd, rq, rq->hdr.nlmsg_len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	do
		n = recv(fd, &reply, sizeof(reply), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(reply.hdr) + sizeof(reply.err.error) ||
		reply.hdr.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return reply.err.error;
}

static int link_up(int fd, int ifindex)
{
	struct ifinfomsg info = { .ifi_index = ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWLINK, 0, &info, sizeof(info));
	return nl_talk(fd, &rq);
}

static int link_set_u32(int fd, int ifindex, uint16_t attr, uint32_t v)
{
	struct ifinfomsg info = { .ifi_index = ifindex };
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_attr_u32(&rq, attr, v);
	return nl_talk(fd, &rq);
}

static int link_set_mac(int fd, int ifindex, const uint8_t mac[6])
{
	struct ifinfomsg info = { .ifi_index = ifindex };
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_attr(&rq, IFLA_ADDRESS, mac, 6);
	return nl_talk(fd, &rq);
}

static int address_add(int fd, int ifindex, int family, const void *addr, unsigned prefix_len)
{
	struct ifaddrmsg info = {
		.ifa_family = (uint8_t)family,
		.ifa_prefixlen = (uint8_t)prefix_len,
		.ifa_index = (uint32_t)ifindex,
		.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0,
	};
	size_t len = family == AF_INET ? 4 : 16;
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof(info));
	nl_attr(&rq, IFA_LOCAL, addr, len);
	nl_attr(&rq, IFA_ADDRESS, addr, len);
	return nl_talk(fd, &rq);
}

static int default_route_add(int fd, int ifindex, int family, const void *gateway)
{
	struct rtmsg info = {
		.rtm_family = (uint8_t)family,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof(info));
	nl_attr(&rq, RTA_GATEWAY, gateway, family == AF_INET ? 4 : 16);
	nl_attr_u32(&rq, RTA_OIF, (uint32_t)ifindex);
	return nl_talk(fd, &rq);
}

static int sysctl_open(const char *path, int flags)
{
	auto_free char *abspath = str_format("/proc/sys/net/%s", path);
	int fd;

	if (!abspath)
		return -ENOMEM;
	fd = open(abspath, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void sysctl_write(const char *path, const char *value)
{
	auto_fd fd = sysctl_open(path, O_WRONLY);
	int r = fd;

	if (fd >= 0)
		r = fd_write_all(fd, value, strlen(value));
	if (r < 0)
		log_debug("net", "sysctl-failed path='%s' errno=%d", path, -r);
}

static void sysctl_write_of(const char *name, const char *leaf, const char *value)
{
	auto_free char *path = str_format("ipv6/conf/%s/%s", name, leaf);

	if (path)
		sysctl_write(path, value);
}

/*
 * A first window of more than 64 KiB, the default since Linux 4.20, is more than libslirp's window
 * without scaling: input stalls for seconds.  Only the default changes, the limits stay.
 */
static void set_first_window(void)
{
	auto_fd fd = sysctl_open("ipv4/tcp_rmem", O_RDWR);
	unsigned min, dflt, max;
	char text[128];
	ssize_t n;

	n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	if (n < 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%u %u %u", &min, &dflt, &max) != 3 || dflt <= 87380)
		return;
	snprintf(text, sizeof(text), "%u 87380 %u", min, max);
	sysctl_write("ipv4/tcp_rmem", text);
}

static int configure_ip6(
	int fd, const struct net_plan *plan, const char *name, int ifindex, struct err *err)
{
	int r;

	r = address_add(fd, ifindex, AF_INET6, &plan->guest6, 64);
	if (r < 0)
		return err_set(err, r, "cannot give %s to '%s'", plan->guest6_text, name);
	r = default_route_add(fd, ifindex, AF_INET6, &plan->gateway6);
	if (r < 0)
		return err_set(err, r, "cannot route through %s", plan->gateway6_text);
	return 0;
}

static int configure(
	int fd, const struct net_plan *plan, const char *name, int ifindex, struct err *err)
{
	int r;

	if (plan->has_mac) {
		r = link_set_mac(fd, ifindex, plan->mac);
		if (r < 0)
			return err_set(err, r, "cannot set the MAC address of '%s'", name);
	}
	if (plan->ipv6) {
		/* Before the link is up: its own address is then usable at once, too. */
		sysctl_write_of(name, "disable_ipv6", "0");
		sysctl_write_of(name, "accept_dad", "0");
		sysctl_write_of(name, "accept_ra", "0");
	}
	set_first_window();
	r = link_up(fd, ifindex);
	if (r < 0)
		return err_set(err, r, "cannot bring '%s' up", name);
	r = link_up(fd, 1); /* lo is the first of every namespace */
	if (r < 0)
		return err_set(err, r, "cannot bring 'lo' up");
	r = address_add(fd, ifindex, AF_INET, &plan->guest, plan->prefix_len);
	if (r < 0)
		return err_set(err, r, "cannot give %s to '%s'", plan->guest_text, name);
	r = default_route_add(fd, ifindex, AF_INET, &plan->gateway);
	if (r < 0)
		return err_set(err, r, "cannot route through %s", plan->gateway_text);
	return plan->ipv6 ? configure_ip6(fd, plan, name, ifindex, err) : 0;
}

int net_config_apply(const struct net_plan *plan, const char *name, unsigned flags, struct err *err)
{
	auto_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int ifindex, r;

	if (fd < 0)
		return err_set(err, -errno, "cannot open a netlink socket");
	ifindex = (int)if_nametoindex(name);
	if (ifindex == 0)
		return err_set(err, -errno, "no interface '%s'", name);
	r = link_set_u32(fd, ifindex, IFLA_MTU, plan->mtu);
	if (r < 0)
		return err_set(err, r, "cannot set the MTU of '%s' to %u", name, plan->mtu);
	if (flags & NET_CONFIG_LIMIT_GSO) {
		r = link_set_u32(fd, ifindex, IFLA_GSO_MAX_SIZE, NET_GSO_MAX);
		if (r < 0)
			return err_set(err, r, "cannot limit the frames of '%s'", name);
	}
	return flags & NET_CONFIG_ADDRESSES ? configure(fd, plan, name, ifindex, err) : 0;
}
