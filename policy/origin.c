/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an assertion was made, and so which way it came: an origin is a claim
 * of the approver's browser that the authenticator signed. Public data.
 */
#include "policy/credential.h"

#include <string.h>

#define LOCALHOST "http://localhost"

/* After the host: nothing, or a port as browsers write it. */
static bool port_ok(const char *text)
{
    if (!*text)
        return true;
    size_t n = strspn(text + 1, "0123456789");
    return *text == ':' && n >= 1 && n <= 5 && !text[1 + n] && text[1] != '0' &&
           strtoul(text + 1, NULL, 10) <= UINT16_MAX;
}

static bool local(const char *origin)
{
    size_t n = sizeof(LOCALHOST) - 1;
    return strncmp(origin, LOCALHOST, n) == 0 && port_ok(origin + n);
}

bool policy_origin_ok(const char *origin, bool cli)
{
    static const char https[] = "https://";
    if (strlen(origin) >= POLICY_ORIGIN_MAX)
        return false;
    if (strcmp(origin, POLICY_CLI_ORIGIN) == 0)
        return cli;
    if (local(origin))
        return true;
    if (strncmp(origin, https, sizeof(https) - 1) != 0)
        return false;
    const char *host = origin + sizeof(https) - 1;
    size_t n = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
    return n >= 1 && port_ok(host + n);
}

bool policy_origin_within(const char *origin, const char *rp_id)
{
    if (strcmp(origin, POLICY_CLI_ORIGIN) == 0)
        return true;
    const char *host = strstr(origin, "://");
    if (!host)
        return false;
    host += 3;
    size_t n = strcspn(host, ":"), want = strlen(rp_id);
    if (n < want || strncmp(host + n - want, rp_id, want) != 0)
        return false;
    return n == want || host[n - want - 1] == '.';
}

bool policy_origin_matches(const char *entry, const char *origin)
{
    return strcmp(entry, origin) == 0 ||
           (strcmp(entry, LOCALHOST) == 0 && local(origin));
}

/*
 * A page on localhost is the approver's own, unless the policy says that one
 * of its sidecars serves it there. Every other page is served by somebody.
 */
enum policy_way policy_way_of(const struct policy *p, const char *kind,
                              const char *origin)
{
    if (strcmp(kind, POLICY_WEBAUTHN) != 0)
        return POLICY_W_SSH;
    if (strcmp(origin, POLICY_CLI_ORIGIN) == 0)
        return POLICY_W_FIDO2;
    for (unsigned i = 0; i < p->n_page_origins; i++)
        if (strcmp(p->page_origin[i], origin) == 0)
            return POLICY_W_SIDECAR_PAGE;
    return local(origin) ? POLICY_W_LOCAL_PAGE : POLICY_W_SIDECAR_PAGE;
}

/* ---- who could approve in some way ----------------------------------------- */

const bool *policy_ways(const struct policy_profile *f)
{
    /* a policy change never rests on what somebody else's page showed */
    static const bool own[POLICY__WAYS] = {
        [POLICY_W_SSH] = true,
        [POLICY_W_FIDO2] = true,
        [POLICY_W_LOCAL_PAGE] = true,
    };
    return f ? f->way : own;
}

/* http://localhost stands for ports that may be either sort of page. */
static bool entry_fits(const struct policy *p, const char *entry,
                       const bool way[POLICY__WAYS])
{
    if (way[policy_way_of(p, POLICY_WEBAUTHN, entry)])
        return true;
    for (unsigned i = 0; i < p->n_page_origins; i++)
        if (way[POLICY_W_SIDECAR_PAGE] &&
            policy_origin_matches(entry, p->page_origin[i]))
            return true;
    return false;
}

bool policy_credential_fits(const struct policy *p,
                            const struct policy_credential *c,
                            const bool way[POLICY__WAYS])
{
    if (c->revoked)
        return false;
    if (strcmp(c->kind, POLICY_WEBAUTHN) != 0)
        return way[POLICY_W_SSH];
    for (unsigned i = 0; i < c->n_origins; i++)
        if (entry_fits(p, c->origin[i], way))
            return true;
    return false;
}

bool policy_person_fits(const struct policy *p, const struct policy_person *who,
                        const bool way[POLICY__WAYS], int64_t until_s)
{
    for (unsigned i = 0; i < who->n_credentials; i++) {
        const struct policy_credential *c = &who->credential[i];
        bool ended = until_s && c->not_after && c->not_after < until_s;
        if (!ended && policy_credential_fits(p, c, way))
            return true;
    }
    return false;
}
