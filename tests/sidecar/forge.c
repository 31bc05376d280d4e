/* SPDX-License-Identifier: Apache-2.0 */
/* See forge.h. Public messages only. */
#include "test.h"

#include "forge.h"

#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"

static const char text[] = "an honest message";

static void catch_it(struct sim *s, uint32_t from, uint32_t to,
                     const char *path, bool reply, uint8_t **body, size_t *len)
{
    struct forge *f = s->tamper_ctx;
    (void)from;
    if (f->have || reply || to != 2 || strcmp(path, "/v1/frost/round2") != 0)
        return;
    struct bytes_reader r = bytes_reader(*body, *len);
    size_t json_len;
    const char *json = (const char *)bytes_take_lp32(&r, &json_len);
    assert_ok(wire_round2_decode(&f->caught, json, json_len));
    f->have = true;
}

void forge_copy(struct forge *f)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    wire_round2_free(&f->m);
    assert_ok(wire_round2_encode(&json, &len, &f->caught));
    assert_ok(wire_round2_decode(&f->m, json, len));
    f->item = &f->m.items.at[0];
    assert_int_equal(f->item->signers.n, 2);
    f->mine = &f->item->signers.at[1];
    assert_int_equal(f->mine->node, 2);
    snprintf(f->msg, sizeof(f->msg), "%s", text);
    f->msg_len = strlen(text);
}

enum rc forge_send(struct forge *f)
{
    return sim_round2(f->s, 1, 2, &f->m, f->msg, f->msg_len, f->share);
}

enum rc forge_ask(struct forge *f, uint64_t attempt, forge_change *before,
                  forge_change *after)
{
    forge_copy(f);
    f->head = sim_commit(f->s, f->mine, 2, 1, f->item->key, 1);
    assert_ok(tlog_intent_decode(&f->in, f->item->intent.entry.p,
                                 f->item->intent.entry.len));
    f->item->attempt = f->in.attempt = attempt;
    f->in.expires = clock_now_s() + 100;
    before(f);
    sim_log_intent(f->s, f->item, 1, f->head, &f->in);
    after(f);
    return forge_send(f);
}

void forge_catch(struct forge *f, struct sim *s)
{
    *f = (struct forge){ .s = s };
    sim_crash(s, 3);
    sim_want_ok(s, sim_sign(s, 1, "release", "", "before", 6, 5000));
    s->tamper = catch_it;
    s->tamper_ctx = f;
    sim_want_ok(s, sim_sign(s, 1, "release", "", text, strlen(text), 5000));
    s->tamper = NULL;
    assert_true(f->have);
}

void forge_free(struct forge *f)
{
    wire_round2_free(&f->caught);
    wire_round2_free(&f->m);
}
