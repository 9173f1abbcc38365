/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * DNS messages, as far as a forwarder must understand them.  Pure.
 *
 * Every byte comes from an enemy: the container asks, anybody answers.
 *
 * Spec: RFC 1035 section 4, RFC 6891 (EDNS), RFC 9619 (one question)
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name on the wire: labels and the root, RFC 1035 2.3.4. */
#define LIMIT_DNS_NAME 255
/* A message, with TCP; and what a question may be long, with all of EDNS's options. */
#define LIMIT_DNS_MESSAGE 65535
#define LIMIT_DNS_QUERY	  4096

enum { DNS_HEADER_LEN = 12 };
enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_ANY = 255 };
enum dns_rcode {
	DNS_NOERROR,
	DNS_FORMERR,
	DNS_SERVFAIL,
	DNS_NXDOMAIN,
	DNS_NOTIMP,
	DNS_REFUSED,
};

struct dns_name {
	uint8_t wire[LIMIT_DNS_NAME]; /* lower case, uncompressed, with the root */
	size_t len;
};

struct dns_question {
	uint16_t id, flags, type, klass;
	struct dns_name name;
	size_t end; /* of the question in the message; 0: there is none to repeat */
};

/**
 * dns_parse_query() - what is asked
 * @msg: @len bytes, any content
 * @ret: id and flags are set unless the answer is -EBADMSG
 *
 * Return: 0; -EBADMSG: not a query, to be dropped in silence; -EOPNOTSUPP: another opcode,
 * answered by DNS_NOTIMP; -EINVAL: not exactly one whole question, answered by DNS_FORMERR.
 */
int dns_parse_query(const uint8_t *msg, size_t len, struct dns_question *ret);

/**
 * dns_is_answer() - whether a message answers a question that was asked under @id
 *
 * The id, the question's name (in any case), type and class must be those that were asked.
 */
bool dns_is_answer(const struct dns_question *q, uint16_t id, const uint8_t *msg, size_t len);

/** dns_rcode_of() - of an answer, which is at least a header long */
enum dns_rcode dns_rcode_of(const uint8_t *msg);

/** dns_set_id() - of a message, which is at least a header long */
void dns_set_id(uint8_t *msg, uint16_t id);

/** dns_name_from_text() - "web.example" in the form of the wire; 0 or -EINVAL */
int dns_name_from_text(const char *text, struct dns_name *ret);

/** dns_name_of_address() - the name whose PTR record names an address
 * @family: AF_INET or AF_INET6
 * @addr:   4 or 16 bytes
 */
void dns_name_of_address(int family, const void *addr, struct dns_name *ret);

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

/* An answer that is written here. */
struct dns_reply {
	uint8_t msg[2048];
	size_t len;
};

/**
 * dns_reply_begin() - header and question
 * @query: the message that @q was parsed from
 */
void dns_reply_begin(struct dns_reply *r, const uint8_t *query, const struct dns_question *q,
	enum dns_rcode rcode);

/** dns_reply_add() - one record for the name that was asked; 0, or -ENOSPC */
int dns_reply_add(struct dns_reply *r, enum dns_type type, const void *data, size_t len);
