/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* lamina-init (runtime/init_main.c) as a file that can be executed anywhere */

#include "base/err.h"

/**
 * initprog_open() - a sealed file of memory that holds the program
 * Return: an fd for execveat(2), owned by the caller.
 */
int initprog_open(struct err *err);
