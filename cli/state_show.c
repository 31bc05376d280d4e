/* SPDX-License-Identifier: Apache-2.0 */
/* A session in words, for people. */
#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"

const char *state_left(char out[STATE_WORDS], int64_t expires, int64_t now_s)
{
    int64_t s = expires > now_s ? expires - now_s : now_s - expires;
    const char *in = expires > now_s ? "in " : "";
    const char *ago = expires > now_s ? "" : " ago";
    if (s < 60)
        snprintf(out, STATE_WORDS, "%s%d s%s", in, (int)s, ago);
    else if (s < 3600)
        snprintf(out, STATE_WORDS, "%s%d min %d s%s", in, (int)(s / 60),
                 (int)(s % 60), ago);
    else
        snprintf(out, STATE_WORDS, "%s%lld h %d min%s", in,
                 (long long)(s / 3600), (int)(s % 3600 / 60), ago);
    return out;
}

bool state_url(char *out, size_t cap, const char *id)
{
    const char *base = getenv("MPC_APPROVE_URL");
    size_t len = base ? strlen(base) : 0;
    while (len && base[len - 1] == '/')
        len--;
    return len &&
           snprintf(out, cap, "%.*s/s/%s", (int)len, base, id) < (int)cap;
}

/* "ssh" → how a person would say it. */
static const char *way_words(const char *way)
{
    static const char *const words[][2] = {
        { "ssh", "SSH key" },
        { "fido2", "security key" },
        { "local-page", "own page" },
        { "sidecar-page", "sidecar's page" },
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(way, words[i][0]) == 0)
            return words[i][1];
    return *way ? "another way" : "";
}

/* How a decision is shown. */
static const struct decision {
    const char *name;
    const char *mark;
    const char *did;
} decisions[] = {
    { "approve", "✓", "approved" },
    { "deny", "✗", "denied" },
    { "revoke", "-", "took it back" },
};

static const struct decision *decision(const char *name)
{
    static const struct decision other = { "", "?", "decided" };
    for (size_t i = 0; i < sizeof(decisions) / sizeof(*decisions); i++)
        if (strcmp(name, decisions[i].name) == 0)
            return &decisions[i];
    return &other;
}

void state_said(char out[STATE_SAID], const struct wire_said *r)
{
    char who[WIRE_NAME_MAX];
    char role[WIRE_NAME_MAX];
    const struct decision *d = decision(r->decision);
    snprintf(out, STATE_SAID, "%s %-10s %s as %s%s%s", d->mark,
             state_plain(who, sizeof(who), r->person), d->did,
             state_plain(role, sizeof(role), r->role), *r->way ? ", " : "",
             way_words(r->way));
}

static unsigned person_lines(FILE *to, const struct wire_session_state *s)
{
    char said[STATE_SAID];
    for (size_t i = 0; i < s->records.n; i++) {
        state_said(said, &s->records.at[i]);
        fprintf(to, "  %s\n", said);
    }
    return (unsigned)s->records.n;
}

unsigned state_lines(FILE *to, const struct wire_session_state *s,
                     int64_t now_s)
{
    char words[STATE_WORDS];
    char left[STATE_WORDS];
    unsigned n = person_lines(to, s);
    if (state_is(s, "open"))
        fprintf(to, "  … waits for %s; ends %s\n", state_missing(words, s),
                state_left(left, (int64_t)s->expires, now_s));
    else
        fprintf(to, "  %s %s\n", state_verdict(s) == RC_OK ? "✓" : "✗",
                s->state);
    return n + 1;
}

/* ---- the page ----------------------------------------------------------- */

static void artifact(FILE *to, const struct wire_session_state *s)
{
    char name[sizeof(s->artifact.at->name)];
    char hex[129];
    if (s->artifact.n == 0)
        return;
    const struct wire_artifact *a = &s->artifact.at[0];
    fprintf(to, "artifact     %s, %llu bytes\n",
            state_plain(name, sizeof(name), a->name),
            (unsigned long long)a->size);
    fprintf(to, "  sha256     %s\n", enc_hex(hex, a->sha256, 32));
    enc_hex(hex, a->sha512, 64);
    fprintf(to, "  sha512     %.64s\n             %s\n", hex, hex + 64);
}

static void people(FILE *to, const struct wire_session_state *s)
{
    char words[STATE_WORDS];
    fprintf(to, "approvals    %llu of %llu engineers, %llu of %llu stewards\n",
            (unsigned long long)s->have.engineer,
            (unsigned long long)s->required.engineer,
            (unsigned long long)s->have.steward,
            (unsigned long long)s->required.steward);
    person_lines(to, s);
    if (state_is(s, "open"))
        fprintf(to, "missing      %s\n", state_missing(words, s));
    if (s->acks.deny)
        fprintf(to, "denial       %llu nodes hold it, %llu make it stand\n",
                (unsigned long long)s->acks.deny,
                (unsigned long long)s->acks.need);
}

static void slots(FILE *to, const struct wire_session_state *s)
{
    char kind[8];
    char how[8];
    for (size_t i = 0; i < s->slots.n; i++) {
        const struct wire_slot_state *v = &s->slots.at[i];
        fprintf(to, "slot         %-6s %s",
                state_plain(kind, sizeof(kind), v->kind),
                state_plain(how, sizeof(how), v->state));
        if (v->attempts)
            fprintf(to, ", %llu attempt%s", (unsigned long long)v->attempts,
                    v->attempts == 1 ? "" : "s");
        fputc('\n', to);
    }
}

static void times(FILE *to, const struct wire_session_state *s, int64_t now_s)
{
    char at[CLOCK_TEXT_SIZE];
    char left[STATE_WORDS];
    int64_t end = (int64_t)s->expires;
    fprintf(to, "asked        %s\n", clock_text(at, (int64_t)s->created));
    fprintf(to, "%s      %s, %s\n", end > now_s ? "expires" : "expired",
            state_left(left, end, now_s), clock_text(at, end));
}

static void next(FILE *to, const struct wire_session_state *s, const char *id)
{
    char url[512];
    if (state_is(s, "open")) {
        fprintf(to, "next         mpcsign approve %s --as PERSON --role ROLE\n",
                id);
        if (state_url(url, sizeof(url), id))
            fprintf(to, "or           %s\n", url);
    } else if (state_is(s, "approved") || state_is(s, "signing")) {
        fprintf(to, "next         export MPC_SESSION=%s, and sign\n", id);
    } else if (!state_is(s, "used")) {
        fputs("next         request a new session\n", to);
    }
}

void state_page(FILE *to, const struct wire_session_state *s, int64_t now_s)
{
    char id[65];
    char text[sizeof(s->reason)];
    enc_hex(id, s->session, 32);
    if (s->break_glass)
        fputs("*** BREAK GLASS: this goes around the usual quorum ***\n", to);
    fprintf(to, "session      %s\ncode         %.8s\nstate        %s\n", id, id,
            s->state);
    fprintf(to, "asks         %s%s%s, by %s\n", s->type,
            *s->profile ? " with " : "", s->profile,
            state_plain(text, sizeof(text), s->requester));
    if (*s->reason)
        fprintf(to, "reason       %s\n",
                state_plain(text, sizeof(text), s->reason));
    artifact(to, s);
    people(to, s);
    slots(to, s);
    times(to, s, now_s);
    next(to, s, id);
}
