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

/* ---- named networks ---- */

static int set_link(struct netmode_link *l, const char *key, const char *value, struct err *err)
{
	if (str_eq(key, "ip"))
		l->ip = value;
	else if (str_eq(key, "mac"))
		l->mac = value;
	else if (str_eq(key, "interface_name"))
		l->ifname = value;
	else if (!str_eq(key, "alias"))
		return err_say(err, -EINVAL, "unknown network option '%s'", key);
	else if (l->n_aliases == LIMIT_NETMODE_ALIASES)
		return err_say(err, -E2BIG, "network '%s': more than %d aliases", l->name,
			LIMIT_NETMODE_ALIASES);
	else
		l->aliases[l->n_aliases++] = value;
	return 0;
}

/* What would not survive a line of names, or be no name of an interface */
static int check_link(const struct netmode_link *l, struct err *err)
{
	struct net_slirp_opts opts = NET_SLIRP_OPTS_INIT;
	struct net_plan plan;

	opts.tapname = l->ifname;
	opts.mac = l->mac;
	for (size_t i = 0; i < l->n_aliases; i++)
		if (!l->aliases[i][0] || strlen(l->aliases[i]) > LIMIT_NET_NAME ||
			strspn(l->aliases[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					      "0123456789_.-") != strlen(l->aliases[i]))
			return err_say(err, -EINVAL, "'%.80s' is no name of a host", l->aliases[i]);
	return net_plan_make(&opts, &plan, err);
}

static int parse_link(struct netmode_link *l, char *text, struct err *err)
{
	char *rest = strchr(text, ':'), *word;
	int r;

	if (rest)
		*rest++ = '\0';
	l->name = text;
	r = netdef_check_name(text, err);
	while (r >= 0 && rest && (word = strsep(&rest, ","))) {
		char *eq = strchr(word, '=');

		if (!eq)
			return err_say(err, -EINVAL, "network option '%s' has no value", word);
		*eq = '\0';
		r = set_link(l, word, eq + 1, err);
	}
	return r < 0 ? r : check_link(l, err);
}

static int parse_links(struct netmode *m, struct err *err)
{
	char *rest = m->text, *word;
	int r = 0;

	m->kind = NETMODE_NAMED;
	while (r >= 0 && (word = strsep(&rest, "+"))) {
		if (m->n_links == LIMIT_NETMODE_LINKS)
			return err_say(err, -E2BIG, "more than %d networks", LIMIT_NETMODE_LINKS);
		r = parse_link(&m->links[m->n_links++], word, err);
		for (size_t i = 0; r >= 0 && i + 1 < m->n_links; i++)
			if (str_eq(m->links[i].name, word))
				r = err_say(err, -EINVAL, "network '%s' is given twice", word);
	}
	return r;
}

/* ---- all ---- */

static const struct {
	const char *word;
	enum netmode_kind kind;
	enum { NOTHING, OPTIONS, TARGET } behind;
} words[] = {
	{ "none", NETMODE_NONE, NOTHING },
	{ "host", NETMODE_HOST, NOTHING },
	{ "slirp", NETMODE_SLIRP, OPTIONS },
	{ "slirp4netns", NETMODE_SLIRP, OPTIONS },
	{ "ns", NETMODE_NS, TARGET },
	{ "container", NETMODE_CONTAINER, TARGET },
};

/* Words of others who read the same option: no network has such a name. */
static const struct {
	const char *word, *instead;
} others[] = {
	{ "bridge", "'lamina network create NAME', then '--network NAME'" },
	{ "default", "'--network slirp', which is the default" },
	{ "pasta", "'--network slirp', whose published ports show the client as well" },
	{ "private", "'--network slirp', which is the default" },
};

bool netmode_is_word(const char *name)
{
	bool is_word = false;

	for (size_t i = 0; !is_word && i < ARRAY_SIZE(words); i++)
		is_word = str_eq(name, words[i].word);
	for (size_t i = 0; !is_word && i < ARRAY_SIZE(others); i++)
		is_word = str_eq(name, others[i].word);
	return is_word;
}

static bool is_first_word(const char *text, const char *word)
{
	size_t len = strcspn(text, ":+");

	return strlen(word) == len && memcmp(word, text, len) == 0;
}

static int parse_word(struct netmode *m, struct err *err)
{
	size_t len = strcspn(m->text, ":+"), i = 0;
	char *behind = m->text[len] == ':' ? m->text + len + 1 : NULL;

	while (i < ARRAY_SIZE(words) && !is_first_word(m->text, words[i].word))
		i++;
	for (size_t k = 0; i == ARRAY_SIZE(words) && k < ARRAY_SIZE(others); k++)
		if (is_first_word(m->text, others[k].word)) {
			err_say(err, -EINVAL, "there is no network '%s'", others[k].word);
			return err_hint(err, -EINVAL, "use %s", others[k].instead);
		}
	if (i == ARRAY_SIZE(words))
		return parse_links(m, err);
	m->kind = words[i].kind;
	if (m->text[len] == '+')
		return err_say(err, -EINVAL, "network '%s' stands alone", words[i].word);
	if (words[i].behind == NOTHING && behind)
		return err_say(err, -EINVAL, "network '%s' has no options", words[i].word);
	if (words[i].behind == TARGET && (!behind || !*behind))
		return err_say(err, -EINVAL, "network '%s:' needs a word behind it", words[i].word);
	m->target = behind;
	return words[i].behind == OPTIONS && behind ? parse_options(m, behind, err) : 0;
}

int netmode_parse(const char *text, struct netmode *ret, struct err *err)
{
	struct netmode m = { .kind = NETMODE_SLIRP, .slirp = NET_SLIRP_OPTS_INIT };
	int r;

	m.text = strdup(text ? text : "slirp");
	if (!m.text)
		return err_set(err, -ENOMEM, "network");
	r = parse_word(&m, err);
	if (r < 0)
		netmode_done(&m);
	else
		*ret = m;
	return r;
}

static int add_option(struct buf *b, bool *first, const char *key, const char *value)
{
	int r = buf_printf(b, "%s%s=%s", *first ? ":" : ",", key, value);

	*first = false;
	return r;
}

char *netmode_join(const struct strv *networks, const char *ip, const char *mac,
	const struct strv *aliases, struct err *err)
{
	auto_buf b = { 0 };
	bool first = networks->n == 0 || !strchr(networks->v[0], ':');
	int r;

	if ((ip || mac || aliases->n) && networks->n == 0) {
		err_say(err, -EINVAL,
			"--ip, --mac-address and --network-alias need --network NAME");
		return NULL;
	}
	r = buf_add_str(&b, networks->n ? networks->v[0] : "slirp");
	if (r >= 0 && ip)
		r = add_option(&b, &first, "ip", ip);
	if (r >= 0 && mac)
		r = add_option(&b, &first, "mac", mac);
	for (size_t i = 0; r >= 0 && i < aliases->n; i++)
		r = add_option(&b, &first, "alias", aliases->v[i]);
	for (size_t i = 1; r >= 0 && i < networks->n; i++)
		r = buf_printf(&b, "+%s", networks->v[i]);
	if (r < 0) {
		err_set(err, r, "networks");
		return NULL;
	}
	return buf_take(&b);
}

/* Return: @b's text if it is one of networks, taken; NULL with a text in @err. */
static char *take_networks(struct buf *b, int r, struct err *err)
{
	struct netmode m;

	if (r < 0) {
		err_set(err, r, "networks");
		return NULL;
	}
	r = netmode_parse(b->data, &m, err);
	if (r < 0)
		return NULL;
	netmode_done(&m);
	return buf_take(b);
}

char *netmode_with(const char *text, const char *link, struct err *err)
{
	auto_buf b = { 0 };
	struct netmode m;
	bool named;

	if (netmode_parse(text, &m, err) < 0)
		return NULL;
	named = m.kind == NETMODE_NAMED;
	netmode_done(&m);
	if (!named) {
		err_say(err, -EINVAL, "its network is '%.64s', which stands alone",
			text ? text : "slirp");
		return NULL;
	}
	return take_networks(&b, buf_printf(&b, "%s+%s", text, link), err);
}

char *netmode_without(const char *text, const char *name, struct err *err)
{
	auto_buf b = { 0 };
	bool found = false;
	int r = 0;

	for (const char *at = text ? text : "slirp"; *at && r >= 0;) {
		size_t len = strcspn(at, "+");

		if (is_first_word(at, name))
			found = true;
		else
			r = buf_printf(&b, "%s%.*s", b.len ? "+" : "", (int)len, at);
		at += len + (at[len] == '+');
	}
	if (!found || (r >= 0 && b.len == 0)) {
		err_say(err, -ENOENT,
			found ? "'%s' is its only network" : "it is not in network '%s'", name);
		return NULL;
	}
	return take_networks(&b, r, err);
}

void netmode_done(struct netmode *m)
{
	free(m->text);
	free(m->dns);
	memset(m, 0, sizeof(*m));
}
