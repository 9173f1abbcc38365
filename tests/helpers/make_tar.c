/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives in memory. */
#include "tests/helpers/make_tar.h"

static void add(struct buf *tar, const void *data, size_t len)
{
	if (buf_add(tar, data, len) < 0)
		abort();
}

static void pad(struct buf *tar)
{
	static const char zeros[512];

	add(tar, zeros, (512 - tar->len % 512) % 512);
}

static void put_octal(uint8_t *p, size_t len, uint64_t v)
{
	p[len - 1] = '\0';
	for (size_t i = len - 1; i-- > 0; v >>= 3)
		p[i] = (uint8_t)('0' + (v & 7));
}

void make_tar_fix(uint8_t *b)
{
	unsigned int sum = 0;

	memset(b + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += b[i];
	put_octal(b + 148, 7, sum);
	b[155] = ' ';
}

uint8_t *make_tar_block(struct buf *tar, const char *name, char type, uint64_t size)
{
	uint8_t b[512] = { 0 };

	memcpy(b, name, strnlen(name, 100));
	put_octal(b + 100, 8, 0644);
	put_octal(b + 108, 8, 0);
	put_octal(b + 116, 8, 0);
	put_octal(b + 124, 12, size);
	put_octal(b + 136, 12, 0);
	b[156] = (uint8_t)type;
	memcpy(b + 257, "ustar\00000", 8);
	make_tar_fix(b);
	add(tar, b, sizeof(b));
	return (uint8_t *)tar->data + tar->len - 512;
}

void make_tar_raw(struct buf *tar, char type, const void *body, size_t len)
{
	(void)make_tar_block(tar, "extended", type, len);
	add(tar, body, len);
	pad(tar);
}

void make_tar_pax(struct buf *tar, char type, const char *records)
{
	auto_buf body = { 0 };

	while (*records) {
		const char *end = strchr(records, '\n') + 1;
		size_t len = (size_t)(end - records), total = len + 2, digits;

		/* The length counts its own digits. */
		do {
			digits = (size_t)snprintf(NULL, 0, "%zu", total);
			total = len + 1 + digits;
		} while ((size_t)snprintf(NULL, 0, "%zu", total) != digits);
		if (buf_printf(&body, "%zu ", total) < 0)
			abort();
		add(&body, records, len);
		records = end;
	}
	make_tar_raw(tar, type, body.data ? body.data : "", body.len);
}

void make_tar_add(struct buf *tar, const struct tar_entry *e)
{
	size_t len = e->len ? e->len : e->data ? strlen(e->data) : 0;
	uint8_t *b;

	if (e->pax)
		make_tar_pax(tar, 'x', e->pax);
	b = make_tar_block(tar, e->name, e->type ? e->type : '0', len);
	put_octal(b + 100, 8, e->mode ? e->mode : 0644);
	put_octal(b + 108, 8, e->uid);
	put_octal(b + 116, 8, e->gid);
	put_octal(b + 136, 12, (uint64_t)e->mtime);
	if (e->link)
		memcpy(b + 157, e->link, strnlen(e->link, 100));
	make_tar_fix(b);
	if (len)
		add(tar, e->data, len);
	pad(tar);
}

void make_tar_end(struct buf *tar)
{
	static const char zeros[1024];

	add(tar, zeros, sizeof(zeros));
}
