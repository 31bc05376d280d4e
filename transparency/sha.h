/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the room: SHA-256 for those who hash millions, that is the store and
 * whoever follows a log. OpenSSL's uses the processor's SHA instructions and
 * is several times as fast as libsodium's; the pure files above, which the
 * vault links, need only the latter. Public data. Any thread.
 */
#ifndef TRANSPARENCY_SHA_H
#define TRANSPARENCY_SHA_H

#include "base/hash.h"
#include "transparency/transparency.h"

void tlog_sha256(uint8_t out[32], const struct hash_part *parts,
                 size_t n_parts);
/* As tlog_leaf_hash() and tlog_node_hash(). */
void tlog_sha_leaf(struct tlog_hash *out, const void *entry, size_t len);
void tlog_sha_node(struct tlog_hash *out, const struct tlog_hash *l,
                   const struct tlog_hash *r);

#endif
