/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the room: a message is a table of rows, and three loops over rows
 * decode, encode and free every message there is. A row says which member,
 * what it looks like in JSON and how large it may be; a row whose kind does
 * not fit its member's type does not compile.
 *
 *     static const struct wire_row attested_rows[] = {
 *         U64(attested, expires_in_s, WIRE_MAX_U32),
 *         { 0 },
 *     };
 *     WIRE_CODEC(attested);
 *
 * The JSON key is the member's name.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/rc.h"
#include "wire/wire.h"

enum wire_kind {
    WIRE_HEX = 1, /* uint8_t[N]: 2N lower-case hex digits */
    WIRE_STR,     /* char[N]: string under N bytes, no control characters */
    WIRE_U64,     /* uint64_t: integer */
    WIRE_BOOL,    /* bool */
    WIRE_BLOB,    /* struct wire_blob: unpadded base64url */
    WIRE_TEXT,    /* struct wire_text: any string without NUL */
    WIRE_STRUCT,  /* a nested struct: object */
    WIRE_ARRAY,   /* WIRE_LIST(): array */
    WIRE_MAYBE,   /* WIRE_LIST() of at most one: object or null */
};

struct wire_row {
    const char *name; /* NULL ends the table */
    enum wire_kind kind;
    size_t offset;
    size_t size;  /* of the member; ARRAY: of one element */
    uint64_t min; /* ARRAY: fewest elements */
    uint64_t max; /* U64: value; BLOB, TEXT: bytes; ARRAY: elements */
    const struct wire_row *item;    /* ARRAY: what each element is */
    const struct wire_table *table; /* STRUCT: its rows */
};

struct wire_table {
    const char *name;
    size_t size; /* of the struct */
    const struct wire_row *rows;
};

/* Every WIRE_LIST() has this shape. */
struct wire_any_list {
    void *at;
    size_t n;
};

/* ---- rows ---------------------------------------------------------------- */

