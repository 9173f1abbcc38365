/* SPDX-License-Identifier: Apache-2.0 */
/* The tap and the child that makes it (the contract is in the header). */
#include "runtime/net_tap.h"

#include "runtime/net_config.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Since Linux 6.2; older headers lack the names, older kernels answer EINVAL. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* What the child says; the fd travels beside it. */
struct tap_report {
	int code;
	bool vnet_hdr, offload;
	struct err err;
};

static bool is_own_userns(int fd)
{
	struct stat own, other;

	return fstat(fd, &other) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
	       own.st_ino == other.st_ino && own.st_dev == other.st_dev;
}

static int enter(int userns_fd, int netns_fd, struct err *err)
{
	if (userns_fd >= 0 && !is_own_userns(userns_fd) && setns(userns_fd, CLONE_NEWUSER) < 0)
		return err_set(err, -errno, "cannot enter the user namespace");
	if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0)
		return err_set(err, -errno, "cannot enter the network namespace");
	return 0;
}

/* Plain frames are the fallback at each step: old kernels, or somebody asked for them. */
static int set_offload(int fd)
{
	const unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int hdr_len = sizeof(struct virtio_net_hdr);

	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_len) < 0)
		return -errno;
	if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)(tso | TUN_F_USO4 | TUN_F_USO6)) == 0)
		return 0;
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)tso) < 0 ? -errno : 0;
}

static int open_tun(struct err *err)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), r;

	if (fd >= 0)
		return fd;
	r = err_set(err, -errno, "cannot open '/dev/net/tun'");
	if (r == -ENOENT)
		return err_hint(err, r, "run 'modprobe tun' as root");
	if (r == -EACCES || r == -EPERM)
		return err_hint(err, r, "run 'chmod 0666 /dev/net/tun' as root");
	return r;
}

int net_tap_probe(struct err *err)
{
	auto_fd fd = open_tun(err);

	return fd < 0 ? fd : 0;
}

static int make_tap(const char *name, unsigned flags, struct net_tap *ret, struct err *err)
{
	auto_fd fd = open_tun(err);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	unsigned features = 0;

	if (fd < 0)
		return fd;
	if (!(flags & NET_NO_OFFLOAD) && ioctl(fd, TUNGETFEATURES, &features) == 0 &&
		features & IFF_VNET_HDR)
		ifr.ifr_flags |= IFF_VNET_HDR;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return err_set(err, -errno, "cannot make the interface '%s'", name);
	ret->vnet_hdr = ifr.ifr_flags & IFF_VNET_HDR;
	ret->offload = ret->vnet_hdr && set_offload(fd) == 0;
	if (flags & NET_LEAVE_TAP)
		(void)ioctl(fd, TUNSETPERSIST, 1UL);
	ret->fd = fd_take(&fd);
	return 0;
}

static int child_work(const struct net_slirp_opts *opts, const struct net_plan *plan, int userns_fd,
	int netns_fd, struct net_tap *tap, struct err *err)
{
	const char *name = opts->tapname ? opts->tapname : "tap0";
	unsigned flags = 0;
	int r;

	r = enter(userns_fd, netns_fd, err);
	if (r < 0)
		return r;
	r = make_tap(name, opts->flags, tap, err);
	if (r < 0)
		return r;
	if (tap->offload)
		flags |= NET_CONFIG_LIMIT_GSO;
	if (!opts->no_configure)
		flags |= NET_CONFIG_ADDRESSES;
	return net_config_apply(plan, name, flags, err);
}

static void send_report(int sock, const struct tap_report *report, int fd)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)report, sizeof(*report) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.hdr), &fd, sizeof(fd));
	}
	(void)sendmsg(sock, &msg, MSG_NOSIGNAL);
}

static int receive_report(int sock, struct tap_report *ret, int *ret_fd)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { ret, sizeof(*ret) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (msg.msg_controllen >= CMSG_LEN(sizeof(int)) && control.hdr.cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(&control.hdr), sizeof(*ret_fd));
	return n == sizeof(*ret) ? 0 : -EPIPE;
}

int net_tap_open(const struct net_slirp_opts *opts, const struct net_plan *plan, int userns_fd,
	int netns_fd, struct net_tap *ret, struct err *err)
{
	struct tap_report report = { 0 };
	auto_fd fd = -1, ours = -1, theirs = -1;
	int sv[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(err, -errno, "cannot make a socket pair");
	ours = sv[0];
	theirs = sv[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "cannot fork");
	if (pid == 0) {
		struct net_tap tap = { .fd = -1 };

		report.code = child_work(opts, plan, userns_fd, netns_fd, &tap, &report.err);
		report.vnet_hdr = tap.vnet_hdr;
		report.offload = tap.offload;
		send_report(theirs, &report, report.code < 0 ? -1 : tap.fd);
		_exit(0);
	}
	(void)close(fd_take(&theirs));
	r = receive_report(ours, &report, &fd);
	if (r < 0)
		return err_set(err, r, "the helper inside the namespace failed");
	if (report.code < 0) {
		if (err)
			*err = report.err;
		return report.code;
	}
	if (fd < 0)
		return err_set(err, -EMFILE, "cannot receive the tap");
	*ret = (struct net_tap){ fd_take(&fd), report.vnet_hdr, report.offload };
	return 0;
}

int net_tap_adopt(int fd, struct net_tap *ret, struct err *err)
{
	struct ifreq ifr = { 0 };
	int hdr_len = 0, fl;

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return err_set(err, -errno, "fd %d is not a tap", fd);
	if ((ifr.ifr_flags & (IFF_TAP | IFF_NO_PI)) != (IFF_TAP | IFF_NO_PI))
		return err_say(err, -EINVAL,
			"interface '%.15s' was not made with IFF_TAP | IFF_NO_PI", ifr.ifr_name);
	if (ifr.ifr_flags & IFF_VNET_HDR && (ioctl(fd, TUNGETVNETHDRSZ, &hdr_len) < 0 ||
						    hdr_len != sizeof(struct virtio_net_hdr)))
		return err_say(err, -EINVAL, "interface '%.15s' has a header of %d bytes, not %zu",
			ifr.ifr_name, hdr_len, sizeof(struct virtio_net_hdr));
	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return err_set(err, -errno, "cannot make the tap non-blocking");
	*ret = (struct net_tap){ fd, ifr.ifr_flags & IFF_VNET_HDR, false };
	return 0;
}
