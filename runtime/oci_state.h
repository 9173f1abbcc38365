/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is written down about a container of lamina-runtime
 *
 *      ROOT/<id>/state.json   struct oci_state; a directory without it is being made, or was killed
 *                             while it was
 *      ROOT/<id>/config.json  a copy: the bundle's may change
 *      ROOT/<id>/start        socket on which the created container waits
 *      ROOT/.cache/           compiled seccomp filters
 *
 * The status is never written down: it is what the process and the socket say.
 */

#include "base/err.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/oci.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct oci_state {
	char *id, *bundle, *rootfs, *owner, *created; /* created: RFC 3339 */
	struct proc_id init;
	char *cgroup; /* path below the cgroup mount; NULL: none of its own */
	char *scope; /* systemd unit; NULL: not by systemd */
	int dirfd; /* ROOT/<id> */
	enum ctr_state status; /* when it was read */
};

#define OCI_STATE_INIT                                                                             \
	{                                                                                          \
		.dirfd = -1                                                                        \
	}

void oci_state_done(struct oci_state *s);

static inline void cleanup_oci_state(struct oci_state *s)
{
	oci_state_done(s);
}
#define auto_oci_state __attribute__((cleanup(cleanup_oci_state))) struct oci_state

/** oci_root_open() - open the directory of states, making it; o->root_fd */
int oci_root_open(struct oci *o, struct err *err);

/**
 * oci_state_make() - the directory of a new container
 * Return: 0 with s->dirfd and s->id; -EEXIST; -EINVAL for an id that is none.
 */
int oci_state_make(struct oci *o, const char *id, struct oci_state *s, struct err *err);

/** oci_state_write() - state.json, in one step */
int oci_state_write(const struct oci_state *s, struct err *err);

/** oci_state_read() - with the status of now; -ENOENT: "container … does not exist" */
int oci_state_read(struct oci *o, const char *id, struct oci_state *ret, struct err *err);

/** oci_state_remove() - the directory and all that is in it */
int oci_state_remove(struct oci *o, const char *id, struct err *err);

/** oci_state_list() - ids, sorted; 0 or a negative errno */
int oci_state_list(struct oci *o, struct strv *ret);

/** oci_state_pidfd() - its first process; -ESRCH "container not running" */
int oci_state_pidfd(const struct oci_state *s, struct err *err);

/** oci_state_config() - its configuration, owned by the caller */
int oci_state_config(const struct oci_state *s, struct spec **ret, struct err *err);

/**
 * oci_state_json() - the state that the specification describes, for people and hooks
 * @status: CTR_MAX_: as it was read
 * Return: a new reference, NULL if out of memory.
 */
json_t *oci_state_json(const struct oci_state *s, const struct spec *spec, enum ctr_state status);

/** oci_socket_at() - an abstract-free unix socket by a directory fd: to listen on, or connected */
int oci_listen(int dirfd, const char *name, struct err *err);
int oci_connect(int dirfd, const char *name);
