/* SPDX-License-Identifier: Apache-2.0 */
/* See mutate.h. */
#include "mutate.h"

#include "base/enc.h"

#define PLACES 3

/* One step from a document to a value in it. */
enum step { STEP_MEMBER, STEP_ELEMENT, STEP_INSIDE };
struct spot {
    const struct spot *up; /* NULL: the whole */
    enum step step;
    json_t *in; /* object or array that holds it; STEP_INSIDE: unused */
    const char *key;
    size_t i;
};
struct walk {
    mutate_fn *fn;
    void *ctx;
};

/* ---- putting a changed value back in its place ---------------------------- */

static size_t print_path(char *out, size_t cap, const struct spot *s)
{
    if (!s->up)
        return 0;
    size_t at = print_path(out, cap, s->up);
    const char *dot = at ? "." : "";
    int n = s->step == STEP_MEMBER
                    ? snprintf(out + at, cap - at, "%s%s", dot, s->key)
            : s->step == STEP_ELEMENT
                    ? snprintf(out + at, cap - at, "%s%zu", dot, s->i)
                    : snprintf(out + at, cap - at, "!");
    assert_true(n > 0 && (size_t)n < cap - at);
    return at + (size_t)n;
}

static json_t *blob_of(const void *p, size_t len)
{
    char *text = malloc(ENC_B64_SIZE(len));
    assert_non_null(text);
    json_t *s = json_string(enc_b64u(text, p, len));
    free(text);
    return s;
}

/* Takes the new value; NULL removes what is there. */
static void put(const struct walk *w, const struct spot *spot, json_t *new,
                const char *where, const char *how)
{
    if (!spot->up) {
        w->fn(w->ctx, new, where, how);
        json_decref(new);
        return;
    }
    json_t *whole;
    if (spot->step == STEP_INSIDE) {
        char *text = json_dumps(new, JSON_COMPACT);
        assert_non_null(text);
        whole = blob_of(text, strlen(text));
        free(text);
        json_decref(new);
    } else {
        whole = json_copy(spot->in);
        if (spot->step == STEP_MEMBER && new)
            json_object_set_new(whole, spot->key, new);
        else if (spot->step == STEP_MEMBER)
            json_object_del(whole, spot->key);
        else if (new)
            json_array_set_new(whole, spot->i, new);
        else
            json_array_remove(whole, spot->i);
    }
    put(w, spot->up, whole, where, how);
}

static void change(const struct walk *w, const struct spot *spot, json_t *new,
                   const char *how)
{
    char where[200] = "";
    print_path(where, sizeof(where), spot);
    put(w, spot, new, where, how);
}

/* ---- values ----------------------------------------------------------------- */

/* The i-th of some places in len, first and last among them. */
static size_t place(size_t i, size_t len)
{
    return len <= PLACES ? i : i * (len - 1) / (PLACES - 1);
}

static void flip_characters(const struct walk *w, const struct spot *spot,
                            const char *text, size_t len)
{
    for (size_t i = 0; i < PLACES && i < len; i++) {
        char how[64];
        char *copy = strdup(text);
        size_t at = place(i, len);
        copy[at] = copy[at] == '1' ? '2' : '1';
        snprintf(how, sizeof(how), "character %zu", at);
        change(w, spot, json_string(copy), how);
        free(copy);
    }
}

static void flip_bits(const struct walk *w, const struct spot *spot,
                      const uint8_t *p, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    assert_non_null(copy);
    for (size_t i = 0; i < PLACES && i < len; i++) {
        char how[64];
        size_t at = place(i, len);
        memcpy(copy, p, len);
        copy[at] ^= (uint8_t)(1u << (i % 8));
        snprintf(how, sizeof(how), "bit %zu of byte %zu", i % 8, at);
        change(w, spot, blob_of(copy, len), how);
    }
    memcpy(copy, p, len);
    copy[len] = 0;
    change(w, spot, blob_of(copy, len + 1), "a byte more");
    change(w, spot, blob_of(copy, len - 1), "a byte less");
    free(copy);
}

static void drop_lines(const struct walk *w, const struct spot *spot,
                       const char *text)
{
    char how[64];
    size_t n = 0;
    for (const char *line = text; *line; n++) {
        const char *lf = strchr(line, '\n');
        const char *next = lf ? lf + 1 : line + strlen(line);
        char *copy = malloc(2 * strlen(text) + 1);
        sprintf(copy, "%.*s%s", (int)(line - text), text, next);
        snprintf(how, sizeof(how), "without line %zu", n);
        change(w, spot, json_string(copy), how);
        sprintf(copy, "%.*s%.*s%s", (int)(line - text), text,
                (int)(next - line), line, line);
        snprintf(how, sizeof(how), "line %zu twice", n);
        change(w, spot, json_string(copy), how);
        free(copy);
        line = next;
    }
}

