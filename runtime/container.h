/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One container from its first byte in the store to its last
 *
 *      ctr_begin() ─▶ id, directory, parent namespace
 *        caller: root file system, configuration
 *      ctr_create() ─▶ namespaces, network, root; all but the program's first instruction
 *      ctr_start() ─▶ the program runs
 *      ctr_wait()  ─▶ exit code
 *      ctr_end()   ─▶ nothing is left but, unless it is to be removed, its directory
 *
 * The calling process becomes the container's monitor and stays it.
 */

#include "base/err.h"
#include "runtime/monitor.h"
#include "runtime/network.h"
#include "runtime/record.h"
#include "runtime/rootproc.h"
#include "runtime/stage.h"
#include "runtime/userns.h"

struct container {
	struct userns ns;
	struct ctr_dir dir;
	struct record record;
	struct rootproc root; /* started by the caller, if the root file system needs one */
	struct spec *spec;
	struct sec_filter filter;
	struct stage stage;
	struct monitor monitor;
	struct tty tty;
	struct network *network; /* of ctr_create(); NULL: none was started */
	bool interactive; /* stdin goes to the container */
	bool started;
};

struct ctr_start_opts {
	int root_mount; /* detached mount of the root file system; consumed */
	struct network *network; /* parsed; NULL: none.  Borrowed until ctr_end() */
	bool interactive; /* stdin goes to the container */
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
 * ctr_configure() - write config.json and read it back: what is written is what is run
 * @json: @len bytes
 */
int ctr_configure(struct container *c, const char *json, size_t len, struct err *err);

/**
 * ctr_create() - until all stands but the program: CTR_CREATED, c->stage.pid waits
 * With a terminal, c->stage.pty_fd is its master; its size can be set before the program begins.
 * Return: 0; a negative errno, c->stage.exit_code then says what to exit with.
 */
int ctr_create(struct container *c, const struct ctr_start_opts *opts, struct err *err);

/**
 * ctr_start() - the program of a created container begins
 * Return: as ctr_create(); the terminal has its mode back after a failure.
 */
int ctr_start(struct container *c, struct err *err);

/** ctr_wait() - until it ends: its exit code, or a negative errno */
int ctr_wait(struct container *c, struct err *err);

/** ctr_end() - end what still runs, write down or remove the container; for every way out */
void ctr_end(struct container *c);
