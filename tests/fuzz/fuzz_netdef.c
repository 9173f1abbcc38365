/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of networks, and words of --network: what is taken is whole, and comes back equal. */
#include "runtime/netdef.h"
#include "runtime/netmode.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

static void try_def(const char *text, size_t len)
{
	auto_netdef d = { 0 }, back = { 0 };
	auto_buf dump = { 0 };
	struct net_plan plan;

	if (netdef_parse(text, len, &d, NULL) < 0)
		return;
	assert(netdef_plan(&d, &plan, NULL) == 0 && d.n_leases <= LIMIT_NET_LEASES);
	assert(netdef_dump(&d, &dump) == 0);
	assert(netdef_parse(dump.data, dump.len, &back, NULL) == 0);
	assert(back.n_leases == d.n_leases && str_eq(back.cidr, d.cidr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_free char *text = strndup((const char *)data, len);
	struct netmode mode;

	if (!text)
		return 0;
	try_def((const char *)data, len);
	if (netmode_parse(text, &mode, NULL) < 0)
		return 0;
	assert(mode.kind < NETMODE_MAX_ && mode.n_links <= LIMIT_NETMODE_LINKS);
	assert(mode.kind != NETMODE_NAMED || mode.n_links > 0);
	for (size_t i = 0; i < mode.n_links; i++)
		assert(netdef_check_name(mode.links[i].name, NULL) == 0);
	netmode_done(&mode);
	return 0;
}
