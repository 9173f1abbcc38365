/* SPDX-License-Identifier: Apache-2.0 */
/* The DNS server that containers see (the contract is in the header). */
#include "runtime/dns.h"

#include "runtime/dns_forward.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

enum { PORT_DNS = 53, UDP_LEN = 8 };
/* What fits into one IP packet behind the headers */
enum { LIMIT_DNS_UDP = 65535 - 20 - UDP_LEN };

struct dns {
	struct dns_opts opts;
	struct dns_names names;
	struct dns_tcp *tcp;
	struct dns_forward *forward;
	int64_t now_ms;
	uint16_t ip_id;
	uint8_t out[LIMIT_NET_FRAME];
};

static void send_udp(struct dns *dns, const struct dns_client *to, const uint8_t *msg, size_t len)
{
	size_t at;
	uint8_t *udp;

	if (len > LIMIT_DNS_UDP)
		return;
	at = net_path_begin(&to->path, IPPROTO_UDP, UDP_LEN + len, dns->ip_id++, dns->out);
	udp = dns->out + at;
	net_put16(udp, PORT_DNS);
	memcpy(udp + 2, &to->port, 2);
	net_put16(udp + 4, (uint16_t)(UDP_LEN + len));
	memcpy(udp + UDP_LEN, msg, len);
	net_path_finish(&to->path, IPPROTO_UDP, UDP_LEN + len, dns->out);
	dns->opts.send(dns->opts.send_ctx, dns->out, at + UDP_LEN + len);
}

static void answer(void *ctx, const struct dns_client *to, uint8_t *msg, size_t len)
{
	struct dns *dns = ctx;

	if (to->is_tcp)
		dns_tcp_answer(dns->tcp, to->tcp, msg, len, dns->now_ms);
	else
		send_udp(dns, to, msg, len);
}

static void query(struct dns *dns, const struct dns_client *from, const uint8_t *msg, size_t len)
{
	struct dns_question q;
	struct dns_reply reply = { 0 };
	int r = len > LIMIT_DNS_QUERY ? -EBADMSG : dns_parse_query(msg, len, &q);

	if (r == 0 && !dns_names_answer(&dns->names, msg, &q, &reply)) {
		if (dns->opts.asked)
			dns->opts.asked(dns->opts.asked_ctx);
		dns_forward_query(dns->forward, from, msg, len, dns->now_ms);
		return;
	}
	if (r == -EINVAL)
		dns_reply_begin(&reply, msg, &q, DNS_FORMERR);
	else if (r == -EOPNOTSUPP)
		dns_reply_begin(&reply, msg, &q, DNS_NOTIMP);
	if (reply.len || from->is_tcp)
		answer(dns, from, reply.msg, reply.len);
}

static void tcp_send(void *ctx, uint8_t *frame, size_t len)
{
	struct dns *dns = ctx;

	dns->opts.send(dns->opts.send_ctx, frame, len);
}

static void tcp_query(void *ctx, struct dns_tcp_id id, const uint8_t *msg, size_t len)
{
	const struct dns_client from = { .is_tcp = true, .tcp = id };

	query(ctx, &from, msg, len);
}

struct dns *dns_new(const struct dns_opts *opts)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	struct dns_tcp_opts tcp = {
		.mtu = opts->mtu, .send = tcp_send, .query = tcp_query, .ctx = dns
	};
	struct dns_forward_opts forward = { .poll = opts->poll, .answer = answer, .ctx = dns };

	if (!dns)
		return NULL;
	dns->opts = *opts;
	dns->tcp = dns_tcp_new(&tcp);
	dns->forward = dns_forward_new(&forward);
	if (!dns->tcp || !dns->forward || dns_set_servers(dns, "", 0) < 0) {
		dns_free(dns);
		return NULL;
	}
	return dns;
}

void dns_free(struct dns *dns)
{
	if (!dns)
		return;
	dns_forward_free(dns->forward);
	dns_tcp_free(dns->tcp);
	dns_names_done(&dns->names);
	free(dns);
}

int dns_set_servers(struct dns *dns, const char *resolv, size_t len)
{
	return dns_forward_set_servers(dns->forward, resolv, len);
}

int dns_set_names(struct dns *dns, const char *hosts, size_t len)
{
	struct dns_names names;
	int r = dns_names_parse(hosts, len, &names);

	if (r < 0)
		return r;
	dns_names_done(&dns->names);
	dns->names = names;
	return 0;
}

void dns_input(struct dns *dns, const uint8_t *frame, const struct net_pkt *p, int64_t now_ms)
{
	struct dns_client from = { .is_tcp = false };
	const uint8_t *udp = frame + p->l4;
	size_t len;

	dns->now_ms = now_ms;
	if (p->fragment)
		return;
	if (net_pkt_has_tcp(frame, p)) {
		dns_tcp_input(dns->tcp, frame, p, now_ms);
		return;
	}
	if (!net_pkt_has_udp(p))
		return;
	len = net_get16(udp + 4);
	if (len < UDP_LEN || len > p->end - p->l4)
		return;
	net_path_back(frame, p, &from.path);
	memcpy(&from.port, udp, 2);
	query(dns, &from, udp + UDP_LEN, len - UDP_LEN);
}

int64_t dns_tick(struct dns *dns, int64_t now_ms)
{
	int64_t forward, tcp;

	dns->now_ms = now_ms;
	forward = dns_forward_tick(dns->forward, now_ms);
	tcp = dns_tcp_tick(dns->tcp, now_ms);
	return forward < tcp ? forward : tcp;
}
