/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relay between two terminals
 *
 * The master is non-blocking.  The user's side is not: its file description may be shared with a
 * shell, so O_NONBLOCK would leak into it; poll says when it can be read, and a blocking write of
 * output is what flow control (^S) means.  A slow container stops input from being read, never the
 * other way round.
 *
 * Invariant: whatever ends the relay, tty_done() gives the terminal the mode it had.
 */
#include "runtime/tty.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

void tty_init(struct tty *t, int in_fd, int out_fd)
{
	memset(t, 0, sizeof(*t));
	t->in_fd = in_fd;
	t->out_fd = out_fd;
	t->master_fd = t->raw_fd = -1;
}

/* Any of the standard streams may be the terminal. */
static int terminal_of(const struct tty *t)
{
	if (t->in_fd >= 0 && isatty(t->in_fd))
		return t->in_fd;
	return isatty(t->out_fd) ? t->out_fd : -1;
}

void tty_resize(const struct tty *t)
{
	int fd = terminal_of(t);
	struct winsize ws;

	if (fd >= 0 && t->master_fd >= 0 && ioctl(fd, TIOCGWINSZ, &ws) == 0)
		(void)ioctl(t->master_fd, TIOCSWINSZ, &ws);
}

static int make_raw(struct tty *t)
{
	struct termios raw;

	if (t->in_fd < 0 || !isatty(t->in_fd))
		return 0;
	if (tcgetattr(t->in_fd, &t->saved) < 0)
		return -errno;
	raw = t->saved;
	cfmakeraw(&raw);
	if (tcsetattr(t->in_fd, TCSANOW, &raw) < 0)
		return -errno;
	t->raw_fd = t->in_fd;
	return 0;
}

int tty_attach(struct tty *t, int master_fd, struct err *err)
{
	int r;

	t->master_fd = master_fd;
	if (fcntl(master_fd, F_SETFL, fcntl(master_fd, F_GETFL) | O_NONBLOCK) < 0)
		return err_set(err, -errno, "cannot prepare the container's terminal");
	tty_resize(t);
	r = make_raw(t);
	return r < 0 ? err_set(err, r, "cannot prepare the terminal") : 0;
}

/* Read into an empty buffer: false at the end of the source. */
static bool pipe_read(struct tty_pipe *p, int fd)
{
	ssize_t n = read(fd, p->data, sizeof(p->data));

	if (n > 0) {
		p->off = 0;
		p->len = (size_t)n;
		return true;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Write what is there: false if nobody will ever take it. */
static bool pipe_write(struct tty_pipe *p, int fd)
{
	ssize_t n = write(fd, p->data + p->off, p->len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	p->off += (size_t)n;
	p->len -= (size_t)n;
	return true;
}

static void close_master(struct tty *t)
{
	cleanup_fd(&t->master_fd);
	t->master_fd = -1;
}

/* The end of input is told as a terminal does it: by its end-of-file character. */
static void end_input(struct tty *t)
{
	struct termios tio;

	t->in_fd = -1;
	if (tcgetattr(t->master_fd, &tio) == 0 && (tio.c_lflag & ICANON)) {
		t->to_container.data[0] = (char)tio.c_cc[VEOF];
		t->to_container.off = 0;
		t->to_container.len = 1;
	}
}

void tty_poll_fill(const struct tty *t, struct pollfd *p)
{
	bool want_in = t->master_fd >= 0 && t->in_fd >= 0 && t->to_container.len == 0;

	p[0] = (struct pollfd){ .fd = want_in ? t->in_fd : -1, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = t->master_fd,
		.events = (short)(POLLIN | (t->to_container.len > 0 ? POLLOUT : 0)) };
}

void tty_poll_done(struct tty *t, const struct pollfd *p)
{
	if (p[0].fd >= 0 && p[0].revents && !pipe_read(&t->to_container, t->in_fd))
		end_input(t);
	if (t->master_fd >= 0 && t->to_container.len > 0)
		(void)pipe_write(&t->to_container, t->master_fd);
	if (p[1].fd < 0 || !(p[1].revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	if (!pipe_read(&t->to_user, t->master_fd)) {
		close_master(t); /* EIO: the last slave is closed */
		return;
	}
	if (t->to_user.len > 0)
		(void)fd_write_all(t->out_fd, t->to_user.data, t->to_user.len);
	t->to_user.len = 0;
}

void tty_drain(struct tty *t)
{
	while (t->master_fd >= 0) {
		ssize_t n = read(t->master_fd, t->to_user.data, sizeof(t->to_user.data));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || fd_write_all(t->out_fd, t->to_user.data, (size_t)n) < 0)
			break;
	}
}

void tty_done(struct tty *t)
{
	if (t->raw_fd >= 0)
		(void)tcsetattr(t->raw_fd, TCSADRAIN, &t->saved);
	t->raw_fd = -1;
	close_master(t);
}
