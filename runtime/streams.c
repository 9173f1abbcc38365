/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's streams (the contract is in the header)
 *
 * There is one buffer for output: it is filled when all clients have taken what was in it, so no
 * client is ahead of another by more than that.
 */
#include "runtime/streams.h"

#include "base/cleanup.h"
#include "base/proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

enum { P_MASTER, P_IN, P_OUT, P_ERR, P_LISTEN, P_CLIENTS };
_Static_assert(P_CLIENTS + LIMIT_CLIENTS == STREAMS_N_POLL, "room for all");
_Static_assert(LIMIT_CLIENTS <= 32, "todo has a bit for each");

void streams_init(struct streams *s)
{
	memset(s, 0, offsetof(struct streams, out));
	s->out_len = s->in_off = s->in_len = 0;
	s->todo = 0;
	s->in_ends = s->owner_gone = false;
	ttyguard_init(&s->owner_tty);
	s->starter_fd = s->master_fd = s->slave_fd = s->in_fd = s->out_fds[0] = s->out_fds[1] =
		s->listen_fd = -1;
	for (size_t i = 0; i < LIMIT_CLIENTS; i++)
		s->clients[i].fd = -1;
}

static void close_it(int *fd)
{
	cleanup_fd(fd);
	*fd = -1;
}

/* ---- clients ---- */

int streams_add_client(struct streams *s, int fd, bool owner)
{
	for (size_t i = 0; i < LIMIT_CLIENTS; i++)
		if (s->clients[i].fd < 0) {
			s->clients[i] = (struct streams_client){ .fd = fd, .owner = owner };
			return 0;
		}
	(void)close(fd);
	return -EMFILE;
}

static void drop_client(struct streams *s, size_t i)
{
	if (s->clients[i].owner)
		ttyguard_restore(&s->owner_tty);
	s->owner_gone |= s->clients[i].owner;
	close_it(&s->clients[i].fd);
	s->todo &= ~(UINT32_C(1) << i);
}

static void accept_clients(struct streams *s)
{
	int fd;

	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		(void)streams_add_client(s, fd, false);
}

/* Send what is in the buffer to those who have not got it. */
static void send_output(struct streams *s)
{
	for (size_t i = 0; i < LIMIT_CLIENTS; i++) {
		int r;

		if (!(s->todo & UINT32_C(1) << i))
			continue;
		r = attach_send(s->clients[i].fd, &s->out, s->out_len, ATTACH_TRY);
		if (r == -EAGAIN)
			continue;
		s->todo &= ~(UINT32_C(1) << i);
		if (r < 0)
			drop_client(s, i);
	}
}

/* ---- terminal ---- */

int streams_set_terminal(struct streams *s, int master_fd, struct err *err)
{
	s->master_fd = master_fd;
	if (fcntl(master_fd, F_SETFL, fcntl(master_fd, F_GETFL) | O_NONBLOCK) < 0)
		return err_set(err, -errno, "cannot prepare the container's terminal");
	/* A program may close its terminal and open it again; without this one, that is its end. */
	s->slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return s->slave_fd < 0 ? err_set(err, -errno, "cannot open the container's terminal") : 0;
}

void streams_set_size(const struct streams *s, uint16_t rows, uint16_t cols)
{
	struct winsize ws = { .ws_row = rows, .ws_col = cols };

	if (s->master_fd >= 0 && rows && cols)
		(void)ioctl(s->master_fd, TIOCSWINSZ, &ws);
}

/* ---- input ---- */

/* The end of input is told as a terminal does it: by its end-of-file character. */
static void end_input(struct streams *s)
{
	struct termios tio;

	s->in_ends = false;
	close_it(&s->in_fd);
	if (s->master_fd < 0 || tcgetattr(s->master_fd, &tio) < 0 || !(tio.c_lflag & ICANON))
		return;
	s->in.data[0] = (char)tio.c_cc[VEOF];
	s->in_off = 0;
	s->in_len = 1;
}

