/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One round of a monitor. Entries come before their checkpoint is judged, so
 * what they lead to waits until it was; after a refusal everything is as the
 * state file has it.
 */
#include "cli/log_watch.h"

#include <stdio.h>
#include <string.h>

/* ---- state -------------------------------------------------------------- */

enum rc log_monitor_open(struct log_monitor *m)
{
    return cli_log_state_load(&m->watch, &m->follow, &m->saved, m->state,
                              &m->log.key);
}

void log_monitor_close(struct log_monitor *m)
{
    tlog_watch_free(TAKE(m->watch));
    cli_log_filter_wipe(&m->filter);
    json_decref(TAKE(m->entries));
    json_decref(TAKE(m->alarms));
    cli_log_close(&m->log);
}

/* What the entries of a refused step did is forgotten. */
static enum rc go_back(struct log_monitor *m)
{
    bool found;
    OWN_S(tlog_watch) *w = NULL;
    TRY(cli_log_state_load(&w, &m->follow, &found, m->state, &m->log.key));
    if (m->saved && !found)
        return rc_raise(RC_STORE, "%s: it was there before", m->state);
    tlog_watch_free(m->watch);
    m->watch = TAKE(w);
    json_array_clear(m->entries);
    json_array_clear(m->alarms);
    return RC_OK;
}

enum rc log_monitor_keep(struct log_monitor *m)
{
    if (m->saved && m->follow.size == m->from &&
        json_array_size(m->alarms) == 0)
        return RC_OK;
    TRY(cli_log_state_save(m->state, m->watch, &m->follow, &m->log.key));
    m->saved = true;
    return RC_OK;
}

/* ---- alarms ------------------------------------------------------------- */

static void add_alarm(struct log_monitor *m, json_t *alarm)
{
    if (json_array_append_new(m->alarms, alarm) != 0)
        m->failed = true;
}

static void words_of(char out[160], const struct tlog_alarm *a)
{
    unsigned long long i = a->index;
    unsigned long long other = a->other;
    switch (a->kind) {
    case TLOG_ALARM_NO_INTENT:
        snprintf(out, 160, "entry %llu ends intent %llu, which there is not", i,
                 other);
        break;
    case TLOG_ALARM_NO_RECEIPT:
        snprintf(out, 160,
                 "entry %llu, an intent, expired: neither receipt nor abort",
                 i);
        break;
    case TLOG_ALARM_SECOND_MESSAGE:
        snprintf(out, 160,
                 "entry %llu is for another message in the slot of entry %llu",
                 i, other);
        break;
    case TLOG_ALARM_MALFORMED:
        snprintf(out, 160, "entry %llu has a type of ours and does not decode",
                 i);
        break;
    }
}

static void on_alarm(const struct tlog_alarm *a, void *arg)
{
    char words[160] = "";
    words_of(words, a);
    json_t *o = json_pack("{s:s, s:I, s:s}", "kind", tlog_alarm_name(a->kind),
                          "index", (json_int_t)a->index, "words", words);
    if (o && a->other != TLOG_NO_INDEX)
        json_object_set_new(o, "other", json_integer((json_int_t)a->other));
    add_alarm(arg, o);
}

/* ---- the log caught ----------------------------------------------------- */

/* Shown by its own tiles to go on from what was seen? Then it is not a fork,
 * but what it serves does not fit what it signs. */
static enum rc goes_on(struct log_monitor *m, const char *other)
{
    struct tlog_checkpoint old;
    struct tlog_checkpoint now;
    struct tlog_path path;
    const char *held = m->follow.checkpoint;
    TRY(tlog_checkpoint_open(&old, held, strlen(held), &m->log.key));
    TRY(tlog_checkpoint_open(&now, other, strlen(other), &m->log.key));
    TRY(tlog_tiles_consistency(&path, old.size, now.size, cli_log_fetch,
                               &m->log));
    return tlog_consistency_check(&path, old.size, &old.root, now.size,
                                  &now.root);
}

/* Both notes beside the state, for whoever must be shown. */
static enum rc keep_notes(json_t *list, struct log_monitor *m,
                          const char *other)
{
    const char *const notes[] = { m->follow.checkpoint, other };
    char path[CLI_PATH];
    for (unsigned i = 0; i < 2; i++) {
        TRY(cli_log_evidence(path, m->state, notes[i]));
        json_array_append_new(list, json_string(path));
    }
    return RC_OK;
}

static const char *kind_of(struct log_monitor *m, enum rc rc, const char *other)
{
    if (rc == RC_HEAD_BEHIND)
        return "shrunken_log";
    if (!*other)
        return "bad_checkpoint";
    if (m->follow.size == 0 || goes_on(m, other) == RC_OK)
        return "unfit_tiles";
    return "fork";
}

