/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign dev up | down | status | env | kill | start | restart. */
#include "cli/dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void close_dev(struct dev *d)
{
    dev_close(d);
}
#define DEV(name) __attribute__((cleanup(close_dev))) struct dev name

#define DIR_ROW(dir)                                                           \
    {                                                                          \
        .name = "--dir", .text = (dir),                                        \
        .help = "where the cluster is [$MPC_DEV, else ./.mpc-dev]"             \
    }

static enum rc open_at(struct dev *d, const char *given)
{
    char dir[DEV_PATH];
    *d = (struct dev){ .lock = -1 };
    TRY(dev_dir(dir, given));
    return dev_open(d, dir);
}

/* ---- up ----------------------------------------------------------------- */

static enum rc make_files(struct dev *d)
{
    TRY(dev_pki(d));
    TRY(dev_people(d));
    TRY(dev_genesis(d));
    cli_note("making the simulator's root …");
    TRY(dev_sim_init(d));
    TRY(dev_config(d));
    return dev_keep(d);
}

static enum rc start_all(const struct dev *d)
{
    struct dev_who w;
    for (unsigned i = 0; dev_who_at(&w, d, i); i++)
        TRY(dev_check_program(d, &w));
    for (unsigned i = 0; dev_who_at(&w, d, i); i++)
        TRY(dev_sim_start(d, &w));
    /* an inherited TEE_POLICY_HASH is some other cluster's */
    for (unsigned i = 0; dev_who_at(&w, d, i); i++)
        TRY(dev_start(d, &w, false));
    for (unsigned i = 0; dev_who_at(&w, d, i); i++)
        TRY(dev_wait(d, &w));
    return RC_OK;
}

/* A first `up` that was interrupted leaves nothing; one that failed leaves
 * its directory, to be looked at. */
static enum rc give_up(struct dev *d, bool fresh, enum rc rc)
{
    char text[512];
    char hint[256];
    snprintf(text, sizeof(text), "%s", rc_text());
    snprintf(hint, sizeof(hint), "%s", rc_hint_text());
    bool interrupted = dev_interrupted() != RC_OK;
    char kept[DEV_PATH];
    enum rc end = dev_stop_all(d);
    if (end == RC_OK)
        end = dev_path(kept, d, "dev.json", NULL);
    /* without it nobody could take it for a cluster again */
    bool half = end == RC_OK && access(kept, F_OK) != 0;
    if (end == RC_OK && fresh && (interrupted || half))
        end = dev_purge(d);
    if (end != RC_OK)
        cli_note("%s", rc_text());
    rc = rc_raise(rc, "%s", text);
    if (*hint)
        rc_hint("%s", hint);
    else if (fresh && !interrupted && !half)
        rc_hint("logs are in %.150s; dev down --purge removes it", d->dir);
    return rc;
}

static enum rc up(struct dev *d, bool fresh)
{
    if (fresh)
        TRY(make_files(d));
    else
        TRY(dev_config(d)); /* programs may have moved */
    TRY(start_all(d));
    TRY(dev_found(d));
    return dev_interrupted();
}

static enum rc number_or(unsigned *out, const char *option, const char *text,
                         unsigned otherwise, unsigned min, unsigned max)
{
    int64_t n = otherwise;
    if (text)
        TRY(cli_number(&n, option, text, min, max));
    *out = (unsigned)n;
    return RC_OK;
}

struct up_options {
    const char *dir;
    const char *nodes;
    const char *threshold;
};

static enum rc find_or_make(struct dev *d, bool *fresh,
                            const struct up_options *o)
{
    char dir[DEV_PATH];
    unsigned n;
    unsigned t;
    TRY(dev_dir(dir, o->dir));
    *fresh = false;
    enum rc rc = dev_open(d, dir);
    if (rc == RC_OK && (o->nodes || o->threshold))
        cli_note("%s is there already: %u of %u nodes", dir, d->t, d->n);
    char kept[DEV_PATH + 16];
    snprintf(kept, sizeof(kept), "%s/dev.json", dir);
    if (rc != RC_UNKNOWN || access(kept, F_OK) == 0)
        return rc;
    TRY(number_or(&n, "--nodes", o->nodes, 3, 2, DEV_MAX_NODES));
    TRY(number_or(&t, "--threshold", o->threshold, n == 2 ? 2 : n / 2 + 1, 2,
                  n));
    *fresh = true;
    return dev_make(d, dir, n, t);
}

