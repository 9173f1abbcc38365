/* SPDX-License-Identifier: Apache-2.0 */
/* --network (the contract is in the header). */
#include "runtime/netmode.h"

#include "base/cleanup.h"
#include "base/str.h"

static int parse_bool(const char *key, const char *value, bool *ret, struct err *err)
{
	*ret = str_eq(value, "true");
	if (*ret || str_eq(value, "false"))
		return 0;
	return err_say(err, -EINVAL, "'%s=%s': true or false", key, value);
}

static int set_handler(struct netmode *m, const char *name, struct err *err)
{
	if (str_eq(name, "splice") || str_eq(name, "rootlesskit"))
		m->ports = NETMODE_PORTS_SPLICE;
	else if (str_eq(name, "slirp") || str_eq(name, "slirp4netns"))
		m->ports = NETMODE_PORTS_SLIRP;
	else
		return err_say(err, -EINVAL, "port handler '%s': splice or slirp", name);
	return 0;
}

static int set_option(struct netmode *m, const char *key, char *value, struct err *err)
{
	struct net_slirp_opts *o = &m->slirp;
	uint64_t n;

	if (str_eq(key, "allow_host_loopback"))
		return parse_bool(key, value, &o->allow_host_loopback, err);
	if (str_eq(key, "enable_ipv6"))
		return parse_bool(key, value, &o->enable_ipv6, err);
	if (str_eq(key, "disable_dns"))
		return parse_bool(key, value, &o->disable_dns, err);
	if (str_eq(key, "mtu")) {
		if (str_to_u64(value, NET_MTU_MAX, &n) < 0)
			return err_say(
				err, -EINVAL, "'mtu=%s': a number up to %d", value, NET_MTU_MAX);
		o->mtu = (unsigned int)n;
	} else if (str_eq(key, "cidr")) {
		o->cidr = value;
	} else if (str_eq(key, "outbound_addr")) {
		o->outbound_addr = value;
	} else if (str_eq(key, "outbound_addr6")) {
		o->outbound_addr6 = value;
	} else if (str_eq(key, "port_handler")) {
		return set_handler(m, value, err);
	} else if (str_eq(key, "dns")) {
		if (o->n_dns == LIMIT_NET_DNS)
			return err_say(
				err, -E2BIG, "network: more than %d DNS servers", LIMIT_NET_DNS);
		if (!m->dns)
			m->dns = calloc(LIMIT_NET_DNS, sizeof(*m->dns));
		if (!m->dns)
			return err_set(err, -ENOMEM, "network");
		o->dns = m->dns;
		m->dns[o->n_dns++] = value;
	} else {
		return err_say(err, -EINVAL, "unknown network option '%s'", key);
	}
	return 0;
}

static int parse_options(struct netmode *m, char *rest, struct err *err)
{
	char *word;

	while ((word = strsep(&rest, ","))) {
		char *eq = strchr(word, '=');
		int r;

		if (!eq)
			return err_say(err, -EINVAL, "network option '%s' has no value", word);
		*eq = '\0';
		r = set_option(m, word, eq + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int netmode_parse(const char *text, struct netmode *ret, struct err *err)
{
	struct netmode m = { .kind = NETMODE_SLIRP, .slirp = NET_SLIRP_OPTS_INIT };
	char *options;
	int r = 0;

	m.text = strdup(text ? text : "slirp");
	if (!m.text)
		return err_set(err, -ENOMEM, "network");
	options = strchr(m.text, ':');
	if (options)
		*options++ = '\0';
	if (str_eq(m.text, "none"))
		m.kind = NETMODE_NONE;
	else if (str_eq(m.text, "host"))
		m.kind = NETMODE_HOST;
	else if (!str_eq(m.text, "slirp") && !str_eq(m.text, "slirp4netns"))
		r = err_say(err, -EINVAL, "unknown network '%s': none, host or slirp", m.text);
	if (r == 0 && options && m.kind != NETMODE_SLIRP)
		r = err_say(err, -EINVAL, "network '%s' has no options", m.text);
	if (r == 0 && options)
		r = parse_options(&m, options, err);
	if (r < 0)
		netmode_done(&m);
	else
		*ret = m;
	return r;
}

void netmode_done(struct netmode *m)
{
	free(m->text);
	free(m->dns);
	memset(m, 0, sizeof(*m));
}
