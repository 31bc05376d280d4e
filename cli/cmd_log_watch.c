/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign log watch: a monitor that anybody runs, once from cron or for good.
 * It tells before it keeps: killed in between, it tells again.
 */
#include "cli/log_watch.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define INTERVAL_S 10
#define GRACE_S    10

static volatile sig_atomic_t stop;

/* ---- saying ------------------------------------------------------------- */

static enum rc say_alarm(const json_t *a)
{
    size_t i;
    json_t *path;
    const json_t *evidence = json_object_get(a, "evidence");
    TRY(cli_say_line("ALARM     %s: %s",
                     json_string_value(json_object_get(a, "kind")),
                     json_string_value(json_object_get(a, "words"))));
    json_array_foreach (evidence, i, path)
        TRY(cli_say("          kept: %s\n", json_string_value(path)));
    return RC_OK;
}

static enum rc say_round(const struct log_monitor *m)
{
    size_t i;
    json_t *e;
    size_t n = json_array_size(m->alarms);
    json_array_foreach (m->entries, i, e)
        TRY(cli_log_entry_say(e));
    json_array_foreach (m->alarms, i, e)
        TRY(say_alarm(e));
    if (m->quiet && n == 0)
        return RC_OK;
    return cli_say("%-8s  %s: %llu entries, %llu of them new, %zu alarm%s\n",
                   n ? "ALARM" : "ok", m->log.key.name,
                   (unsigned long long)m->follow.size,
                   (unsigned long long)(m->follow.size - m->from), n,
                   n == 1 ? "" : "s");
}

static enum rc say_json(const struct log_monitor *m)
{
    return cli_say_json(json_pack(
            "{s:b, s:s, s:I, s:I, s:O, s:O}", "ok",
            (int)(json_array_size(m->alarms) == 0), "origin", m->log.key.name,
            "from", (json_int_t)m->from, "size", (json_int_t)m->follow.size,
            "entries", m->entries, "alarms", m->alarms));
}

static enum rc say(const struct log_monitor *m)
{
    TRY(cli_json() ? say_json(m) : say_round(m));
    return fflush(stdout) == 0 ? RC_OK
                               : rc_raise(RC_IO, "stdout: cannot be written");
}

static enum rc alarmed(void)
{
    cli_told();
    return rc_raise(RC_LOG, "alarms were told");
}

/* ---- once --------------------------------------------------------------- */

static enum rc once(struct log_monitor *m)
{
    TRY(log_monitor_round(m, clock_now_s()));
    TRY(say(m));
    TRY(log_monitor_keep(m));
    return json_array_size(m->alarms) ? alarmed() : RC_OK;
}

/* ---- for good ----------------------------------------------------------- */

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* The second Ctrl-C ends it at once. */
static enum rc catch_signals(void)
{
    struct sigaction sa = { .sa_handler = on_signal,
                            .sa_flags = (int)SA_RESETHAND };
    sigemptyset(&sa.sa_mask);
    if (sigaction(SIGINT, &sa, NULL) != 0 || sigaction(SIGTERM, &sa, NULL) != 0)
        return rc_raise(RC_INTERNAL, "watch: signals");
    return RC_OK;
}

/* Blocked but while it sleeps, so that none comes between look and sleep. */
static void sleep_s(int64_t s)
{
    struct timespec ts = { .tv_sec = s };
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &before);
    if (!stop)
        ppoll(NULL, 0, &ts, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

struct told {
    char words[1024]; /* the last thing that stands as it stood */
    bool alarm;       /* ever */
};

/* A failure or a standing alarm is told when it comes, not every round. */
static bool is_news(struct told *t, const char *words)
{
    bool news = strcmp(t->words, words) != 0;
    snprintf(t->words, sizeof(t->words), "%s", words);
    return news;
}

static enum rc say_failure(struct told *t, enum rc rc)
{
    if (stop || !is_news(t, rc_text()))
        return RC_OK;
    if (cli_json())
        TRY(cli_say_json(json_pack("{s:o}", "error", cli_error_json(rc))));
    else
        fprintf(stderr, "mpcsign: %s\n", rc_text());
    fflush(stdout);
    return RC_OK;
}

static enum rc round_again(struct log_monitor *m, struct told *t)
{
    enum rc rc = log_monitor_round(m, clock_now_s());
    if (rc == RC_NOMEM || rc == RC_STORE)
        return rc;
    if (rc != RC_OK)
        return say_failure(t, rc);
    size_t n = json_array_size(m->alarms);
    const json_t *alarm = json_array_get(m->alarms, 0);
    const json_t *words = json_object_get(m->standing ? alarm : NULL, "words");
    bool news = is_news(t, words ? json_string_value(words) : "") ||
                m->follow.size != m->from || (n && !m->standing);
    t->alarm = t->alarm || n;
    if (news)
        TRY(say(m));
    return log_monitor_keep(m);
}

static enum rc for_good(struct log_monitor *m, int64_t interval_s)
{
    struct told t = { .words = "nothing yet" };
    TRY(catch_signals());
    m->log.stop = &stop;
    while (!stop) {
        TRY(round_again(m, &t));
        sleep_s(interval_s);
    }
    return t.alarm ? alarmed() : RC_OK;
}

/* ---- the verb ----------------------------------------------------------- */

struct watch_words {
    struct cli_log_args log;
    const char *state;
    const char *key;
    const char *interval;
    const char *grace;
    bool once;
};

static enum rc watch(struct log_monitor *m, const struct watch_words *w)
{
    int64_t interval_s = INTERVAL_S;
    m->grace_s = GRACE_S;
    if (w->interval)
        TRY(cli_number(&interval_s, "--interval", w->interval, 1, 86400));
    if (w->grace)
        TRY(cli_number(&m->grace_s, "--grace", w->grace, 0, 86400));
    TRY(cli_log_open(&m->log, &w->log));
    m->by_key = w->key != NULL;
    if (w->key)
        TRY(cli_log_filter_key(&m->filter, w->key));
    TRY(cli_log_state_path(m->state, w->state, &m->log.key));
    TRY(log_monitor_open(m));
    return w->once ? once(m) : for_good(m, interval_s);
}

enum rc cmd_log_watch(int argc, char **argv)
{
    struct watch_words w = { .once = false };
    OWNED_MEM struct log_monitor *m = calloc(1, sizeof(*m));
    if (!m)
        return rc_raise(RC_NOMEM, "watch: out of memory");
    const struct cli_arg rows[] = {
        CLI_LOG_PLACE(&w.log),
        { .name = "--once",
          .flag = &w.once,
          .help = "one round, for cron: exits 0, 12 for an alarm, 8 when the "
                  "log cannot be read" },
        { .name = "--interval",
          .text = &w.interval,
          .help = "seconds between rounds [10]" },
        { .name = "--state",
          .text = &w.state,
          .help = "file with what was seen [under ~/.local/state/mpcsign]" },
        { .name = "--key",
          .text = &w.key,
          .help = "print entries of this key: its name, its bytes in hex or "
                  "their SHA-256" },
        { .name = "--all", .flag = &m->all, .help = "print every new entry" },
        { .name = "--grace",
          .text = &w.grace,
          .help = "seconds a receipt may come after its intent expired [10]" },
        { .name = "--quiet",
          .brief = "-q",
          .flag = &m->quiet,
          .help = "say nothing but entries and alarms" },
        CLI_LOG_URL(&w.log),
        CLI_LOG_VKEY(&w.log),
        CLI_LOG_POLICY(&w.log),
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    m->log.doing = "watch";
    enum rc rc = watch(m, &w);
    log_monitor_close(m);
    return rc;
}
