/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read with a bound, written so that a crash leaves old or new. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/rc.h"

/*
 * Reads the whole file. *out is heap, one NUL follows the last byte, free()
 * it. RC_UNKNOWN: no such file; RC_TOO_LARGE: over max bytes.
 */
MUST_CHECK enum rc file_read(uint8_t **out, size_t *len, const char *path,
                             size_t max);

/* Writes to a temporary beside it, fsyncs, renames, fsyncs the directory. */
MUST_CHECK enum rc file_write(const char *path, const void *data, size_t len,
                              mode_t mode);

/* mkdir -p, each new directory with this mode. */
MUST_CHECK enum rc file_mkdirs(const char *path, mode_t mode);

#endif
