/* SPDX-License-Identifier: Apache-2.0 */
/* Credential programs (the contract is in the header). */
#include "image/auth_helper.h"

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* What a program said. */
struct answer {
	char *text; /* of stdout, NUL-terminated; owned */
	int status; /* its exit code, or 128 + signal */
};

/* Names become a part of a program's name, so they hold nothing that leads elsewhere. */
static bool name_is_valid(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			    *p))
			return false;
	return *name != '\0';
}

/* An unlinked file with @text, for a program's stdin: larger than a pipe without a thread. */
static int stdin_file(const char *text)
{
	auto_fd fd = memfd_create("credentials", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : fd_take(&fd);
}

static int read_answer(int fd, char **ret)
{
	auto_buf b = { 0 };
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0 && b.len < LIMIT_HELPER_ANSWER && buf_add(&b, piece, (size_t)n) < 0)
			return -ENOMEM;
	}
	explicit_bzero(piece, sizeof(piece));
	*ret = buf_take(&b);
	return *ret ? 0 : -ENOMEM;
}

static int spawn(const char *program, const char *verb, int in, int out, pid_t *ret)
{
	const char *const argv[] = { program, verb, NULL };
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (r == 0)
		r = posix_spawnp(ret, program, &actions, NULL, (char *const *)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int run(
	const char *name, const char *verb, const char *input, struct answer *ret, struct err *err)
{
	auto_free char *program = str_format("docker-credential-%s", name);
	auto_fd in = -1, out_read = -1, out_write = -1;
	int pipe_fds[2], status, r;
	pid_t pid;

	if (!name_is_valid(name))
		return err_say(err, -EINVAL, "'%s' is no name of a credential program", name);
	if (!program || pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set(err, program ? -errno : -ENOMEM, "cannot run a credential program");
	out_read = pipe_fds[0];
	out_write = pipe_fds[1];
	in = stdin_file(input);
	r = in < 0 ? in : spawn(program, verb, in, out_write, &pid);
	if (r < 0)
		return err_set(err, r, "cannot run the credential program '%s'", program);
	(void)close(fd_take(&out_write));
	r = read_answer(out_read, &ret->text);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for '%s'", program);
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return r < 0 ? err_set(err, r, "the credential program '%s'", program) : 0;
}

/* What went wrong, by the program's own words; 1 if it only has none. */
static int judge(const char *name, const struct answer *a, struct err *err)
{
	if (a->status == 0)
		return 0;
	if (strstr(a->text, "credentials not found"))
		return 1;
	a->text[strcspn(a->text, "\r\n")] = '\0';
	return err_say(err, -EACCES, "the credential program 'docker-credential-%s' failed: %.200s",
		name, a->text[0] ? a->text : "no reason given");
}

static void answer_done(struct answer *a)
{
	if (a->text)
		explicit_bzero(a->text, strlen(a->text));
	free(a->text);
}

static int read_cred(const char *name, const char *text, struct cred *ret, struct err *err)
{
	auto_json *j = NULL;
	auto_cred c = { 0 };
	const char *user, *secret;
	int r = json_parse(text, strlen(text), "the answer", &j, err);

	if (r < 0)
		return err_wrap(err, r, "the credential program 'docker-credential-%s'", name);
	user = json_get_str(j, "Username");
	secret = json_get_str(j, "Secret");
	if (!user || !secret || strpbrk(user, "\r\n") || strpbrk(secret, "\r\n"))
		return err_say(err, -EBADMSG,
			"the credential program 'docker-credential-%s' gave no valid answer", name);
	/* This name says that the secret is an identity token. */
	if (str_eq(user, "<token>")) {
		c.identity_token = strdup(secret);
	} else {
		c.user = strdup(user);
		c.password = strdup(secret);
	}
	if (!c.identity_token && (!c.user || !c.password))
		return err_set(err, -ENOMEM, "cannot log in");
	*ret = c;
	memset(&c, 0, sizeof(c));
	return 0;
}

int auth_helper_get(const char *name, const char *server, struct cred *ret, struct err *err)
{
	struct answer a = { 0 };
	int r = run(name, "get", server, &a, err);

	memset(ret, 0, sizeof(*ret));
	if (r == 0)
		r = judge(name, &a, err);
	if (r == 0)
		r = read_cred(name, a.text, ret, err);
	answer_done(&a);
	return r < 0 ? r : 0;
}

int auth_helper_store(
	const char *name, const char *server, const struct cred *cred, struct err *err)
{
	auto_json *j = json_pack("{s:s, s:s, s:s}", "ServerURL", server, "Username",
		cred->identity_token ? "<token>" : cred->user, "Secret",
		cred->identity_token ? cred->identity_token : cred->password);
	auto_free char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	struct answer a = { 0 };
	int r = text ? run(name, "store", text, &a, err)
		     : err_set(err, -ENOMEM, "cannot keep credentials");

	if (text)
		explicit_bzero(text, strlen(text));
	if (r == 0)
		r = judge(name, &a, err);
	answer_done(&a);
	return r == 1 ? err_say(err, -EACCES, "the credential program refused") : r;
}

int auth_helper_erase(const char *name, const char *server, struct err *err)
{
	struct answer a = { 0 };
	int r = run(name, "erase", server, &a, err);

	if (r == 0)
		r = judge(name, &a, err);
	answer_done(&a);
	return r;
}