static void write_input(struct streams *s)
{
	int fd = s->master_fd >= 0 ? s->master_fd : s->in_fd;
	ssize_t n;

	if (fd < 0) {
		s->in_len = 0;
		return;
	}
	n = write(fd, s->in.data + s->in_off, s->in_len);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		close_it(&s->in_fd);
		s->in_len = 0;
	} else if (n > 0) {
		s->in_off += (size_t)n;
		s->in_len -= (size_t)n;
	}
	if (s->in_len == 0 && s->in_ends)
		end_input(s);
}

static void take_input(struct streams *s, const struct attach_msg *m, size_t len)
{
	memcpy(s->in.data, m->data, len);
	s->in_off = 0;
	s->in_len = len;
	write_input(s);
}

/* ---- messages ---- */

/* The owner's error output was ours for warnings; now it is the owner's alone again. */
static void leave_owner(struct streams *s, struct streams_client *c)
{
	auto_fd null = c->owner ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	if (c->owner)
		ttyguard_done(&s->owner_tty);
	c->owner = false;
}

static void handle(struct streams *s, size_t i, const struct attach_msg *m, size_t len, int pidfd)
{
	switch (m->kind) {
	case ATTACH_INPUT:
		take_input(s, m, len);
		break;
	case ATTACH_END_INPUT:
		s->in_ends = true;
		if (s->in_len == 0)
			end_input(s);
		break;
	case ATTACH_SIZE:
		if (len >= sizeof(m->size))
			streams_set_size(s, m->size.rows, m->size.cols);
		break;
	case ATTACH_SIGNAL:
		if (len >= sizeof(m->number) && m->number > 0)
			(void)proc_kill(pidfd, m->number);
		break;
	case ATTACH_DETACH:
		leave_owner(s, &s->clients[i]);
		break;
	case ATTACH_QUIET:
		s->clients[i].quiet = true;
		s->todo &= ~(UINT32_C(1) << i);
		break;
	case ATTACH_START:
		/* It hears more when it has been started. */
		if (s->starter_fd < 0) {
			s->starter_fd = fd_take(&s->clients[i].fd);
			s->todo &= ~(UINT32_C(1) << i);
		}
		break;
	default:
		drop_client(s, i);
	}
}

static void hear_client(struct streams *s, size_t i, int pidfd)
{
	struct attach_msg m;
	size_t len;

	if (attach_recv(s->clients[i].fd, &m, &len) == 1)
		handle(s, i, &m, len, pidfd);
	else
		drop_client(s, i);
}

/* It has left while the container takes no input: what it sent before still counts, but for that. */
static void hear_last(struct streams *s, size_t i, int pidfd)
{
	struct attach_msg m;
	size_t len;

	while (s->clients[i].fd >= 0 && attach_recv(s->clients[i].fd, &m, &len) == 1)
		if (m.kind != ATTACH_INPUT && m.kind != ATTACH_END_INPUT)
			handle(s, i, &m, len, pidfd);
	if (s->clients[i].fd >= 0)
		drop_client(s, i);
}

/* ---- output ---- */

static void give_out(struct streams *s, enum attach_kind kind, size_t len)
{
	s->out.kind = kind;
	s->out_len = len;
	if (s->log)
		(void)logfile_write(
			s->log, kind == ATTACH_STDERR ? LOG_STDERR : LOG_STDOUT, s->out.data, len);
	for (size_t i = 0; i < LIMIT_CLIENTS; i++)
		if (s->clients[i].fd >= 0 && !s->clients[i].quiet)
			s->todo |= UINT32_C(1) << i;
	send_output(s);
}

