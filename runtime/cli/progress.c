/* SPDX-License-Identifier: Apache-2.0 */
/* What a pull shows while it runs (the contract is in the header). */
#include "runtime/cli/progress.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_MS	    100
#define SHORT_HEX   12
#define BAR_COLUMNS 24
#define MIN_COLUMNS 40

struct progress {
	FILE *out;
	bool is_terminal;
	unsigned int n_drawn; /* lines of the block on the screen */
	enum pull_state *states; /* as they were said last */
	uint32_t n_states;
};

static const char *const words[] = {
	[PULL_WAITING] = "waiting",
	[PULL_SHARED] = "another pull brings it",
	[PULL_RUNNING] = "downloading",
	[PULL_PRESENT] = "in the store",
	[PULL_DONE] = "done",
};

struct progress *progress_new(FILE *out)
{
	struct progress *p = calloc(1, sizeof(*p));
	const char *term = getenv("TERM");

	if (!p)
		return NULL;
	p->out = out;
	p->is_terminal = isatty(fileno(out)) && term && !str_eq(term, "dumb");
	return p;
}

unsigned int progress_tick_ms(const struct progress *p)
{
	return p && p->is_terminal ? TICK_MS : 0;
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

void progress_format(const struct pull_layer *l, size_t width, char *ret)
{
	char digest[DIGEST_TEXT_BYTES], size[PROGRESS_BYTES_BYTES], done[PROGRESS_BYTES_BYTES];
	char bar[BAR_COLUMNS + 1];

	digest_text(&l->digest, digest);
	progress_bytes(l->size, size);
	if (l->state != PULL_RUNNING) {
		snprintf(ret, width + 1, "%.*s  %s%s%s%s", SHORT_HEX, digest_hex(digest),
			words[l->state], l->state == PULL_DONE ? " (" : "",
			l->state == PULL_DONE ? size : "", l->state == PULL_DONE ? ")" : "");
		return;
	}
	progress_bytes(l->done, done);
	format_bar(l, bar);
	snprintf(ret, width + 1, "%.*s  [%s]  %s / %s", SHORT_HEX, digest_hex(digest), bar, done,
		size);
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
		progress_format(&st->layers[i], columns - 1, line);
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

/* One line for each change of state that says something. */
static void tell(struct progress *p, const struct pull_status *st)
{
	char line[121];

	if (p->n_states != st->n_layers) {
		free(p->states);
		p->states = calloc(st->n_layers + 1, sizeof(*p->states));
		p->n_states = p->states ? st->n_layers : 0;
	}
	for (uint32_t i = 0; i < p->n_states; i++) {
		struct pull_layer l = st->layers[i];

		if (l.state == p->states[i])
			continue;
		p->states[i] = l.state;
		if (l.state == PULL_RUNNING) {
			char digest[DIGEST_TEXT_BYTES], size[PROGRESS_BYTES_BYTES];

			digest_text(&l.digest, digest);
			progress_bytes(l.size, size);
			fprintf(p->out, "%.*s  downloading %s\n", SHORT_HEX, digest_hex(digest),
				size);
			continue;
		}
		progress_format(&l, sizeof(line) - 1, line);
		fprintf(p->out, "%s\n", line);
	}
	fflush(p->out);
}

void progress_show(void *ctx, const struct pull_status *st)
{
	struct progress *p = ctx;

	if (!p)
		return;
	if (p->is_terminal)
		draw(p, st);
	else
		tell(p, st);
}

void progress_line(struct progress *p, const char *text)
{
	if (!p)
		return;
	if (p->is_terminal)
		erase(p);
	fprintf(p->out, "%s\n", text);
	fflush(p->out);
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	free(p->states);
	free(p);
}