static enum rc caught(struct log_monitor *m, enum rc rc, char *other)
{
    struct tlog_checkpoint cp;
    char words[512];
    snprintf(words, sizeof(words), "%s", rc_text());
    TRY(go_back(m)); /* the notes to compare with are those of before */
    if (rc == RC_HEAD_BEHIND && cli_log_head(&cp, other, &m->log) != RC_OK)
        other[0] = '\0';
    const char *kind = kind_of(m, rc, other);
    json_t *kept = json_array();
    if (*other && m->follow.size > 0 && keep_notes(kept, m, other) != RC_OK)
        cli_note("no evidence is kept: %s", rc_text()); /* the alarm counts */
    add_alarm(m, json_pack("{s:s, s:s, s:o}", "kind", kind, "words", words,
                           "evidence", kept));
    m->standing = true;
    return RC_OK;
}

/* ---- entries ------------------------------------------------------------ */

static enum rc show(struct log_monitor *m, uint64_t index, const uint8_t *entry,
                    size_t len)
{
    enum cli_log_match match = CLI_LOG_YES;
    const char *why = "any";
    if (!m->all && !m->by_key)
        return RC_OK;
    OWNED(json_t) *e = cli_log_entry_json(index, entry, len);
    if (!e)
        return rc_raise(RC_NOMEM, "watch: out of memory");
    if (!m->all)
        TRY(cli_log_filter_match(&match, &why, &m->filter, e));
    if (match == CLI_LOG_NO)
        return RC_OK;
    if (match == CLI_LOG_MAYBE)
        json_object_set_new(e, "maybe", json_true());
    return json_array_append(m->entries, e) == 0
                   ? RC_OK
                   : rc_raise(RC_NOMEM, "watch: out of memory");
}

static enum rc on_entry(uint64_t index, const uint8_t *entry, size_t len,
                        void *arg)
{
    struct log_monitor *m = arg;
    TRY(tlog_watch_entry(m->watch, index, entry, len, on_alarm, m));
    return show(m, index, entry, len);
}

/* Is the intent, of an earlier round, of the key? Proven in this tree. */
static enum rc belongs(bool *yes, struct log_monitor *m, const json_t *receipt)
{
    json_int_t intent = json_integer_value(json_object_get(receipt, "intent"));
    OWNED_MEM struct tlog_proof *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "watch: out of memory");
    enum rc rc = cli_log_entry(p, &m->log, m->follow.checkpoint,
                               (uint64_t)intent);
    *yes = false;
    if (rc == RC_TOO_LARGE) /* so it is no intent */
        return RC_OK;
    TRY(rc);
    OWNED(json_t) *e = cli_log_entry_json(p->index, (uint8_t *)p->entry,
                                          p->entry_len);
    *yes = e &&
           strcmp(json_string_value(json_object_get(e, "type")), "intent") ==
                   0 &&
           cli_log_filter_why(&m->filter, e);
    return RC_OK;
}

static enum rc settle_maybes(struct log_monitor *m)
{
    for (size_t i = 0; i < json_array_size(m->entries);) {
        json_t *e = json_array_get(m->entries, i);
        bool yes = true;
        if (json_object_get(e, "maybe"))
            TRY(belongs(&yes, m, e));
        json_object_del(e, "maybe");
        if (yes)
            i++;
        else
            json_array_remove(m->entries, i);
    }
    return RC_OK;
}

/* ---- a round ------------------------------------------------------------ */

static enum rc begin(struct log_monitor *m)
{
    json_decref(m->entries);
    json_decref(m->alarms);
    m->entries = json_array();
    m->alarms = json_array();
    m->failed = false;
    m->standing = false;
    m->from = m->follow.size;
    m->filter.from = m->from;
    m->filter.n_intents = 0;
    if (!m->entries || !m->alarms)
        return rc_raise(RC_NOMEM, "watch: out of memory");
    return RC_OK;
}

/* It answers, and withholds: as good as not there. */
static enum rc unreadable(struct log_monitor *m, enum rc rc)
{
    char words[512];
    snprintf(words, sizeof(words), "%s", rc_text());
    TRY(go_back(m));
    if (rc == RC_UNKNOWN)
        return rc_raise(RC_UNREACHABLE, "the log does not show all it has: %s",
                        words);
    return rc_raise(rc, "%s", words);
}

enum rc log_monitor_round(struct log_monitor *m, int64_t now_s)
{
    char other[TLOG_NOTE_MAX] = "";
    TRY(begin(m));
    enum rc rc = tlog_follow_step(&m->follow, m->log.trust, cli_log_fetch,
                                  &m->log, on_entry, m, other);
    if (rc == RC_LOG || rc == RC_VERIFY || rc == RC_HEAD_BEHIND)
        TRY(caught(m, rc, other));
    else if (rc == RC_OK && (rc = settle_maybes(m)) == RC_OK)
        tlog_watch_time(m->watch, now_s, m->grace_s, on_alarm, m);
    else
        return unreadable(m, rc);
    return m->failed ? rc_raise(RC_NOMEM, "watch: out of memory") : RC_OK;
}
