/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink (the contract is in the header). */
#include "runtime/netlink.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#define LIMIT_NL_BYTES 1024

struct nl_request {
	struct nlmsghdr hdr;
	uint8_t body[LIMIT_NL_BYTES];
};

int nl_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

static void nl_begin(
	struct nl_request *rq, uint16_t type, uint16_t flags, const void *body, size_t body_len)
{
	memset(rq, 0, sizeof(*rq));
	rq->hdr.nlmsg_type = type;
	rq->hdr.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	rq->hdr.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_len);
	memcpy(NLMSG_DATA(&rq->hdr), body, body_len);
}

static struct rtattr *nl_end(struct nl_request *rq)
{
	return (struct rtattr *)((uint8_t *)rq + NLMSG_ALIGN(rq->hdr.nlmsg_len));
}

/* All requests here are a few attributes long, far below the limit. */
static void nl_attr(struct nl_request *rq, uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = nl_end(rq);

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	rq->hdr.nlmsg_len = (uint32_t)(NLMSG_ALIGN(rq->hdr.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static void nl_attr_u32(struct nl_request *rq, uint16_t type, uint32_t v)
{
	nl_attr(rq, type, &v, sizeof(v));
}

static void nl_attr_str(struct nl_request *rq, uint16_t type, const char *s)
{
	nl_attr(rq, type, s, strlen(s) + 1);
}

static struct rtattr *nl_nest(struct nl_request *rq, uint16_t type)
{
	struct rtattr *a = nl_end(rq);

	nl_attr(rq, type, NULL, 0);
	return a;
}

static void nl_nest_end(struct nl_request *rq, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((uint8_t *)nl_end(rq) - (uint8_t *)nest);
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

/* ---- interfaces ---- */

int nl_link_up(int fd, int ifindex)
{
	struct ifinfomsg info = { .ifi_index = ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWLINK, 0, &info, sizeof(info));
	return nl_talk(fd, &rq);
}

int nl_link_set_u32(int fd, int ifindex, uint16_t attr, uint32_t v)
{
	struct ifinfomsg info = { .ifi_index = ifindex };
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_attr_u32(&rq, attr, v);
	return nl_talk(fd, &rq);
}

int nl_link_set_mac(int fd, int ifindex, const uint8_t mac[6])
{
	struct ifinfomsg info = { .ifi_index = ifindex };
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_attr(&rq, IFLA_ADDRESS, mac, 6);
	return nl_talk(fd, &rq);
}

int nl_link_add_bridge(int fd, const char *name)
{
	struct ifinfomsg info = { 0 };
	struct nl_request rq;
	struct rtattr *linkinfo;

	nl_begin(&rq, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	nl_attr_str(&rq, IFLA_IFNAME, name);
	linkinfo = nl_nest(&rq, IFLA_LINKINFO);
	nl_attr_str(&rq, IFLA_INFO_KIND, "bridge");
	nl_nest_end(&rq, linkinfo);
	return nl_talk(fd, &rq);
}

int nl_link_add_veth(
	int fd, const char *name, const char *peer_name, int peer_netns_fd, const uint8_t *peer_mac)
{
	struct ifinfomsg info = { 0 };
	struct rtattr *linkinfo, *data, *peer;
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	nl_attr_str(&rq, IFLA_IFNAME, name);
	linkinfo = nl_nest(&rq, IFLA_LINKINFO);
	nl_attr_str(&rq, IFLA_INFO_KIND, "veth");
	data = nl_nest(&rq, IFLA_INFO_DATA);
	peer = nl_nest(&rq, VETH_INFO_PEER);
	/* The peer's own ifinfomsg stands before its attributes. */
	memcpy(nl_end(&rq), &info, sizeof(info));
	rq.hdr.nlmsg_len += (uint32_t)NLMSG_ALIGN(sizeof(info));
	nl_attr_str(&rq, IFLA_IFNAME, peer_name);
	if (peer_netns_fd >= 0)
		nl_attr_u32(&rq, IFLA_NET_NS_FD, (uint32_t)peer_netns_fd);
	if (peer_mac)
		nl_attr(&rq, IFLA_ADDRESS, peer_mac, 6);
	nl_nest_end(&rq, peer);
	nl_nest_end(&rq, data);
	nl_nest_end(&rq, linkinfo);
	return nl_talk(fd, &rq);
}

int nl_link_del(int fd, int ifindex)
{
	struct ifinfomsg info = { .ifi_index = ifindex };
	struct nl_request rq;

	nl_begin(&rq, RTM_DELLINK, 0, &info, sizeof(info));
	return nl_talk(fd, &rq);
}

/* ---- addresses, routes, rules ---- */

static size_t address_len(int family)
{
	return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

int nl_address_add(int fd, int ifindex, int family, const void *addr, unsigned prefix_len)
{
	struct ifaddrmsg info = {
		.ifa_family = (uint8_t)family,
		.ifa_prefixlen = (uint8_t)prefix_len,
		.ifa_index = (uint32_t)ifindex,
		.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0,
	};
	struct nl_request rq;

	nl_begin(&rq, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof(info));
	nl_attr(&rq, IFA_LOCAL, addr, address_len(family));
	nl_attr(&rq, IFA_ADDRESS, addr, address_len(family));
	return nl_talk(fd, &rq);
}

int nl_default_route_add(int fd, int ifindex, int family, const void *gateway, uint32_t metric)
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
	nl_attr(&rq, RTA_GATEWAY, gateway, address_len(family));
	nl_attr_u32(&rq, RTA_OIF, (uint32_t)ifindex);
	if (metric)
		nl_attr_u32(&rq, RTA_PRIORITY, metric);
	return nl_talk(fd, &rq);
}

/* Adding what stands and removing what is gone are both done already. */
static int talk_change(int fd, struct nl_request *rq, enum nl_change change)
{
	int r = nl_talk(fd, rq);

	if (change == NL_ADD)
		return r == -EEXIST ? 0 : r;
	return r == -ENOENT || r == -ESRCH ? 0 : r;
}

int nl_local_route(
	int fd, enum nl_change change, int family, const void *dst, const void *src, uint32_t table)
{
	struct rtmsg info = {
		.rtm_family = (uint8_t)family,
		.rtm_dst_len = dst ? (uint8_t)(8 * address_len(family)) : 0,
		.rtm_table = RT_TABLE_UNSPEC,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_HOST,
		.rtm_type = RTN_LOCAL,
	};
	struct nl_request rq;

	nl_begin(&rq, change == NL_ADD ? RTM_NEWROUTE : RTM_DELROUTE,
		change == NL_ADD ? NLM_F_CREATE | NLM_F_EXCL : 0, &info, sizeof(info));
	nl_attr_u32(&rq, RTA_TABLE, table);
	nl_attr_u32(&rq, RTA_OIF, NL_LO_INDEX);
	if (dst)
		nl_attr(&rq, RTA_DST, dst, address_len(family));
	if (src)
		nl_attr(&rq, RTA_PREFSRC, src, address_len(family));
	return talk_change(fd, &rq, change);
}

int nl_rule(int fd, enum nl_change change, const struct nl_rule *rule)
{
	struct fib_rule_hdr info = {
		.family = (uint8_t)rule->family,
		.action = FR_ACT_TO_TBL,
		.table = RT_TABLE_UNSPEC,
	};
	const struct fib_rule_port_range sport = { rule->sport, rule->sport };
	struct nl_request rq;

	nl_begin(&rq, change == NL_ADD ? RTM_NEWRULE : RTM_DELRULE,
		change == NL_ADD ? NLM_F_CREATE | NLM_F_EXCL : 0, &info, sizeof(info));
	nl_attr_u32(&rq, FRA_TABLE, rule->table);
	nl_attr_u32(&rq, FRA_PRIORITY, rule->priority);
	if (rule->mark)
		nl_attr_u32(&rq, FRA_FWMARK, rule->mark);
	if (rule->ipproto)
		nl_attr(&rq, FRA_IP_PROTO, &rule->ipproto, 1);
	if (rule->sport)
		nl_attr(&rq, FRA_SPORT_RANGE, &sport, sizeof(sport));
	return talk_change(fd, &rq, change);
}

/* ---- settings ---- */

int net_sysctl_open(const char *path, int flags)
{
	auto_free char *abspath = str_format("/proc/sys/net/%s", path);
	int fd;

	if (!abspath)
		return -ENOMEM;
	fd = open(abspath, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int net_sysctl_write(const char *path, const char *value)
{
	auto_fd fd = net_sysctl_open(path, O_WRONLY);
	int r = fd;

	if (fd >= 0)
		r = fd_write_all(fd, value, strlen(value));
	if (r < 0)
		log_debug("net", "sysctl-failed path='%s' errno=%d", path, -r);
	return r < 0 ? r : 0;
}
