/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node ends between two of its actions, in the middle of a handler: its
 * database is copied at that moment, nothing it sends afterwards leaves it,
 * and it starts again from the copy. Its vault's memory is gone with it.
 */
#include "test.h"

#include "sim.h"

#include <sqlite3.h>

static struct sim *watched; /* a commit has no context when it is opened */

void sim_boundary(struct sim *s, unsigned id, const char *what)
{
    if (s->boundary && s->node[id].up && !s->node[id].doomed)
        s->boundary(s, id, what);
}

/* ---- commits ------------------------------------------------------------------ */

static int before_commit(void *arg)
{
    const struct sim_node *n = arg;
    sim_boundary(n->sim, n->id, "commit");
    return 0;
}

static int opened(sqlite3 *db, char **why, const void *api)
{
    const char *name = sqlite3_db_filename(db, "main");
    (void)why;
    (void)api;
    for (unsigned i = 1; watched && name && i <= watched->n; i++)
        if (strcmp(name, watched->node[i].db) == 0)
            sqlite3_commit_hook(db, before_commit, &watched->node[i]);
    return SQLITE_OK;
}

void sim_cut_watch(struct sim *s)
{
    watched = s;
    assert_int_equal(sqlite3_auto_extension((void (*)(void))opened), SQLITE_OK);
}

/* ---- what is at rest ------------------------------------------------------------ */

static void copy(const char *from, const char *to)
{
    char buf[65536];
    size_t n;
    FILE *in = fopen(from, "rb");
    (void)remove(to);
    if (!in)
        return; /* no WAL yet */
    FILE *out = fopen(to, "wb");
    assert_non_null(out);
    while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
        assert_int_equal(fwrite(buf, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
    (void)fclose(in);
}

static void copy_parts(const struct sim_node *n, bool back)
{
    static const char *const parts[] = { "", "-wal" };
    for (unsigned i = 0; i < 2; i++) {
        char live[sizeof(n->db) + 16];
        char kept[sizeof(n->db) + 16];
        snprintf(live, sizeof(live), "%s%s", n->db, parts[i]);
        snprintf(kept, sizeof(kept), "%s%s.cut", n->db, parts[i]);
        copy(back ? kept : live, back ? live : kept);
    }
}

void sim_doom(struct sim *s, unsigned id)
{
    copy_parts(&s->node[id], false);
    s->node[id].doomed = true;
}

bool sim_reap(struct sim *s)
{
    bool any = false;
    for (unsigned i = 1; i <= s->n; i++) {
        struct sim_node *n = &s->node[i];
        if (!n->doomed)
            continue;
        sim_crash(s, i);
        free(TAKE(n->status)); /* of a later moment */
        copy_parts(n, true);
        n->doomed = false;
        any = true;
    }
    return any;
}
