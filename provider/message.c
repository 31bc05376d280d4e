/* SPDX-License-Identifier: Apache-2.0 */
/* A message that grows, shared between copies of a context until written. */
#include "provider/inner.h"

#include <stdlib.h>
#include <string.h>

struct prov_message {
    atomic_uint refs;
    uint8_t *p;
    size_t len;
    size_t cap;
};

struct prov_message *prov_message_new(void)
{
    struct prov_message *m = calloc(1, sizeof(*m));
    if (!m) {
        (void)rc_raise(RC_NOMEM, "message: %zu bytes", sizeof(*m));
        return NULL;
    }
    atomic_init(&m->refs, 1);
    return m;
}

struct prov_message *prov_message_ref(struct prov_message *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void prov_message_free(struct prov_message *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(m->p);
    free(m);
}

/* Room for `more` bytes, at least doubling, so that adding stays linear. */
static enum rc grow(struct prov_message *m, size_t more)
{
    if (more > SIZE_MAX / 4 - m->len)
        return rc_raise(RC_NOMEM, "message: %zu bytes more", more);
    size_t want = m->len + more;
    if (want <= m->cap)
        return RC_OK;
    size_t cap = m->cap * 2 > want ? m->cap * 2 : want;
    if (cap < 256)
        cap = 256;
    uint8_t *p = realloc(m->p, cap);
    if (!p)
        return rc_raise(RC_NOMEM, "message: %zu bytes", cap);
    m->p = p;
    m->cap = cap;
    return RC_OK;
}

static enum rc append(struct prov_message *m, const void *p, size_t len)
{
    if (len == 0)
        return RC_OK;
    TRY(grow(m, len));
    memcpy(m->p + m->len, p, len);
    m->len += len;
    return RC_OK;
}

enum rc prov_message_add(struct prov_message **m, const void *p, size_t len)
{
    if (atomic_load_explicit(&(*m)->refs, memory_order_acquire) == 1)
        return append(*m, p, len);
    struct prov_message *own = prov_message_new();
    if (!own)
        return RC_NOMEM;
    enum rc rc = append(own, (*m)->p, (*m)->len);
    if (rc == RC_OK)
        rc = append(own, p, len);
    if (rc != RC_OK) {
        prov_message_free(own);
        return rc;
    }
    prov_message_free(*m);
    *m = own;
    return RC_OK;
}

const uint8_t *prov_message_get(const struct prov_message *m, size_t *len)
{
    *len = m->len;
    return m->p ? m->p : (const uint8_t *)"";
}
