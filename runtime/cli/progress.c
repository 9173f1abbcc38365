/* SPDX-License-Identifier: Apache-2.0 */
/* What a transfer shows while it runs (the contract is in the header). */
#include "runtime/cli/progress.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS	     100
#define JSON_TICK_MS 500
#define SHORT_HEX    12
#define BAR_COLUMNS  20
#define MIN_COLUMNS  40
#define RATE_MS	     2000 /* over which a rate is measured */

/* What was shown of a layer last. */
struct shown {
	enum pull_state state;
	uint64_t done;
	uint64_t mark_done; /* bytes at @mark_ms */
	int64_t mark_ms;
	uint64_t rate; /* bytes a second */
};

struct progress {
	FILE *out;
	bool is_terminal, is_json;
	unsigned int n_drawn; /* lines of the block on the screen */
	struct shown *shown;
	uint32_t n_shown;
};

static const char *const words[] = {
	[PULL_WAITING] = "waiting",
	[PULL_SHARED] = "another process brings it",
	[PULL_RUNNING] = NULL, /* the status says what is done */
	[PULL_PRESENT] = "there already",
	[PULL_DONE] = "done",
};

struct progress *progress_new(FILE *out, enum progress_form form)
{
	struct progress *p = calloc(1, sizeof(*p));
	const char *term = getenv("TERM");

	if (!p)
		return NULL;
	p->out = out;
	p->is_json = form == PROGRESS_JSON;
	p->is_terminal =
		form == PROGRESS_AUTO && isatty(fileno(out)) && term && !str_eq(term, "dumb");
	return p;
}

unsigned int progress_tick_ms(const struct progress *p)
{
	if (!p)
		return 0;
	return p->is_json ? JSON_TICK_MS : p->is_terminal ? TICK_MS : 0;
}

void progress_bytes(uint64_t n, char ret[static PROGRESS_BYTES_BYTES])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)n;
	size_t u = 0;

	while (v >= 999.5 && u + 1 < ARRAY_SIZE(units)) {
		v /= 1000;
		u++;
	}
	snprintf(ret, PROGRESS_BYTES_BYTES, u == 0 || v >= 99.95 ? "%.0f %s" : "%.1f %s", v,
		units[u]);
}

static void format_bar(const struct pull_layer *l, char *ret)
{
	uint64_t done = l->done < l->size ? l->done : l->size;
	size_t full = l->size ? (size_t)((double)done / (double)l->size * BAR_COLUMNS) : 0;

	for (size_t i = 0; i < BAR_COLUMNS; i++)
		ret[i] = i < full ? '=' : i == full ? '>' : ' ';
	ret[BAR_COLUMNS] = '\0';
}

/* "2:05" for what is left at @rate; "" if that is not known. */
static void format_eta(const struct pull_layer *l, uint64_t rate, char *ret, size_t room)
{
	uint64_t s;

	ret[0] = '\0';
	if (rate == 0 || l->done >= l->size)
		return;
	s = (l->size - l->done + rate - 1) / rate;
	if (s >= 100 * 3600)
		return;
	if (s >= 3600)
		snprintf(ret, room, "%u:%02u:%02u", (unsigned int)(s / 3600),
			(unsigned int)(s / 60 % 60), (unsigned int)(s % 60));
	else
		snprintf(ret, room, "%u:%02u", (unsigned int)(s / 60), (unsigned int)(s % 60));
}

void progress_format(
	const struct pull_layer *l, const char *doing, uint64_t rate, size_t width, char *ret)
{
	char digest[DIGEST_TEXT_BYTES], size[PROGRESS_BYTES_BYTES], done[PROGRESS_BYTES_BYTES];
	char speed[PROGRESS_BYTES_BYTES], eta[24], bar[BAR_COLUMNS + 1];

	digest_text(&l->digest, digest);
	progress_bytes(l->size, size);
	if (l->state != PULL_RUNNING) {
		snprintf(ret, width + 1, "%.*s  %s%s%s%s", SHORT_HEX, digest_hex(digest),
			words[l->state], l->state == PULL_DONE ? " (" : "",
			l->state == PULL_DONE ? size : "", l->state == PULL_DONE ? ")" : "");
		return;
	}
	progress_bytes(l->done, done);
	progress_bytes(rate, speed);
	format_eta(l, rate, eta, sizeof(eta));
	format_bar(l, bar);
	snprintf(ret, width + 1, "%.*s  %s [%s]  %s / %s%s%s%s%s%s", SHORT_HEX, digest_hex(digest),
		doing, bar, done, size, rate ? "  " : "", rate ? speed : "", rate ? "/s" : "",
		eta[0] ? "  " : "", eta);
}