static void walk(const struct walk *w, const struct spot *spot, json_t *value,
                 json_t *other);

static void walk_blob(const struct walk *w, const struct spot *spot,
                      const uint8_t *p, size_t len, json_t *other)
{
    uint8_t *b = NULL;
    size_t b_len = 0;
    if (other && json_is_string(other)) {
        b = malloc(json_string_length(other) + 1);
        if (enc_unb64u(b, json_string_length(other), &b_len,
                       json_string_value(other),
                       json_string_length(other)) != RC_OK)
            b_len = 0;
    }
    flip_bits(w, spot, p, len);
    json_t *doc = json_loadb((const char *)p, len, 0, NULL);
    json_t *other_doc = b_len ? json_loadb((const char *)b, b_len, 0, NULL)
                              : NULL;
    if (doc) {
        const struct spot inside = { .up = spot, .step = STEP_INSIDE };
        walk(w, &inside, doc, other_doc);
    }
    json_decref(doc);
    json_decref(other_doc);
    free(b);
}

static void walk_string(const struct walk *w, const struct spot *spot,
                        json_t *value, json_t *other)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    uint8_t *p = malloc(len + 1);
    size_t p_len = 0;
    bool hex = len >= 64 && strspn(text, "0123456789abcdef") == len;
    assert_non_null(p);
    if (len)
        change(w, spot, json_string(""), "empty");
    else
        change(w, spot, json_string("AAAA"), "not empty");
    flip_characters(w, spot, text, len);
    if (strchr(text, '\n'))
        drop_lines(w, spot, text);
    else if (!hex && len >= 40 &&
             enc_unb64u(p, len, &p_len, text, len) == RC_OK && p_len)
        walk_blob(w, spot, p, p_len, other);
    free(p);
}

static void walk_integer(const struct walk *w, const struct spot *spot,
                         json_t *value)
{
    json_int_t n = json_integer_value(value);
    change(w, spot, json_integer(n + 1), "one more");
    if (n > 0)
        change(w, spot, json_integer(n - 1), "one less");
    change(w, spot, json_integer(n + 4096), "4096 more");
}

/* ---- containers --------------------------------------------------------------- */

static void swap_in(const struct walk *w, const struct spot *spot,
                    json_t *value, json_t *other)
{
    if (other && !json_equal(value, other))
        change(w, spot, json_incref(other), "the other bundle's");
}

static void walk_object(const struct walk *w, const struct spot *spot,
                        json_t *value, json_t *other)
{
    const char *key;
    json_t *v;
    json_t *more = json_copy(value);
    json_object_set_new(more, "more", json_integer(1));
    change(w, spot, more, "a member more");
    json_object_foreach (value, key, v) {
        const struct spot s = {
            .up = spot, .step = STEP_MEMBER, .in = value, .key = key
        };
        change(w, &s, NULL, "removed");
        walk(w, &s, v, json_object_get(other, key));
    }
}

static void walk_array(const struct walk *w, const struct spot *spot,
                       json_t *value, json_t *other)
{
    size_t n = json_array_size(value);
    json_t *v;
    size_t i;
    if (n > 1)
        change(w, spot, json_array(), "emptied");
    json_array_foreach (value, i, v) {
        const struct spot s = {
            .up = spot, .step = STEP_ELEMENT, .in = value, .i = i
        };
        json_t *copy = json_copy(value);
        json_array_insert(copy, i, v);
        change(w, spot, copy, "an element twice");
        change(w, &s, NULL, "removed");
        if (i > 0 && !json_equal(v, json_array_get(value, i - 1))) {
            copy = json_copy(value);
            json_array_set(copy, i, json_array_get(value, i - 1));
            json_array_set(copy, i - 1, v);
            change(w, spot, copy, "two elements exchanged");
        }
        walk(w, &s, v, json_array_get(other, i));
    }
}

static void walk(const struct walk *w, const struct spot *spot, json_t *value,
                 json_t *other)
{
    if (spot->up && spot->step != STEP_INSIDE) {
        if (!json_is_null(value))
            change(w, spot, json_null(), "null");
        swap_in(w, spot, value, other);
    }
    if (json_is_object(value))
        walk_object(w, spot, value, other);
    else if (json_is_array(value))
        walk_array(w, spot, value, other);
    else if (json_is_string(value))
        walk_string(w, spot, value, other);
    else if (json_is_integer(value))
        walk_integer(w, spot, value);
}

void mutate_all(json_t *root, json_t *other, mutate_fn *fn, void *ctx)
{
    const struct walk w = { fn, ctx };
    const struct spot whole = { .up = NULL };
    walk(&w, &whole, root, other);
}
