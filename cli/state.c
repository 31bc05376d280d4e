/* SPDX-License-Identifier: Apache-2.0 */
/* How a session stands, as the sidecar of this machine sees it. */
#include "cli/session.h"

#include <string.h>

#include "base/enc.h"

enum rc state_ask(struct wire_session_state *out, char **text, const char *id)
{
    char path[128];
    uint8_t want[32];
    struct http_answer a;
    if (enc_unhex(want, 32, id, strlen(id)) != RC_OK)
        return rc_raise(RC_ARG, "ID: want 64 hex digits");
    snprintf(path, sizeof(path), "/v1/session/%s/state", id);
    TRY(cli_ask(&a, NULL, path, NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_session_state_decode(out, (const char *)a.body,
                                           a.body_len);
    if (rc == RC_OK && memcmp(out->session, want, 32) != 0)
        rc = rc_raise(RC_VERIFY, "the sidecar's answer is of another session");
    if (rc == RC_OK && text) {
        *text = strndup((const char *)a.body, a.body_len);
        rc = *text ? RC_OK : rc_raise(RC_NOMEM, "state: out of memory");
    }
    http_answer_free(&a);
    return rc;
}

/* ---- finding ------------------------------------------------------------ */

static bool is_hex(const char *id, size_t min)
{
    size_t len = strlen(id);
    return len >= min && len <= 64 && strspn(id, "0123456789abcdef") == len;
}

static enum rc find_in(char out[65], const struct wire_sessions *all,
                       const char *id)
{
    bool found = false;
    for (size_t i = 0; i < all->sessions.n; i++) {
        char hex[65];
        enc_hex(hex, all->sessions.at[i].session, 32);
        if (strncmp(hex, id, strlen(id)) != 0)
            continue;
        if (found)
            return rc_raise(RC_ARG, "ID: several sessions begin with %s", id);
        found = true;
        memcpy(out, hex, 65);
    }
    return found ? RC_OK
                 : rc_raise(RC_UNKNOWN,
                            "session %s: this node knows none "
                            "that begins so",
                            id);
}

enum rc state_sessions(struct wire_sessions *out)
{
    struct http_answer a;
    TRY(cli_ask(&a, NULL, "/v1/sessions", NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_sessions_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

enum rc state_find(char out[65], const char *id)
{
    WIRE(sessions) all = { 0 };
    if (!is_hex(id, 8))
        return rc_raise(RC_ARG, "ID: want 64 hex digits, or at least 8");
    if (strlen(id) == 64) {
        memcpy(out, id, 65);
        return RC_OK;
    }
    TRY(state_sessions(&all));
    return find_in(out, &all, id);
}

/* ---- words -------------------------------------------------------------- */

bool state_is(const struct wire_session_state *s, const char *name)
{
    return strcmp(s->state, name) == 0;
}

static size_t put_places(char *out, size_t at, uint64_t need, uint64_t have,
                         const char *role)
{
    uint64_t n = need > have ? need - have : 0;
    if (!n)
        return at;
    return at + (size_t)snprintf(out + at, STATE_WORDS - at, "%s%llu %s%s",
                                 at ? ", " : "", (unsigned long long)n, role,
                                 n == 1 ? "" : "s");
}

const char *state_missing(char out[STATE_WORDS],
                          const struct wire_session_state *s)
{
    snprintf(out, STATE_WORDS, "nobody");
    size_t at = put_places(out, 0, s->required.engineer, s->have.engineer,
                           "engineer");
    put_places(out, at, s->required.steward, s->have.steward, "steward");
    return out;
}

static const char *who_denied(const struct wire_session_state *s)
{
    for (size_t i = 0; i < s->records.n; i++)
        if (strcmp(s->records.at[i].decision, "deny") == 0)
            return s->records.at[i].person;
    return "a person";
}

/* Over, and why; every one of them is asked for anew. */
static enum rc ended(const struct wire_session_state *s, const char *id)
{
    static const struct {
        const char *state;
        enum rc rc;
        const char *why;
    } rows[] = {
        { "expired", RC_EXPIRED, "its time has passed" },
        { "policy_changed", RC_POLICY_CHANGED,
          "made under another policy version" },
        { "burnt", RC_SLOT_BURNT, "a slot failed after it was marked" },
    };
    if (state_is(s, "denied"))
        return rc_raise(RC_DENIED, "session %.8s: denied by %s", id,
                        who_denied(s));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (state_is(s, rows[i].state))
            return rc_raise(rows[i].rc, "session %.8s: %s", id, rows[i].why);
    return rc_raise(RC_PARSE,
                    "session %.8s: in a state that this mpcsign "
                    "does not know",
                    id);
}

enum rc state_verdict(const struct wire_session_state *s)
{
    char words[STATE_WORDS];
    char id[65];
    enc_hex(id, s->session, 32);
    if (state_is(s, "approved") || state_is(s, "signing") ||
        state_is(s, "used"))
        return RC_OK;
    if (state_is(s, "open")) {
        enum rc rc = rc_raise(RC_NOT_APPROVED, "session %.8s waits for %s", id,
                              state_missing(words, s));
        rc_hint("mpcsign approve %s --as PERSON --role ROLE", id);
        return rc;
    }
    enum rc rc = ended(s, id);
    rc_hint("request a new session");
    return rc;
}

/* Of U+2000 to U+207F, all written e2 8x xx: no width, or another direction. */
static bool hides_e2(unsigned char second, unsigned char third)
{
    return second == 0x80 ? (third >= 0x8b && third <= 0x8f) ||
                                    (third >= 0xa8 && third <= 0xae)
                          : second == 0x81 && third >= 0xa0 && third <= 0xaf;
}

/* Bytes of a character that is not shown as what it is; 0 for all others. */
static size_t hides(const unsigned char *p)
{
    if (*p < 0x20 || *p == 0x7f)
        return 1;
    if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* C1 */
        return 2;
    if ((p[0] == 0xe2 && p[1] && hides_e2(p[1], p[2])) ||
        strncmp((const char *)p, "\xef\xbb\xbf", 3) == 0)
        return 3;
    return 0;
}

const char *state_plain(char *out, size_t cap, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t at = 0;
    while (*p && at + 1 < cap) {
        size_t n = hides(p);
        out[at++] = n ? '?' : (char)*p;
        p += n ? n : 1;
    }
    out[at] = '\0';
    return out;
}
