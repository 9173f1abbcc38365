/* SPDX-License-Identifier: Apache-2.0 */
/* A container in a named network (the contract is in the header). */
#include "runtime/netlinkage.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/bridge.h"
#include "runtime/netkeeper.h"
#include "runtime/netstore.h"

enum { SHORT_ID_LEN = 12 };

char *netlinkage_names(const struct net_plan *plan, const char *id, const char *name,
	const struct netmode_link *link)
{
	const char *addrs[] = { plan->guest_text, plan->ipv6 ? plan->guest6_text : NULL };
	auto_buf b = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(addrs) && addrs[i]; i++) {
		r = buf_printf(&b, "%s %s", addrs[i], name);
		for (size_t k = 0; r >= 0 && k < link->n_aliases; k++)
			r = buf_printf(&b, " %s", link->aliases[k]);
		if (r >= 0)
			r = buf_printf(&b, " %.*s\n", SHORT_ID_LEN, id);
	}
	return r < 0 ? NULL : buf_take(&b);
}

/* From the definition of this moment: whose addresses are used was written there. */
static int hold_lease(
	const struct netlinkage *l, int store_fd, struct net_def *ret, struct err *err)
{
	auto_netstore store = NETSTORE_INIT;
	struct net_lease *lease;
	int r;

	r = netstore_open(&store, store_fd, err);
	if (r >= 0)
		r = netstore_read(&store, l->network, ret, err);
	if (r < 0)
		return r;
	lease = ipam_find(ret, l->id);
	if (!lease)
		return err_say(err, -ENOENT, "network '%s': the address is gone", l->network);
	r = proc_id_of(l->pid, &lease->holder);
	if (r < 0)
		return err_set(err, r, "cannot see the container's process");
	return netstore_write(&store, ret, err);
}

int netlinkage_start(const struct netlinkage *l, int store_fd, int rundir_fd, struct err *err)
{
	struct bridge_guest guest = { .netns_fd = l->netns_fd,
		.id = l->id,
		.ifname = l->ifname ? l->ifname : "",
		.plan = l->plan };
	const struct netkeeper_member member = { l->id, l->pidfd, l->names };
	auto_netdef def = { 0 };
	auto_fd net = -1;
	int r;

	memcpy(guest.mac, l->mac, sizeof(guest.mac));
	r = hold_lease(l, store_fd, &def, err);
	if (r >= 0)
		r = netkeeper_join(rundir_fd, &def, &member, &net, err);
	if (r >= 0)
		r = bridge_connect(net, &guest, err);
	return r < 0 ? err_wrap(err, r, "network '%s'", l->network) : 0;
}

int netlinkage_stop(
	int store_fd, int rundir_fd, const char *network, const char *id, struct err *err)
{
	auto_fd net = -1;
	int r;

	r = netkeeper_leave(rundir_fd, network, id, &net, err);
	if (r >= 0)
		r = bridge_disconnect(net, id, err);
	netlinkage_release(store_fd, network, id);
	return r < 0 ? err_wrap(err, r, "network '%s'", network) : 0;
}

int netlinkage_exists(int store_fd, const char *network, const char *id)
{
	auto_netstore store = NETSTORE_INIT;
	const struct net_lease *lease;
	auto_netdef def = { 0 };
	int r;

	r = netstore_open(&store, store_fd, NULL);
	if (r >= 0)
		r = netstore_read(&store, network, &def, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r; /* who joins it says that there is none */
	lease = ipam_find(&def, id);
	return lease && netstore_is_alive(&lease->holder);
}

void netlinkage_release(int store_fd, const char *network, const char *id)
{
	auto_netstore store = NETSTORE_INIT;
	auto_netdef def = { 0 };
	struct err err = ERR_INIT;
	int r;

	r = netstore_open(&store, store_fd, &err);
	if (r >= 0)
		r = netstore_read(&store, network, &def, &err);
	if (r >= 0 && ipam_find(&def, id)) {
		ipam_release(&def, id);
		r = netstore_write(&store, &def, &err);
	}
	if (r < 0 && r != -ENOENT)
		log_warning("network", "%s", err.text);
}