static void screen_size(FILE *out, size_t *columns, size_t *rows)
{
	struct winsize ws;

	*columns = 80;
	*rows = 24;
	if (ioctl(fileno(out), TIOCGWINSZ, &ws) == 0 && ws.ws_col && ws.ws_row) {
		*columns = ws.ws_col;
		*rows = ws.ws_row;
	}
	if (*columns < MIN_COLUMNS)
		*columns = MIN_COLUMNS;
	if (*columns > 200)
		*columns = 200;
}

static void erase(struct progress *p)
{
	if (p->n_drawn)
		fprintf(p->out, "\033[%uA\r\033[J", p->n_drawn);
	p->n_drawn = 0;
}

static void draw(struct progress *p, const struct pull_status *st)
{
	size_t columns, rows, room;
	uint32_t done = 0, shown = 0;
	char line[201];

	screen_size(p->out, &columns, &rows);
	room = rows > 4 ? rows - 3 : 1;
	for (uint32_t i = 0; i < st->n_layers; i++)
		done += st->layers[i].state >= PULL_PRESENT;
	erase(p);
	for (uint32_t i = 0; i < st->n_layers && shown < room; i++) {
		/* Where not all have room, those that move are worth it most. */
		if (st->n_layers > room && st->layers[i].state != PULL_RUNNING)
			continue;
		progress_format(&st->layers[i], st->doing, i < p->n_shown ? p->shown[i].rate : 0,
			columns - 1, line);
		fprintf(p->out, "%s\n", line);
		shown++;
	}
	p->n_drawn = shown;
	if (st->n_layers > room) {
		fprintf(p->out, "%u of %u layers\n", done, st->n_layers);
		p->n_drawn++;
	}
	fflush(p->out);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Have room for what is shown of each layer; another image begins anew. */
static void track(struct progress *p, const struct pull_status *st)
{
	int64_t now = now_ms();

	if (p->n_shown != st->n_layers) {
		free(p->shown);
		p->shown = calloc(st->n_layers + 1, sizeof(*p->shown));
		p->n_shown = p->shown ? st->n_layers : 0;
	}
	for (uint32_t i = 0; i < p->n_shown; i++) {
		struct shown *s = &p->shown[i];
		uint64_t done = st->layers[i].done;

		if (s->mark_ms == 0 || done < s->mark_done) {
			s->mark_ms = now;
			s->mark_done = done;
		} else if (now - s->mark_ms >= RATE_MS) {
			s->rate = (done - s->mark_done) * 1000 / (uint64_t)(now - s->mark_ms);
			s->mark_ms = now;
			s->mark_done = done;
		}
	}
}

/* One line for each change of state that says something. */
static void tell(struct progress *p, const struct pull_status *st)
{
	char line[121];

	for (uint32_t i = 0; i < p->n_shown; i++) {
		struct pull_layer l = st->layers[i];

		if (l.state == p->shown[i].state)
			continue;
		p->shown[i].state = l.state;
		if (l.state == PULL_RUNNING) {
			char digest[DIGEST_TEXT_BYTES], size[PROGRESS_BYTES_BYTES];

			digest_text(&l.digest, digest);
			progress_bytes(l.size, size);
			fprintf(p->out, "%.*s  %s %s\n", SHORT_HEX, digest_hex(digest), st->doing,
				size);
			continue;
		}
		progress_format(&l, st->doing, 0, sizeof(line) - 1, line);
		fprintf(p->out, "%s\n", line);
	}
	fflush(p->out);
}

/* @j is consumed. */
static void print_json_take(struct progress *p, json_t *j)
{
	auto_free char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	if (text)
		fprintf(p->out, "%s\n", text);
	fflush(p->out);
}

static void tell_json(struct progress *p, const struct pull_status *st)
{
	for (uint32_t i = 0; i < p->n_shown; i++) {
		const struct pull_layer *l = &st->layers[i];
		struct shown *s = &p->shown[i];
		char digest[DIGEST_TEXT_BYTES];

		if (l->state == s->state && l->done == s->done)
			continue;
		s->state = l->state;
		s->done = l->done;
		digest_text(&l->digest, digest);
		print_json_take(
			p, json_pack("{s:s, s:s, s:I, s:I}", "digest", digest, "state",
				   l->state == PULL_RUNNING ? st->doing : words[l->state], "done",
				   (json_int_t)l->done, "size", (json_int_t)l->size));
	}
}

void progress_show(void *ctx, const struct pull_status *st)
{
	struct progress *p = ctx;

	if (!p)
		return;
	track(p, st);
	if (p->is_json)
		tell_json(p, st);
	else if (p->is_terminal)
		draw(p, st);
	else
		tell(p, st);
}

void progress_line(struct progress *p, const char *text)
{
	if (!p)
		return;
	/* What comes next is another image. */
	p->n_shown = 0;
	if (p->is_json) {
		print_json_take(p, json_pack("{s:s}", "text", text));
		return;
	}
	if (p->is_terminal)
		erase(p);
	fprintf(p->out, "%s\n", text);
	fflush(p->out);
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	free(p->shown);
	free(p);
}
