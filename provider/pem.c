/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one PEM block from the host's BIO, as PEM_read_bio() would: whatever
 * its label, and to its end, so that the next key or certificate of the same
 * file is found where the host looks for it.
 */
#include "provider/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"

#define LINE_SIZE 1024
#define BEGIN     "-----BEGIN "
#define END       "-----END "
#define DASHES    "-----"

/* A line without its end; false at the end of the BIO. */
static bool line(char out[LINE_SIZE], const struct prov *p, OSSL_CORE_BIO *in)
{
    int n = p->core.bio_gets(in, out, LINE_SIZE);
    if (n <= 0)
        return false;
    while (n > 0 && (unsigned char)out[n - 1] <= ' ')
        n--;
    out[n] = '\0';
    return true;
}

/* "-----BEGIN LABEL-----" and nothing else: the label, else NULL. */
static char *label_of(char *text, const char *start)
{
    size_t head = strlen(start), tail = sizeof(DASHES) - 1, len = strlen(text);
    if (len < head + tail || memcmp(text, start, head) != 0 ||
        strcmp(text + len - tail, DASHES) != 0)
        return NULL;
    text[len - tail] = '\0';
    return text + head;
}

static bool find_begin(char out[PROV_LABEL_SIZE], const struct prov *p,
                       OSSL_CORE_BIO *in)
{
    char text[LINE_SIZE];
    while (line(text, p, in)) {
        const char *label = label_of(text, BEGIN);
        if (!label)
            continue;
        snprintf(out, PROV_LABEL_SIZE, "%s", label);
        return true;
    }
    return false;
}

/* Lines up to the END, as far as there is room: too many is the block's end. */
static enum rc gather(char b64[PROV_B64_SIZE], size_t *len, const char *label,
                      const struct prov *p, OSSL_CORE_BIO *in)
{
    char text[LINE_SIZE];
    bool fits = true;
    *len = 0;
    while (line(text, p, in)) {
        const char *end = label_of(text, END);
        if (end && strncmp(end, label, PROV_LABEL_SIZE - 1) == 0)
            return fits ? RC_OK
                        : rc_raise(RC_TOO_LARGE, "PEM %s: over %d characters",
                                   label, PROV_B64_SIZE - 1);
        size_t n = strlen(text);
        fits = fits && n < PROV_B64_SIZE - *len;
        if (!fits)
            continue;
        memcpy(b64 + *len, text, n + 1);
        *len += n;
    }
    return rc_raise(RC_PARSE, "PEM %s: no END line", label);
}

enum rc prov_pem_read(struct prov_pem *out, const struct prov *p,
                      OSSL_CORE_BIO *in)
{
    char b64[PROV_B64_SIZE] = "";
    size_t len;
    out->label[0] = '\0';
    out->len = 0;
    if (!p->core.bio_gets || !find_begin(out->label, p, in))
        return RC_OK;
    TRY(gather(b64, &len, out->label, p, in));
    if (enc_unb64(out->data, sizeof(out->data), &out->len, b64, len) != RC_OK)
        return rc_raise(RC_PARSE, "PEM %s: not base64", out->label);
    return RC_OK;
}