enum rc cmd_dev_up(int argc, char **argv)
{
    struct up_options o = { 0 };
    const struct cli_arg rows[] = {
        DIR_ROW(&o.dir),
        { .name = "--nodes", .text = &o.nodes, .help = "sidecars [3]" },
        { .name = "--threshold",
          .text = &o.threshold,
          .help = "of them must sign [more than half]" },
        { 0 },
    };
    bool done;
    bool fresh;
    DEV(d) = { .lock = -1 };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    /* what the caller wants of other sidecars is not about these */
    unsetenv("TEE_POLICY_HASH");
    dev_catch_interrupt();
    TRY(find_or_make(&d, &fresh, &o));
    enum rc rc = up(&d, fresh);
    if (rc != RC_OK)
        return give_up(&d, fresh, rc);
    cli_banner(true);
    cli_note("%u of %u nodes sign in %s; mpcsign dev down ends them", d.t, d.n,
             d.dir);
    return dev_env(&d);
}

/* ---- down --------------------------------------------------------------- */

enum rc cmd_dev_down(int argc, char **argv)
{
    const char *dir = NULL;
    bool purge = false;
    const struct cli_arg rows[] = {
        DIR_ROW(&dir),
        { .name = "--purge", .flag = &purge, .help = "remove it as well" },
        { 0 },
    };
    bool done;
    DEV(d) = { .lock = -1 };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(open_at(&d, dir));
    TRY(dev_stop_all(&d));
    if (purge)
        TRY(dev_purge(&d));
    if (cli_json())
        return cli_say_json(
                json_pack("{s:s, s:b}", "dir", d.dir, "purged", (int)purge));
    cli_note(purge ? "down; %s is removed"
                   : "down; %s stays, dev up continues it (--purge removes it)",
             d.dir);
    return RC_OK;
}

/* ---- status, env -------------------------------------------------------- */

static const char *state_of(const struct dev *d, const struct dev_who *w)
{
    return dev_is_ready(d, w) ? "ready" : dev_pid(d, w) ? "starting" : "down";
}

static json_t *who_json(const struct dev *d, const struct dev_who *w)
{
    return json_pack("{s:s, s:s, s:I, s:I}", "who", w->name, "state",
                     state_of(d, w), "pid", (json_int_t)dev_pid(d, w),
                     "simulator", (json_int_t)dev_sim_pid(d, w));
}

static enum rc say_who(const struct dev *d, const struct dev_who *w)
{
    long pid = (long)dev_pid(d, w);
    TRY(cli_say("%-8s %-9s", w->name, state_of(d, w)));
    TRY(pid ? cli_say(" pid %-8ld", pid) : cli_say(" %-12s", ""));
    return cli_say(" simulator %s\n", dev_sim_pid(d, w) ? "up" : "down");
}

enum rc cmd_dev_status(int argc, char **argv)
{
    const char *dir = NULL;
    const struct cli_arg rows[] = { DIR_ROW(&dir), { 0 } };
    bool done;
    DEV(d) = { .lock = -1 };
    struct dev_who w;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(open_at(&d, dir));
    OWNED(json_t) *list = json_array();
    for (unsigned i = 0; dev_who_at(&w, &d, i); i++) {
        if (cli_json())
            json_array_append_new(list, who_json(&d, &w));
        else
            TRY(say_who(&d, &w));
    }
    if (!cli_json())
        return RC_OK;
    return cli_say_json(json_pack("{s:s, s:i, s:i, s:O}", "dir", d.dir, "nodes",
                                  (int)d.n, "threshold", (int)d.t, "daemons",
                                  list));
}

enum rc cmd_dev_env(int argc, char **argv)
{
    const char *dir = NULL;
    const struct cli_arg rows[] = { DIR_ROW(&dir), { 0 } };
    bool done;
    DEV(d) = { .lock = -1 };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(open_at(&d, dir));
    return dev_env(&d);
}

/* ---- kill, start, restart ----------------------------------------------- */

static enum rc start_one(const struct dev *d, const struct dev_who *w)
{
    TRY(dev_sim_start(d, w));
    TRY(dev_start(d, w, true));
    return dev_wait(d, w);
}

static enum rc restart_one(const struct dev *d, const struct dev_who *w)
{
    TRY(dev_stop(d, w));
    return start_one(d, w);
}

static enum rc on_one(int argc, char **argv,
                      enum rc (*act)(const struct dev *,
                                     const struct dev_who *))
{
    const char *dir = NULL;
    const char *name = NULL;
    const struct cli_arg rows[] = {
        { .name = "WHO",
          .text = &name,
          .need = true,
          .help = "node1 …, log or ca" },
        DIR_ROW(&dir),
        { 0 },
    };
    bool done;
    DEV(d) = { .lock = -1 };
    struct dev_who w;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(open_at(&d, dir));
    TRY(dev_who_find(&w, &d, name));
    dev_catch_interrupt();
    TRY(act(&d, &w));
    return cli_json() ? cli_say_json(who_json(&d, &w)) : RC_OK;
}

enum rc cmd_dev_kill(int argc, char **argv)
{
    return on_one(argc, argv, dev_kill);
}

enum rc cmd_dev_start(int argc, char **argv)
{
    return on_one(argc, argv, start_one);
}

enum rc cmd_dev_restart(int argc, char **argv)
{
    return on_one(argc, argv, restart_one);
}
