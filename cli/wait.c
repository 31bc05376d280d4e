/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for persons: at a terminal the lines are redrawn, elsewhere each
 * change is one line. An interrupt ends the waiting, never the session.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/session.h"

#define POLL_MS 500
#define LOST_MS 15000 /* a sidecar may restart under us */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    interrupted = sig;
}

static void catch (struct sigaction was[2])
{
    struct sigaction a = { .sa_handler = on_signal };
    sigaction(SIGINT, &a, &was[0]);
    sigaction(SIGTERM, &a, &was[1]);
}

/* Says how to go on, then ends as the signal would have. */
static void leave(const char *id, struct sigaction was[2])
{
    int sig = interrupted;
    sigaction(SIGINT, &was[0], NULL);
    sigaction(SIGTERM, &was[1], NULL);
    if (!sig)
        return;
    fprintf(stderr,
            "\nmpcsign: the session stays open; wait on with: "
            "mpcsign status %s -w\n",
            id);
    fflush(NULL);
    signal(sig, SIG_DFL);
    raise(sig);
}

/* ---- showing ------------------------------------------------------------ */

struct shown {
    char *text;     /* heap: the answer that was shown last */
    unsigned lines; /* of it, on a terminal */
    struct wire_session_state was;
};

static bool had(const struct wire_session_state *was, const struct wire_said *r)
{
    for (size_t i = 0; i < was->records.n; i++) {
        const struct wire_said *w = &was->records.at[i];
        if (strcmp(w->person, r->person) == 0 &&
            strcmp(w->role, r->role) == 0 &&
            strcmp(w->decision, r->decision) == 0)
            return true;
    }
    return false;
}

static bool can_redraw(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static void redraw(struct shown *shown, const struct wire_session_state *s)
{
    if (shown->lines)
        fprintf(stderr, "\033[%uA\033[J", shown->lines);
    fputs("\033[?7l", stderr); /* a line that wraps would be two to go up */
    shown->lines = state_lines(stderr, s, clock_now_s());
    fputs("\033[?7h", stderr);
    fflush(stderr);
}

static void say_changes(const struct wire_session_state *was,
                        const struct wire_session_state *s)
{
    char words[STATE_WORDS];
    char said[STATE_SAID];
    bool news = strcmp(was->state, s->state) != 0;
    for (size_t i = 0; i < s->records.n; i++)
        if (!had(was, &s->records.at[i])) {
            state_said(said, &s->records.at[i]);
            cli_note("%s", said);
            news = true;
        }
    if (news && state_is(s, "open"))
        cli_note("waits for %s", state_missing(words, s));
    else if (news && state_verdict(s) == RC_OK)
        cli_note("the session is %s", s->state);
}

/* A change as the sidecar's own JSON; a clock that ticks is none. */
static enum rc show(struct shown *shown, const struct wait *w,
                    const struct wire_session_state *s, const char *text)
{
    bool same = shown->text && strcmp(shown->text, text) == 0;
    if (w->json_lines) {
        if (!same)
            TRY(cli_say("%s\n", text));
        fflush(stdout);
    } else if (!cli_json() && can_redraw()) {
        redraw(shown, s);
    } else if (!same) {
        say_changes(&shown->was, s);
    }
    return RC_OK;
}

/* ---- the loop ----------------------------------------------------------- */

static void pause_ms(int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    if (!interrupted)
        nanosleep(&t, NULL); /* a signal ends it */
}

/* One look; RC_NOT_APPROVED as long as it is open. */
static enum rc look(struct shown *shown, const struct wait *w)
{
    struct wire_session_state s = { 0 };
    OWNED_MEM char *text = NULL;
    enum rc rc = state_ask(&s, &text, w->id);
    if (rc == RC_OK)
        rc = show(shown, w, &s, text);
    if (rc != RC_OK) {
        wire_session_state_free(&s);
        return rc;
    }
    wire_session_state_free(&shown->was);
    free(shown->text);
    shown->was = s;
    shown->text = TAKE(text);
    return state_verdict(&s);
}

/* A sidecar that restarts under us is waited for, a while. */
static bool is_lost(enum rc rc)
{
    return rc == RC_UNREACHABLE || rc == RC_TIMEOUT;
}

static enum rc loop(struct shown *shown, const struct wait *w)
{
    int64_t until_ms = clock_mono_ms() + w->timeout_s * 1000;
    int64_t seen_ms = clock_mono_ms();
    for (;;) {
        enum rc rc = look(shown, w);
        int64_t now_ms = clock_mono_ms();
        if (!is_lost(rc))
            seen_ms = now_ms;
        if ((rc != RC_NOT_APPROVED && !is_lost(rc)) || interrupted ||
            (w->timeout_s && now_ms >= until_ms) || now_ms - seen_ms > LOST_MS)
            return rc;
        pause_ms(POLL_MS);
    }
}

enum rc wait_for(const struct wait *w)
{
    struct sigaction was[2];
    struct shown shown = { 0 };
    interrupted = 0;
    catch (was);
    enum rc rc = loop(&shown, w);
    free(shown.text);
    wire_session_state_free(&shown.was);
    leave(w->id, was);
    return rc;
}
