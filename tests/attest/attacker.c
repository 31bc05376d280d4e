/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attack on daemons that run, by name; one line of JSON about it.
 *
 *     attacker NAME --ca PEM --cert PEM --key PEM --uri MPC-URI
 *         --to HOST:PORT --to-uri MPC-URI [--other HOST:PORT --other-uri …]
 *         [--sim SOCKET] [--state FILE] [--ready FILE] [--until FILE]
 *
 * Exit 0 only when the daemon answered as the table says, and let nothing in
 * that it should not; the cases that play fair are let in. 1: something else
 * happened, which is a bug. 3: the attack could not be played.
 */
#include "attack.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct option {
    const char *name;
    const char **value;
};

static int usage(const char *what)
{
    fprintf(stderr, "attacker: %s\n", what);
    return 2;
}

static bool take(struct attack *a, int argc, char **argv)
{
    const struct option all[] = {
        { "--ca", &a->ca },
        { "--cert", &a->cert },
        { "--key", &a->key },
        { "--uri", &a->uri },
        { "--to", &a->to },
        { "--to-uri", &a->to_uri },
        { "--other", &a->other },
        { "--other-uri", &a->other_uri },
        { "--sim", &a->sim },
        { "--state", &a->state },
        { "--ready", &a->ready },
        { "--until", &a->until },
        { "--as-cert", &a->as_cert },
        { "--as-key", &a->as_key },
        { "--deployment", &a->deployment },
    };
    for (int i = 2; i + 1 < argc; i += 2) {
        bool known = false;
        for (size_t o = 0; o < sizeof(all) / sizeof(all[0]); o++)
            if (strcmp(argv[i], all[o].name) == 0) {
                *all[o].value = argv[i + 1];
                known = true;
            }
        if (!known)
            return false;
    }
    return argc % 2 == 0 && a->ca && a->cert && a->key && a->to && a->to_uri;
}

static const struct attack_case *find(const char *name)
{
    static const struct attack_case *const tables[] = { attack_tls_cases,
                                                        attack_evidence_cases,
                                                        attack_bind_cases };
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct attack_case *c = tables[i]; c->name; c++)
            if (strcmp(c->name, name) == 0)
                return c;
    return NULL;
}

/* ---- whether anything was won ------------------------------------------- */

/* What the guard says; all else came from behind it. */
static bool is_refusal(const struct answer *got)
{
    return got->status == 0 || strcmp(got->code, "attestation_required") == 0 ||
           strcmp(got->code, "policy_mismatch") == 0 ||
           strcmp(got->code, "forbidden") == 0;
}

/* Asks for what a peer may ask. */
static bool let_in(const struct attack *a, const struct line *l)
{
    struct answer got = { 0 };
    line_call(&got, l, a, NULL);
    bool in = !is_refusal(&got);
    if (!in && strstr(l->tls.peer_uri, "/sidecar/")) {
        line_ask(&got, l, a, "POST", "/v1/frost/commit", NULL, "{}", 2);
        in = !is_refusal(&got);
    }
    answer_clear(&got);
    return in;
}

static void try_all(struct attack *a)
{
    for (unsigned i = 0; i < ATTACK_LINES; i++) {
        struct line *l = &a->line[i];
        if (l->ssl && !l->fair && let_in(a, l))
            a->let_in = true;
    }
}

/* ---- the report --------------------------------------------------------- */

static int report(struct attack *a, const struct attack_case *c)
{
    bool fair = c->status == 200;
    try_all(a);
    bool ok = a->said && a->got.status == c->status && a->let_in == fair &&
              strcmp(a->got.code, c->code) == 0 &&
              strstr(a->got.message, c->says) != NULL;
    json_t *o = json_pack("{ss,ss,si,ss,ss,ss,sb,sb}", "attack", c->name, "to",
                          a->to_uri, "status", a->got.status, "code",
                          a->got.code, "message", a->got.message, "says",
                          c->says, "let_in", a->let_in, "as_expected", ok);
    json_dumpf(o, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(o);
    return ok ? 0 : 1;
}

static int play(struct attack *a, const struct attack_case *c)
{
    enum rc rc = hand_open(&a->hand, a);
    if (rc == RC_OK)
        rc = c->play(a);
    if (rc != RC_OK) {
        fprintf(stderr, "attacker: %s: not played: %s\n", c->name, rc_text());
        return 3;
    }
    return report(a, c);
}

int main(int argc, char **argv)
{
    struct attack a = { .deployment = "dev", .uri = "" };
    if (argc < 2 || sodium_init() < 0 || !take(&a, argc, argv))
        return usage("NAME and options, see the head of its source");
    signal(SIGPIPE, SIG_IGN);
    a.name = argv[1];
    if (strcmp(a.name, "between") == 0)
        return attack_between(&a);
    const struct attack_case *c = find(a.name);
    if (!c)
        return usage("no such attack");
    int status = play(&a, c);
    for (unsigned i = 0; i < ATTACK_LINES; i++)
        line_close(&a.line[i]);
    answer_clear(&a.got);
    free(a.kept);
    attest_guest_free(a.hand.guest);
    return status;
}
