/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of `mpcsign verify --html`, inside. Everything that is not ours
 * goes through page_text(): names and reasons come from strangers.
 */
#ifndef CLI_VERIFY_PAGE_H
#define CLI_VERIFY_PAGE_H

#include <stdio.h>

#include "cli/verify.h"

/* verify_style.c: what the page looks like; no other style is let in. */
extern const char verify_style[];

/* verify_html.c */
void verify_text(FILE *f, const char *text);              /* escaped; NULL: - */
const char *verify_str(const json_t *o, const char *key); /* "" for none */
json_int_t verify_int(const json_t *o, const char *key);
/* A time as people read it, in its <time>. */
void verify_time(FILE *f, json_int_t at);

/* verify_draw.c: the Merkle path, and who cosigned what it leads to. */
void verify_draw_tree(FILE *f, const json_t *proof, const char *what);
void verify_draw_line(FILE *f, const json_t *facts); /* of time */

#endif
