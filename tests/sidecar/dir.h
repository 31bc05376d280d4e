/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of the test's own, gone afterwards with all that is in it. */
#ifndef TESTS_SIDECAR_DIR_H
#define TESTS_SIDECAR_DIR_H

#define DIR_MAX 64

void dir_make(char dir[DIR_MAX]);
void dir_remove(const char *dir);

#endif
