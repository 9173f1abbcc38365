/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Names that a network's own DNS answers: its containers'.  Pure.
 *
 * They are told as a text like /etc/hosts: an address, then the names it has.  A name may have
 * several addresses of both families; the first name of an address is what PTR says.
 */

#include "runtime/dns_msg.h"

/* A network has at most so many pairs of a name and an address. */
#define LIMIT_DNS_NAMES 8192
/* Addresses in one answer: it stays below the 512 bytes that every client takes. */
#define LIMIT_DNS_ADDRESSES 16

struct dns_names {
	struct dns_names_entry *v; /* owned */
	size_t n, room;
};

/**
 * dns_names_parse() - the table that a text tells
 * @text: @len bytes, any content; lines and words that make no sense are skipped
 * @ret:  ended with dns_names_done()
 * Return: 0; -E2BIG above LIMIT_DNS_NAMES; -ENOMEM.
 */
int dns_names_parse(const char *text, size_t len, struct dns_names *ret);

void dns_names_done(struct dns_names *names);

/**
 * dns_names_answer() - answer a question about one of the names
 * @query: the message that @q was parsed from
 *
 * For a name without an address of the family that is asked for there is an answer, too: none.
 *
 * Return: true and @ret, or false: somebody else may know the name.
 */
bool dns_names_answer(const struct dns_names *names, const uint8_t *query,
	const struct dns_question *q, struct dns_reply *ret);
