/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One container from its first byte in the store to its last
 *
 *      ctr_begin() ─▶ id, directory, parent namespace        ctr_open() ─▶ an existing one
 *        caller: configuration, ctr_save() if it is to stay as it is
 *        caller: root file system
 *      ctr_create() ─▶ namespaces, network, root; all but the program's first instruction
 *      ctr_start() ─▶ the program runs
 *      ctr_wait()  ─▶ exit code
 *      ctr_end()   ─▶ nothing is left but, unless it is to be removed, its directory
 *
 * The calling process becomes the container's monitor and stays it (runtime/launch.h).
 */

#include "base/err.h"
#include "runtime/ctropts.h"
#include "runtime/monitor.h"
#include "runtime/network.h"
#include "runtime/record.h"
#include "runtime/rootproc.h"
#include "runtime/stage.h"
#include "runtime/userns.h"

struct container {
	struct userns ns;
	int store_fd; /* the store as the parent namespace sees it; -1: not entered */
	struct ctr_dir dir;
	struct record record;
	struct ctropts opts;
	struct rootproc root; /* started by the caller, if the root file system needs one */
	struct spec *spec;
	struct sec_filter filter;
	struct stage stage;
	int cgroup_fd; /* -1: none */
	int userns_fd, netns_fd; /* of the container, until its network stands; -1: not open */
	struct monitor monitor;
	struct network *network; /* of ctr_create(); NULL: none was started */
	bool kept; /* it stays, whatever becomes of this start */
	bool started;
};

enum ctr_start_flags {
	CTR_FOREGROUND = 1 << 0, /* the caller's streams are the container's, and its end is too */
	CTR_ATTACHED = 1 << 1, /* the client gets the output */
	CTR_PIPED = 1 << 3, /* with CTR_FOREGROUND: the output goes by the client in any case */
	CTR_WAIT_START = 1 << 2, /* the program begins when a client says so */
};

struct ctr_start_opts {
	int root_mount; /* detached mount of the root file system; consumed */
	struct network *network; /* parsed; NULL: none.  Borrowed until ctr_end() */
	unsigned int n_preserve_fds; /* 3… stay open for the program */
	int client; /* socket to who waits for the start (runtime/attach.h); consumed; -1: none */
	unsigned int flags; /* enum ctr_start_flags */
};

/** ctr_init() - an empty container, for which ctr_end() does nothing */
void ctr_init(struct container *c);

/**
 * ctr_begin() - enter the parent namespace, sweep what others left, make the container
 * @store_path: opened here and not before, since an fd that is older than the mount namespace
 *              cannot be mounted from
 */
int ctr_begin(struct container *c, const char *store_path, const char *name, struct err *err);

/**
 * ctr_open() - enter the parent namespace, hold an existing container, read what it is
 * Return: 0; -ENOENT; -EBUSY while it lives.
 */
int ctr_open(struct container *c, const char *store_path, const char *ref, struct err *err);

/**
 * ctr_configure() - write config.json and read it back: what is written is what is run
 * @json: @len bytes
 */
int ctr_configure(struct container *c, const char *json, size_t len, struct err *err);

/** ctr_save() - from now on the container exists, although nothing of it runs */
int ctr_save(struct container *c, struct err *err);

/**
 * ctr_create() - until all stands but the program: CTR_CREATED, c->stage.pid waits
 * Return: 0; a negative errno, c->stage.exit_code then says what to exit with.
 */
int ctr_create(struct container *c, struct ctr_start_opts *opts, struct err *err);

/**
 * ctr_start() - the program of a created container begins; the client is told the id
 * Return: as ctr_create().
 */
int ctr_start(struct container *c, struct ctr_start_opts *opts, struct err *err);

/** ctr_wait() - until it ends: its exit code, or a negative errno */
int ctr_wait(struct container *c, struct err *err);

/**
 * ctr_end() - end what still runs, write down or remove the container; for every way out
 * @exit_code: told to clients, who are waited for; negative: there is none
 */
void ctr_end(struct container *c, int exit_code);
