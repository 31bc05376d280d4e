/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign verify --html: the evidence for people who would rather look. One
 * file, no script, nothing from elsewhere; its policy lets in one style, by
 * hash.
 */
#include "cli/verify_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"

/* ---- words -------------------------------------------------------------------- */

void verify_text(FILE *f, const char *text)
{
    for (const char *p = text ? text : "-"; *p; p++)
        switch (*p) {
        case '&':
            fputs("&amp;", f);
            break;
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        case '\'':
            fputs("&#39;", f);
            break;
        default:
            fputc((unsigned char)*p < 0x20 && *p != '\n' ? ' ' : *p, f);
        }
}

const char *verify_str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

json_int_t verify_int(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

void verify_time(FILE *f, json_int_t at)
{
    char text[CLOCK_TEXT_SIZE];
    clock_text(text, (int64_t)at);
    fprintf(f, "<time datetime=\"%s\">%.10s %.8s UTC</time>", text, text,
            text + 11);
}

/* A stranger's words keep their own direction. */
static void say_bdi(FILE *f, const char *text)
{
    fputs("<bdi>", f);
    verify_text(f, text);
    fputs("</bdi>", f);
}

static void say_row(FILE *f, const char *what, const char *value,
                    const char *class)
{
    if (!*value)
        return;
    fprintf(f, "<dt>%s</dt><dd class=\"%s\">", what, class);
    say_bdi(f, value);
    fputs("</dd>\n", f);
}

/* ---- on top ---------------------------------------------------------------------- */

static unsigned count_failed(const struct verify_result *r)
{
    unsigned n = 0;
    size_t i;
    json_t *c;
    json_array_foreach (r->checks, i, c)
        n += !json_is_true(json_object_get(c, "ok"));
    return n;
}

static void say_chips(FILE *f, const struct verify_result *r)
{
    const json_t *log = json_object_get(r->facts, "log");
    size_t people = json_array_size(json_object_get(r->facts, "approvals"));
    size_t nodes = json_array_size(json_object_get(r->facts, "signers"));
    unsigned failed = count_failed(r);
    fprintf(f,
            "<ul class=\"sum\"><li class=\"%s\">%zu checks, %u failed</li>\n",
            failed ? "bad" : "good", json_array_size(r->checks), failed);
    if (people)
        fprintf(f, "<li>approved by %zu people</li>\n", people);
    if (nodes)
        fprintf(f, "<li>signed by %zu machines</li>\n", nodes);
    if (verify_int(log, "nodes"))
        fprintf(f, "<li class=\"%s\">cosigned by %lld of %lld%s</li>\n",
                r->fork_proof ? "good" : "warn",
                (long long)verify_int(log, "cosigned"),
                (long long)verify_int(log, "nodes"),
                r->fork_proof ? ", no fork can hide" : "");
    fputs("</ul>\n", f);
}

static void say_check(FILE *f, const json_t *c)
{
    bool ok = json_is_true(json_object_get(c, "ok"));
    fprintf(f, "<tr class=\"%s\"><td><span class=\"%s\">%s</span> ",
            ok ? "yes" : "no", ok ? "y" : "x", ok ? "✓" : "✗");
    verify_text(f, verify_str(c, "id"));
    fputs("</td><td>", f);
    say_bdi(f, verify_str(c, "words"));
    if (!ok) {
        fputs("<p class=\"dim\">expected: ", f);
        say_bdi(f, verify_str(c, "expected"));
        fputs("</p>", f);
    }
    fputs("</td></tr>\n", f);
}

static void say_checks(FILE *f, const struct verify_result *r, bool all)
{
    size_t i;
    json_t *c;
    fprintf(f, "<h2>%s</h2>\n<table>\n", all ? "Every check" : "What failed");
    json_array_foreach (r->checks, i, c)
        if (all || !json_is_true(json_object_get(c, "ok")))
            say_check(f, c);
    fputs("</table>\n", f);
}

static void say_verdict(FILE *f, const struct verify_result *r)
{
    const json_t *artifact = json_object_get(
            json_object_get(r->facts, "session"), "artifact");
    const char *class = !r->ok ? "no" : r->simulated ? "sim" : "ok";
    bool only_simulated = !r->ok && r->simulated && count_failed(r) == 1;
    fprintf(f, "<section class=\"top %s\"><h1>%s</h1>\n", class,
            r->ok            ? "This signature holds"
            : only_simulated ? "Refused: simulated hardware"
                             : "This signature does not hold");
    fputs("<p>", f);
    if (json_is_object(artifact))
        say_bdi(f, verify_str(artifact, "name"));
    else
        fputs("A file that its session does not name", f);
    fprintf(f, ", %lld bytes, signed with profile <b>",
            (long long)verify_int(r->facts, "size"));
    verify_text(f, verify_str(r->facts, "profile"));
    fputs("</b> of cluster <b>", f);
    verify_text(f, verify_str(r->facts, "cluster"));
    fputs("</b></p>\n<p class=\"mono dim\">sha256 ", f);
    verify_text(f, verify_str(r->facts, "sha256"));
    fputs("</p>\n", f);
    say_chips(f, r);
    if (r->simulated)
        fputs("<p class=\"loud\">SIMULATED: no AMD hardware stands behind "
              "this. For trials only.</p>\n",
              f);
    fputs("</section>\n", f);
}

/* ---- people ----------------------------------------------------------------------- */

static void say_person(FILE *f, const char *name, const char *role,
                       const char *way)
{
    fprintf(f,
            "<div class=\"card who\"><span class=\"face\">%.1s</span><div>"
            "<h3>",
            *name >= 'a' && *name <= 'z' ? name : "·");
    say_bdi(f, name);
    fputs("</h3><p class=\"dim\">", f);
    verify_text(f, role);
    if (*way) {
        fputs(", by ", f);
        verify_text(f, strcmp(way, "ssh") == 0          ? "SSH key"
                       : strcmp(way, "fido2") == 0      ? "security key"
                       : strcmp(way, "local-page") == 0 ? "passkey, own page"
                                                        : "passkey, sidecar's "
                                                          "page");
    }
    fputs("</p></div></div>\n", f);
}

static void say_people(FILE *f, const json_t *facts)
{
    const json_t *session = json_object_get(facts, "session");
    const json_t *people = json_object_get(facts, "approvals");
    size_t i;
    json_t *p;
    if (!session)
        return;
    fputs("<h2>Who asked, who approved</h2>\n<div class=\"cards\">\n", f);
    say_person(f, verify_str(session, "requester"), "asked for it", "");
    json_array_foreach (people, i, p)
        say_person(f, verify_str(p, "person"), verify_str(p, "role"),
                   verify_str(p, "way"));
    fputs("</div>\n", f);
    if (*verify_str(session, "reason")) {
        fputs("<blockquote>", f);
        say_bdi(f, verify_str(session, "reason"));
        fputs("</blockquote>\n", f);
    }
    fputs("<p class=\"dim\">", f);
    if (json_array_size(people)) {
        fputs("Approved after ", f);
        verify_time(f, verify_int(session, "created"));
        fputs(" and before the intent was logged.", f);
    } else {
        fputs("This profile asks for no approvals: whoever may call a sidecar "
              "may sign.",
              f);
    }
    fputs("</p>\n", f);
}

/* ---- machines ----------------------------------------------------------------------- */

static void say_machine(FILE *f, const json_t *s)
{
    bool simulated = json_is_true(json_object_get(s, "simulated"));
    fprintf(f, "<div class=\"card\"><h3>node %lld</h3><p class=\"dim\">",
            (long long)verify_int(s, "node"));
    verify_text(f, verify_str(s, "uri"));
    fprintf(f, "</p><span class=\"chip %s\">", simulated ? "warn" : "good");
    verify_text(f, simulated ? "SIMULATED" : "AMD EPYC ");
    if (!simulated)
        verify_text(f, verify_str(s, "product"));
    fputs("</span>", f);
    if (json_is_true(json_object_get(s, "cosigned")))
        fputs("<span class=\"chip good\">cosigned as it signed</span>", f);
    fputs("<p class=\"dim\">measurement</p><p class=\"mono\">", f);
    verify_text(f, verify_str(s, "measurement"));
    fputs("</p><p class=\"dim\">chip ", f);
    verify_text(f, verify_str(s, "chip"));
    fprintf(f, "…, report logged at %lld</p></div>\n",
            (long long)verify_int(s, "logged"));
}

static void say_machines(FILE *f, const json_t *facts)
{
    const json_t *signers = json_object_get(facts, "signers");
    size_t i;
    json_t *s;
    if (!json_array_size(signers))
        return;
    fputs("<h2>Which machines signed</h2>\n<div class=\"cards\">\n", f);
    json_array_foreach (signers, i, s)
        say_machine(f, s);
    fputs("</div>\n", f);
}

/* ---- the log -------------------------------------------------------------------------- */

static void say_tree(FILE *f, const json_t *proof, const char *title,
                     const char *what)
{
    if (!proof)
        return;
    fprintf(f,
            "<div class=\"card\"><h3>%s</h3><p class=\"dim\">entry %lld of "
            "%lld</p>\n",
            title, (long long)verify_int(proof, "index"),
            (long long)verify_int(proof, "size"));
    verify_draw_tree(f, proof, what);
    fputs("</div>\n", f);
}

static void say_log(FILE *f, const json_t *facts)
{
    const json_t *log = json_object_get(facts, "log");
    size_t i;
    json_t *node;
    if (!json_object_get(facts, "intent"))
        return;
    fputs("<h2>Where it is in the log</h2>\n<p class=\"dim\">", f);
    verify_text(f, verify_str(log, "name"));
    fputs(". From the entry at the bottom to the root on top: blue was "
          "computed, dashed came with the bundle.</p>\n<div class=\"trees\">\n",
          f);
    say_tree(f, json_object_get(facts, "intent"), "Before: the intent",
             "intent");
    say_tree(f, json_object_get(facts, "receipt"), "After: the receipt",
             "receipt");
    fputs("</div>\n<p>The root that has both was cosigned by ", f);
    json_array_foreach (json_object_get(log, "cosigners"), i, node)
        fprintf(f, "<span class=\"chip good\">node %lld</span>",
                (long long)json_integer_value(node));
    if (!json_array_size(json_object_get(log, "cosigners")))
        fputs("nobody besides the signers", f);
    fprintf(f,
            "</p>\n<p class=\"dim\">%lld of %lld nodes; from %lld on, no "
            "fork of the log can hide.</p>\n",
            (long long)verify_int(log, "cosigned"),
            (long long)verify_int(log, "nodes"),
            (long long)verify_int(log, "needed"));
}

/* ---- the key ---------------------------------------------------------------------------- */

static void say_key(FILE *f, const json_t *facts)
{
    const json_t *birth = json_object_get(facts, "birth");
    char text[160];
    if (!birth)
        return;
    fputs("<h2>The key</h2>\n<dl>\n", f);
    say_row(f, "group key", verify_str(facts, "group_key"), "mono");
    snprintf(text, sizeof(text), "%s, %lld of its %lld nodes sign",
             json_is_true(json_object_get(birth, "ephemeral"))
                     ? "made for this session alone"
                     : "kept for this profile",
             (long long)verify_int(birth, "threshold"),
             (long long)verify_int(birth, "nodes"));
    say_row(f, "lifetime", text, "");
    snprintf(text, sizeof(text), "log entry %lld, endorsed by %lld nodes",
             (long long)verify_int(birth, "index"),
             (long long)verify_int(birth, "endorsed"));
    say_row(f, "birth", text, "");
    say_row(f, "session", verify_str(json_object_get(facts, "session"), "id"),
            "mono");
    say_row(f, "signature", verify_str(facts, "signature"), "mono");
    fputs("</dl>\n", f);
}

/* ---- the page -------------------------------------------------------------------------------- */

static void say_head(FILE *f, const struct verify_result *r)
{
    uint8_t hash[32];
    char b64[ENC_B64_SIZE(32)];
    hash256(hash, verify_style, strlen(verify_style));
    fprintf(f,
            "<!doctype html>\n<html lang=\"en\"><head><meta "
            "charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" "
            "content=\"default-src 'none'; style-src 'sha256-%s'; base-uri "
            "'none'; form-action 'none'\">\n<meta name=\"viewport\" "
            "content=\"width=device-width, initial-scale=1\">\n<meta "
            "name=\"referrer\" content=\"no-referrer\">\n<title>%s</title>\n"
            "<style>%s</style></head>\n<body>\n",
            enc_b64(b64, hash, 32),
            r->ok ? "Signature holds" : "Signature does not hold",
            verify_style);
}

static void write_page(FILE *f, const struct verify_result *r)
{
    say_head(f, r);
    say_verdict(f, r);
    if (!r->ok) {
        say_checks(f, r, false);
        fputs("<p class=\"dim\">What follows is what the bundle says; only "
              "what has passed its check is proven.</p>\n",
              f);
    }
    say_people(f, r->facts);
    say_machines(f, r->facts);
    say_log(f, r->facts);
    if (json_object_get(r->facts, "session")) {
        fputs("<h2>When</h2>\n", f);
        verify_draw_line(f, r->facts);
    }
    say_key(f, r->facts);
    say_checks(f, r, true);
    fputs("<footer>Judged offline by mpcsign verify " MPC_VERSION
          ". This page is a picture of a verdict, not the evidence: whoever "
          "doubts it runs mpcsign verify on the bundle.</footer>\n"
          "</body></html>\n",
          f);
}

enum rc verify_html(char **out, size_t *len, const struct verify_result *r)
{
    char *html = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&html, &n);
    if (!f)
        return rc_raise(RC_NOMEM, "html: out of memory");
    write_page(f, r);
    bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(html);
        return rc_raise(RC_NOMEM, "html: out of memory");
    }
    *out = html;
    *len = n;
    return RC_OK;
}
