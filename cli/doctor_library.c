/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL itself, as a tool of this shell would find it. */
#include "cli/doctor.h"

#include <stdio.h>
#include <string.h>

/* ---- providers ---------------------------------------------------------- */

/* "default 3.0.22, mpc 0.1.0" */
static void list_providers(char *out, size_t cap, const struct doctor_answer *a)
{
    char one[256];
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; doctor_answer_get(one, sizeof(one), a, "provider", i);
         i++) {
        int n = snprintf(out + at, cap - at, "%s%s", at ? ", " : "", one);
        if (n < 0 || (size_t)n >= cap - at)
            return;
        at += (size_t)n;
    }
}

static void say_loaded(struct doctor *d, const struct doctor_answer *a)
{
    char all[512];
    char library[128];
    char why[512];
    list_providers(all, sizeof(all), a);
    doctor_answer_get(library, sizeof(library), a, "library", 0);
    if (doctor_answer_is(a, "config", "1"))
        doctor_ok(d, "library", "%s has providers %s", library,
                  *all ? all : "by default");
    else
        doctor_fail(d, "library",
                    "see the lines above; OpenSSL tells tools nothing of it",
                    "%s gave the configuration up: %s (providers: %s)", library,
                    doctor_answer_get(why, sizeof(why), a, "config-error", 0)
                            ? why
                            : "no reason",
                    *all ? all : "none named");
}

static void check_signature(struct doctor *d, const struct doctor_answer *a)
{
    char who[256];
    doctor_answer_get(who, sizeof(who), a, "signature", 0);
    d->active = *who && strcmp(who, "-") != 0;
    if (d->active)
        doctor_ok(d, "signature", "mpc-ed25519 is there, by %s", who);
    else
        doctor_fail(d, "signature", "see the lines above",
                    "no tool of this shell finds mpc-ed25519: the mpc provider "
                    "is not active");
}

/* What everybody else in the process needs. */
static void check_ordinary(struct doctor *d, const struct doctor_answer *a)
{
    char why[512];
    if (!doctor_answer_is(a, "sha256", "default")) {
        doctor_fail(d, "ordinary", "name and activate the default provider",
                    "no SHA-256 of the default provider: ordinary uses of "
                    "OpenSSL fail in every tool of this shell");
        return;
    }
    if (doctor_answer_is(a, "keygen", "1")) {
        doctor_ok(d, "ordinary", "digests work, and genpkey of Ed25519");
        return;
    }
    doctor_answer_get(why, sizeof(why), a, "keygen-error", 0);
    doctor_fail(d, "ordinary",
                "default before mpc in the providers' section, and no "
                "default_properties",
                "genpkey of an ordinary Ed25519 key fails: %s",
                *why ? why : "no reason");
}

void doctor_library(struct doctor *d)
{
    struct doctor_answer a;
    enum rc rc = doctor_probe(&a, "library", NULL);
    if (rc == RC_OK)
        rc = doctor_answer_whole(&a);
    if (rc != RC_OK) {
        doctor_fail(d, "library",
                    "see the lines above: any tool of this shell may end so",
                    "%s", rc_text());
        return;
    }
    say_loaded(d, &a);
    check_signature(d, &a);
    check_ordinary(d, &a);
}

/* ---- a key, end to end -------------------------------------------------- */

static void judge_key(struct doctor *d, const char *uri,
                      const struct doctor_answer *a)
{
    char text[512];
    unsigned last = 0;
    if (doctor_answer_whole(a) != RC_OK) {
        doctor_fail(d, "key", "see the lines above", "%s: %s", uri, rc_text());
    } else if (doctor_answer_get(text, sizeof(text), a, "public", 0)) {
        doctor_ok(d, "key", "%s is Ed25519 %s", uri, text);
    } else if (doctor_answer_is(a, "loaded", "1")) {
        doctor_ok(d, "key", "%s loads", uri);
    } else {
        /* the last word is the provider's; before it, what else was tried */
        while (doctor_answer_get(text, sizeof(text), a, "key-error", last))
            last++;
        if (last)
            doctor_answer_get(text, sizeof(text), a, "key-error", last - 1);
        doctor_fail(d, "key", "see the lines above", "%s does not load: %s",
                    uri, last ? text : "no reason");
    }
}

void doctor_key(struct doctor *d)
{
    char uri[DOCTOR_PATH];
    struct doctor_answer a;
    if (d->key)
        snprintf(uri, sizeof(uri), "%s", d->key);
    else if (*d->key_name)
        snprintf(uri, sizeof(uri), "mpc:%s", d->key_name);
    else
        return; /* said already: there is none */
    if (doctor_probe(&a, "key", uri) != RC_OK)
        doctor_fail(d, "key", NULL, "%s: %s", uri, rc_text());
    else
        judge_key(d, uri, &a);
}