#define WIRE_MEMBER(s, m) (((struct wire_##s *)0)->m)
/* offsetof, and a negative array size unless the member has that type */
#define WIRE_OFFSET(s, m, member, ...)                                         \
    (offsetof(struct wire_##s, m) +                                            \
     0 * sizeof(char[__builtin_types_compatible_p(__typeof__(member),          \
                                                  __VA_ARGS__)                 \
                             ? 1                                               \
                             : -1]))
#define WIRE_ROW(s, m, as, type)                                               \
    .name = #m, .kind = (as),                                                  \
    .offset = WIRE_OFFSET(s, m, WIRE_MEMBER(s, m), type),                      \
    .size = sizeof(WIRE_MEMBER(s, m))

#define HEX(s, m)                                                              \
    {                                                                          \
        WIRE_ROW(s, m, WIRE_HEX, uint8_t[sizeof(WIRE_MEMBER(s, m))])           \
    }
#define STR(s, m)                                                              \
    {                                                                          \
        WIRE_ROW(s, m, WIRE_STR, char[sizeof(WIRE_MEMBER(s, m))])              \
    }
#define U64(s, m, top)                                                         \
    {                                                                          \
        WIRE_ROW(s, m, WIRE_U64, uint64_t), .max = (top)                       \
    }
#define BOOL(s, m)                                                             \
    {                                                                          \
        WIRE_ROW(s, m, WIRE_BOOL, bool)                                        \
    }
#define BLOB(s, m, bytes)                                                      \
    {                                                                          \
        WIRE_ROW(s, m, WIRE_BLOB, struct wire_blob), .max = (bytes)            \
    }
#define TEXT(s, m, bytes)                                                      \
    {                                                                          \
        WIRE_ROW(s, m, WIRE_TEXT, struct wire_text), .max = (bytes)            \
    }
#define NEST(s, m, inner)                                                      \
    {                                                                          \
        WIRE_ROW(s, m, WIRE_STRUCT, struct wire_##inner),                      \
                .table = &wire_##inner##_table                                 \
    }

#define WIRE_ARRAY_ROW(s, m, lo, hi, type, ...)                                \
    {                                                                          \
        .name = #m, .kind = WIRE_ARRAY,                                        \
        .offset = WIRE_OFFSET(s, m, *WIRE_MEMBER(s, m).at, type),              \
        .size = sizeof(*WIRE_MEMBER(s, m).at), .min = (lo), .max = (hi),       \
        .item = &(const struct wire_row)                                       \
        {                                                                      \
            .name = "", .size = sizeof(type), __VA_ARGS__                      \
        }                                                                      \
    }
#define HASHES(s, m, count)                                                    \
    WIRE_ARRAY_ROW(s, m, 0, count, struct wire_hash, .kind = WIRE_HEX)
#define U64S(s, m, count, top)                                                 \
    WIRE_ARRAY_ROW(s, m, 0, count, uint64_t, .kind = WIRE_U64, .max = (top))
#define BLOBS(s, m, count, bytes)                                              \
    WIRE_ARRAY_ROW(s, m, 0, count, struct wire_blob, .kind = WIRE_BLOB,        \
                   .max = (bytes))
#define TEXTS(s, m, least, count, bytes)                                       \
    WIRE_ARRAY_ROW(s, m, least, count, struct wire_text, .kind = WIRE_TEXT,    \
                   .max = (bytes))
#define STRUCTS(s, m, least, count, inner)                                     \
    WIRE_ARRAY_ROW(s, m, least, count, struct wire_##inner,                    \
                   .kind = WIRE_STRUCT, .table = &wire_##inner##_table)

/* One struct, or null. */
#define MAYBE(s, m, inner)                                                     \
    {                                                                          \
        .name = #m, .kind = WIRE_MAYBE,                                        \
        .offset = WIRE_OFFSET(s, m, *WIRE_MEMBER(s, m).at,                     \
                              struct wire_##inner),                            \
        .size = sizeof(*WIRE_MEMBER(s, m).at), .max = 1,                       \
        .item = &(const struct wire_row)                                       \
        {                                                                      \
            .name = "", .size = sizeof(struct wire_##inner),                   \
            .kind = WIRE_STRUCT, .table = &wire_##inner##_table                \
        }                                                                      \
    }

/* ---- tables -------------------------------------------------------------- */

/* clang-format off */
/* What only other messages contain has a table and no functions. */
#define WIRE_PARTS(X) \
    X(vote) X(commitment) X(signer) X(box) X(bundle_signer) X(audit_row) \
    X(bundle_cosigner) X(piece) X(piece_ack) \
    X(session_known) X(artifact) X(places) X(said) X(slot_state) X(acks) \
    X(session_row) X(change_node)
#define WIRE_MESSAGES(X) \
    X(proof) X(growth) X(cert) X(birth) \
    X(sign) X(signed) X(key) X(keys) \
    X(session) X(approval) X(session_id) X(audit) \
    X(policy) X(policies) X(policy_head) \
    X(evidence) X(hello) X(hello_reply) X(attested) \
    X(commit) X(commitments) \
    X(round2_item) X(round2) X(round2_result) X(round2_reply) \
    X(epoch_start) X(package) X(epoch_deal) X(boxes) X(epoch_finish) \
    X(piece_split) X(pieces) X(piece_keep) X(piece_acks) X(piece_acked) \
    X(piece_missing) X(piece_ask) X(piece_given) \
    X(epoch_vote) X(ack) X(epoch_live) X(epoch_where) X(epoch_look) \
    X(epoch_voted) X(epoch_found) X(epoch_begin) X(epoch_share) \
    X(epoch_prepare) X(epoch_retire) X(epoch_destroy) X(change) \
    X(append) X(appended) X(head) X(fork) X(vkey) \
    X(issue) X(chain) X(bundle) \
    X(decided) X(session_put) X(session_held) X(session_state) X(sessions) \
    X(invite) X(enrol) \
    X(sct_ask) X(sct) X(rekor_ask) X(rekor) \
    X(once_birth) X(once_born) X(once_close) \
    X(standing) X(cosigned) X(trust) X(export) X(spki) \
    X(backup) X(backups) X(sealed_share) X(recover) X(recovered)
/* clang-format on */

#define WIRE_DECLARE_TABLE(name)                                               \
    extern const struct wire_table wire_##name##_table;
WIRE_PARTS(WIRE_DECLARE_TABLE)
WIRE_MESSAGES(WIRE_DECLARE_TABLE)
#undef WIRE_DECLARE_TABLE

/* name##_rows -> wire_##name##_table */
#define WIRE_TABLE(name)                                                       \
    const struct wire_table wire_##name##_table = {                            \
        #name, sizeof(struct wire_##name), name##_rows                         \
    }
/* The same, and the three functions wire.h promises. */
#define WIRE_CODEC(name)                                                       \
    WIRE_TABLE(name);                                                          \
    enum rc wire_##name##_decode(struct wire_##name *out, const char *json,    \
                                 size_t len)                                   \
    {                                                                          \
        return wire_decode(&wire_##name##_table, out, json, len);              \
    }                                                                          \
    enum rc wire_##name##_encode(char **json, size_t *len,                     \
                                 const struct wire_##name *in)                 \
    {                                                                          \
        return wire_encode(&wire_##name##_table, json, len, in);               \
    }                                                                          \
    void wire_##name##_free(struct wire_##name *m)                             \
    {                                                                          \
        wire_free(&wire_##name##_table, m);                                    \
    }                                                                          \
    struct wire_##name##_needs_semicolon

/* ---- the engine ---------------------------------------------------------- */

/* *out is zeroed first and again on failure, when nothing stays allocated. */
MUST_CHECK enum rc wire_decode(const struct wire_table *table, void *out,
                               const char *json, size_t len);
/* RC_ARG: the struct breaks its own table. Compact, keys in table order. */
MUST_CHECK enum rc wire_encode(const struct wire_table *table, char **json,
                               size_t *len, const void *in);
/* Frees all members, zeroes the struct. NULL is fine. */
void wire_free(const struct wire_table *table, void *m);

/*
 * The tree of one JSON value, not yet checked against the table except for
 * its number of values. RC_PARSE: byte and reason, RC_TOO_LARGE: over
 * WIRE_JSON_MAX. Caller: json_decref().
 */
MUST_CHECK enum rc wire_parse(json_t **out, const struct wire_table *table,
                              const char *json, size_t len);

/* Where we are in a message, for error texts; lives on the stack. */
struct wire_path {
    const struct wire_path *up;
    const char *name; /* NULL: an element of `up` */
    size_t index;
};
/* rc_raise with "round2.items[3].key: " in front. */
#define wire_refuse(path, rc, ...)                                             \
    wire_refuse_at(__FILE__, __LINE__, (path), (rc), __VA_ARGS__)
enum rc wire_refuse_at(const char *file, int line, const struct wire_path *path,
                       enum rc rc, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Shared by both directions: no byte under 0x20 and no DEL. */
bool wire_printable(const char *p, size_t len);

#endif
