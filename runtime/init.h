/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Steps inside the container's first process, before it becomes the program
 *
 * Each takes the stage and fails with a text for the monitor.  Order and meaning: runtime/stage.c.
 */

#include "runtime/stage.h"

int init_die_with_monitor(struct stage *st, struct err *err);
int init_close_others(struct stage *st, struct err *err);
int init_oom_score(struct stage *st, struct err *err);
int init_open_label(struct stage *st, struct err *err);
int init_clocks(struct stage *st, struct err *err);
int init_first_cpus(struct stage *st, struct err *err);
int init_become_root(struct stage *st, struct err *err);
int init_namespaces(struct stage *st, struct err *err);
int init_new_session(struct stage *st, struct err *err);
int init_new_keyring(struct stage *st, struct err *err);
int init_set_names(struct stage *st, struct err *err);
int init_loopback_up(struct stage *st, struct err *err);
int init_console(struct stage *st, struct err *err);
int init_terminal(struct stage *st, struct err *err);
int init_sysctls(struct stage *st, struct err *err);
int init_find_program(struct stage *st, struct err *err);
int init_home(struct stage *st, struct err *err);
int init_live_alone(struct stage *st, struct err *err);
int init_await_starter(struct stage *st, struct err *err);
int init_limits(struct stage *st, struct err *err);
int init_streams(struct stage *st, struct err *err);
int init_close_on_exec(struct stage *st, struct err *err);
int init_filter_early(struct stage *st, struct err *err);
int init_change_user(struct stage *st, struct err *err);
int init_capabilities(struct stage *st, struct err *err);
int init_work_dir(struct stage *st, struct err *err);
int init_filter_late(struct stage *st, struct err *err);
int init_scheduling(struct stage *st, struct err *err);
int init_label(struct stage *st, struct err *err);
int init_exec(struct stage *st, struct err *err);
