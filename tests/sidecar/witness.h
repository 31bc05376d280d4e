/* SPDX-License-Identifier: Apache-2.0 */
/* Asking nodes as witnesses, and a log that grows by itself. */
#ifndef TESTS_SIDECAR_WITNESS_H
#define TESTS_SIDECAR_WITNESS_H

#include "sim.h"

#include <sqlite3.h>

#include "base/enc.h"
#include "base/hash.h"

static struct node_witnessed answer;

static inline int add(struct sim *s, unsigned id, const char *body)
{
    memset(&answer, 0, sizeof(answer));
    node_on_add_checkpoint(s->node[id].node, &answer, body, strlen(body));
    assert_int_equal(answer.len, strlen(answer.body));
    return answer.status;
}

/* Newest checkpoint of the simulated log. */
static inline void newest(struct sim *s, char note[TLOG_NOTE_MAX],
                          struct tlog_checkpoint *cp)
{
    assert_ok(tlog_store_checkpoint(s->log.store, note));
    assert_ok(tlog_checkpoint_open(cp, note, strlen(note), &s->vkey));
}

/* The honest request from size `old` to the newest. */
static inline void request(struct sim *s, char body[TLOG_ADD_CHECKPOINT_MAX],
                           uint64_t old)
{
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    struct tlog_path path = { .n = 0 };
    size_t len;
    newest(s, note, &cp);
    if (old)
        assert_ok(tlog_store_consistency(s->log.store, &path, old, cp.size));
    assert_ok(tlog_add_checkpoint_write(body, TLOG_ADD_CHECKPOINT_MAX, &len,
                                        old, &path, note));
}

static inline void grow(struct sim *s, unsigned by)
{
    static unsigned serial;
    while (by-- > 0) {
        WIRE(append) ask = { 0 };
        OWNED_MEM char *json = NULL;
        OWNED_MEM char *reply = NULL;
        char entry[64];
        size_t len;
        int n = snprintf(entry, sizeof(entry),
                         "mpc-abort/1\nintent %u\nreason test\n", ++serial);
        assert_ok(wire_list_new(&ask.entries, 1));
        assert_ok(wire_text_set(&ask.entries.at[0], entry, (size_t)n));
        assert_ok(wire_append_encode(&json, &len, &ask));
        assert_ok(sim_log_serve(s, 0, "/v1/log/append", (uint8_t *)json, len,
                                &reply, &len));
    }
}

static inline struct tlog_vkey cosigner(struct sim *s, unsigned id)
{
    struct tlog_vkey v;
    char name[64];
    int origin = (int)(strchr(s->vkey.name, '/') - s->vkey.name);
    snprintf(name, sizeof(name), "%.*s/node%u", origin, s->vkey.name, id);
    assert_ok(tlog_vkey_make(&v, name, TLOG_SIG_COSIGNATURE,
                             s->node[id].keys.identity));
    return v;
}

static inline void is_a_line_over(struct sim *s, unsigned id,
                                  const struct tlog_checkpoint *cp)
{
    struct tlog_vkey v = cosigner(s, id);
    assert_string_equal(answer.type, "text/plain; charset=utf-8");
    assert_ok(tlog_cosignature_check(answer.body, cp, &v, NULL));
}

static inline const char *head_path(struct sim *s)
{
    static char path[ENC_HEX_SIZE(32) + 16];
    uint8_t hash[32];
    char hex[ENC_HEX_SIZE(32)];
    hash256(hash, s->vkey.name, strlen(s->vkey.name));
    snprintf(path, sizeof(path), "%s/checkpoint", enc_hex(hex, hash, 32));
    return path;
}

/* What it tells the log to have seen; 0: nothing. */
static inline uint64_t told(struct sim *s, unsigned id)
{
    struct tlog_checkpoint cp;
    struct tlog_vkey v = cosigner(s, id);
    node_witness_head(s->node[id].node, &answer, head_path(s));
    if (answer.status == 404)
        return 0;
    assert_int_equal(answer.status, 200);
    assert_ok(tlog_checkpoint_open(&cp, answer.body, answer.len, &s->vkey));
    assert_ok(tlog_note_cosigned(answer.body, answer.len, &v, NULL));
    return cp.size;
}

static inline void says_size(uint64_t size)
{
    char want[32];
    snprintf(want, sizeof(want), "%llu\n", (unsigned long long)size);
    assert_string_equal(answer.type, TLOG_SIZE_TYPE);
    assert_string_equal(answer.body, want);
}

/* From now on its disk takes no head. */
static inline void break_disk(struct sim *s, unsigned id)
{
    static const char sql[] = "CREATE TRIGGER no BEFORE INSERT ON kv BEGIN"
                              " SELECT RAISE(FAIL, 'disk full'); END;";
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(s->node[id].db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static inline void mend_disk(struct sim *s, unsigned id)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(s->node[id].db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TRIGGER no", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

#endif
