/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What verbs on existing containers share: the store and the runtime directory, and lists of them */

#include "image/store.h"
#include "runtime/cli/cli.h"
#include "runtime/control.h"
#include "runtime/userns.h"

struct ctl {
	struct img_store *store;
	struct control c;
	struct userns ns; /* entered with CTL_ENTER */
	int rundir_fd; /* -1: of ns */
};

#define CTL_INIT                                                                                   \
	{                                                                                          \
		.ns = USERNS_INIT, .rundir_fd = -1                                                 \
	}

enum ctl_flags {
	CTL_ENTER = 1 << 0, /* in the parent namespace: files of subordinate ids can be removed */
};

/** ctl_open() - 0 or a negative errno; ctl_close() in any case */
int ctl_open(struct ctl *ctl, const struct cli *cli, unsigned int flags, struct err *err);
void ctl_close(struct ctl *ctl);

/* What is done to one container; @ref: as it was named. */
typedef int ctl_act(struct ctl *ctl, const char *ref, void *arg, struct err *err);

/* Which of all containers --all means. */
typedef bool ctl_pick(const struct record *r);

/* Ways to name containers but by name; a verb's options struct has one. */
struct ctl_choice {
	bool latest; /* the one that was made last */
	struct strv filter; /* as of runtime/cli/ctrfilter.h */
	struct strv cidfile; /* files that hold ids */
};

#define CTL_LATEST(type, member)                                                                   \
	{                                                                                          \
		"latest", 'l', ARGS_FLAG, offsetof(type, member.latest), NULL,                     \
			"the container that was made last"                                         \
	}
#define CTL_FILTER(type, member, letter)                                                           \
	{                                                                                          \
		"filter", letter, ARGS_LIST, offsetof(type, member.filter), "KEY=VALUE",           \
			"those that match, as of 'lamina ps'"                                      \
	}
#define CTL_CIDFILE(type, member)                                                                  \
	{                                                                                          \
		"cidfile", 0, ARGS_LIST, offsetof(type, member.cidfile), "FILE",                   \
			"the container whose id is in that file"                                   \
	}

struct ctl_each {
	const char *verb; /* for messages: "stop" */
	int argc;
	char **argv;
	ctl_pick *all; /* not NULL: with --all, those that it picks */
	const struct ctl_choice *choice; /* NULL: there is none */
	ctl_act *act;
	void *arg;
	bool quiet; /* names are not printed */
};

/**
 * ctl_each() - do it to each that was named, go on after failures, print the names
 * Return: the exit code.
 */
int ctl_each(struct ctl *ctl, const struct ctl_each *e);

/**
 * ctl_latest() - the id of the container that was made last
 * Return: 0; -ENOENT with a text if there is none.
 */
int ctl_latest(struct ctl *ctl, char ret_id[CTR_ID_LEN + 1], struct err *err);

/** ctl_run() - ctl_open(), ctl_each(), ctl_close(): all of a verb.  Return: the exit code. */
int ctl_run(const struct cli *cli, unsigned int flags, const struct ctl_each *e);

/** ctl_is_live(), ctl_is_any() - for ctl_each.all */
bool ctl_is_live(const struct record *r);
bool ctl_is_any(const struct record *r);