/* false if there is nothing (more) to read. */
static bool read_output(struct streams *s, int *fd, enum attach_kind kind)
{
	ssize_t n;

	if (*fd < 0 || s->todo)
		return false;
	n = read(*fd, s->out.data, sizeof(s->out.data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		close_it(fd);
		return false;
	}
	give_out(s, kind, (size_t)n);
	return true;
}

/* ---- the loop's part ---- */

void streams_poll_fill(const struct streams *s, struct pollfd *p)
{
	short out = s->todo ? 0 : POLLIN, in = s->in_len ? POLLOUT : 0;

	p[P_MASTER] =
		(struct pollfd){ .fd = out || in ? s->master_fd : -1, .events = (short)(out | in) };
	p[P_IN] = (struct pollfd){ .fd = in ? s->in_fd : -1, .events = in };
	p[P_OUT] = (struct pollfd){ .fd = out ? s->out_fds[0] : -1, .events = out };
	p[P_ERR] = (struct pollfd){ .fd = out ? s->out_fds[1] : -1, .events = out };
	p[P_LISTEN] = (struct pollfd){ .fd = s->listen_fd, .events = POLLIN };
	for (size_t i = 0; i < LIMIT_CLIENTS; i++) {
		short want = s->in_len ? 0 : POLLIN;

		if (s->todo & UINT32_C(1) << i)
			want |= POLLOUT;
		p[P_CLIENTS + i] = (struct pollfd){ .fd = s->clients[i].fd, .events = want };
	}
}

void streams_poll_done(struct streams *s, const struct pollfd *p, int pidfd)
{
	if (s->in_len && (p[P_IN].revents || p[P_MASTER].revents & POLLOUT))
		write_input(s);
	for (size_t i = 0; i < LIMIT_CLIENTS; i++) {
		const struct pollfd *c = &p[P_CLIENTS + i];

		if (c->fd < 0 || c->fd != s->clients[i].fd)
			continue;
		if (s->in_len && c->revents & POLLHUP)
			hear_last(s, i, pidfd);
		else if (!s->in_len && c->revents & (POLLIN | POLLHUP | POLLERR))
			hear_client(s, i, pidfd);
	}
	if (s->todo)
		send_output(s);
	if (p[P_MASTER].revents & (POLLIN | POLLHUP | POLLERR))
		(void)read_output(s, &s->master_fd, ATTACH_STDOUT);
	if (p[P_OUT].revents)
		(void)read_output(s, &s->out_fds[0], ATTACH_STDOUT);
	if (p[P_ERR].revents)
		(void)read_output(s, &s->out_fds[1], ATTACH_STDERR);
	if (p[P_LISTEN].revents)
		accept_clients(s);
}

/* ---- the end ---- */

bool streams_drain(struct streams *s)
{
	while (read_output(s, &s->master_fd, ATTACH_STDOUT) ||
		read_output(s, &s->out_fds[0], ATTACH_STDOUT) ||
		read_output(s, &s->out_fds[1], ATTACH_STDERR))
		;
	return s->todo == 0;
}

void streams_finish(struct streams *s, int exit_code)
{
	while (!streams_drain(s))
		for (size_t i = 0; i < LIMIT_CLIENTS; i++) {
			if (!(s->todo & UINT32_C(1) << i))
				continue;
			s->todo &= ~(UINT32_C(1) << i);
			if (attach_send(s->clients[i].fd, &s->out, s->out_len, ATTACH_WAIT) < 0)
				drop_client(s, i);
		}
	/* Those who came while nobody looked. */
	if (s->listen_fd >= 0)
		accept_clients(s);
	for (size_t i = 0; i < LIMIT_CLIENTS; i++)
		if (s->clients[i].fd >= 0)
			(void)attach_send_number(s->clients[i].fd, ATTACH_EXIT, exit_code);
}

void streams_done(struct streams *s)
{
	close_it(&s->master_fd);
	close_it(&s->slave_fd);
	close_it(&s->in_fd);
	close_it(&s->out_fds[0]);
	close_it(&s->out_fds[1]);
	close_it(&s->listen_fd);
	close_it(&s->starter_fd);
	for (size_t i = 0; i < LIMIT_CLIENTS; i++)
		close_it(&s->clients[i].fd);
	ttyguard_done(&s->owner_tty);
	logfile_close(s->log);
	s->log = NULL;
}
