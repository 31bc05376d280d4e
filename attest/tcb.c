/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD's extensions in a VCEK or VLEK: TCB, chip id, product. Each value has
 * exactly one accepted encoding (the HWID two), each row comes exactly once,
 * in any order. Public data only.
 */
#include "attest/inner.h"

#include <string.h>

#include "attest/layout.h"

enum kind { BYTE, TEXT, HWID };
enum need { ALWAYS, OLD, NEW, MAYBE }; /* OLD: Milan, Genoa. NEW: Turin */

struct ext_row {
    const char *oid; /* after SNP_OID */
    const char *name;
    enum kind kind;
    enum need need;
    size_t off;
    size_t size;
};
#define AT(member)                                                             \
    offsetof(struct attest_vek, member),                                       \
            sizeof(((struct attest_vek *)0)->member)
/* clang-format off */
static const struct ext_row rows[] = {
    { "1",   "structVersion", BYTE, ALWAYS, AT(version) },
    { "2",   "productName",   TEXT, ALWAYS, AT(product) },
    { "3.1", "blSPL",         BYTE, ALWAYS, AT(tcb.bl) },
    { "3.2", "teeSPL",        BYTE, ALWAYS, AT(tcb.tee) },
    { "3.3", "snpSPL",        BYTE, ALWAYS, AT(tcb.snp) },
    { "3.4", "spl4",          BYTE, OLD,    AT(spl[0]) },
    { "3.5", "spl5",          BYTE, ALWAYS, AT(spl[1]) },
    { "3.6", "spl6",          BYTE, ALWAYS, AT(spl[2]) },
    { "3.7", "spl7",          BYTE, ALWAYS, AT(spl[3]) },
    { "3.8", "ucodeSPL",      BYTE, ALWAYS, AT(tcb.ucode) },
    { "3.9", "fmcSPL",        BYTE, NEW,    AT(tcb.fmc) },
    { "4",   "HWID",          HWID, MAYBE,  AT(hwid) },
    { "5",   "CSP_ID",        TEXT, MAYBE,  AT(csp) },
};
/* clang-format on */
#define N_ROWS (sizeof(rows) / sizeof(*rows))

/* INTEGER 0..255 in DER and in no other way. */
static bool get_byte(uint8_t *out, const uint8_t *p, size_t len)
{
    if (len == 3 && p[0] == 2 && p[1] == 1 && p[2] < 0x80)
        *out = p[2];
    else if (len == 4 && p[0] == 2 && p[1] == 2 && p[2] == 0 && p[3] >= 0x80)
        *out = p[3];
    else
        return false;
    return true;
}

/* IA5String, printable, shorter than the field. */
static bool get_text(char *out, size_t size, const uint8_t *p, size_t len)
{
    if (len < 3 || p[0] != 0x16 || p[1] >= 0x80 || p[1] != len - 2 ||
        p[1] >= size)
        return false;
    for (size_t i = 2; i < len; i++) {
        if (p[i] < 0x20 || p[i] > 0x7E)
            return false;
    }
    memcpy(out, p + 2, len - 2);
    out[len - 2] = '\0';
    return true;
}

/* Bare bytes; newer certificates wrap them in an OCTET STRING. */
static bool get_hwid(struct attest_vek *out, const uint8_t *p, size_t len)
{
    if ((len == 66 || len == 10) && p[0] == 4 && p[1] == len - 2) {
        p += 2;
        len -= 2;
    }
    if (len != 64 && len != 8)
        return false;
    memcpy(out->hwid, p, len);
    out->hwid_len = len;
    return true;
}

static bool get(struct attest_vek *out, const struct ext_row *row,
                const uint8_t *p, size_t len)
{
    uint8_t *at = (uint8_t *)out + row->off;
    switch (row->kind) {
    case BYTE:
        return get_byte(at, p, len);
    case TEXT:
        return get_text((char *)at, row->size, p, len);
    case HWID:
        return get_hwid(out, p, len);
    }
    return false;
}

static const struct ext_row *find(X509_EXTENSION *ext)
{
    char oid[80];
    int n = OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(ext), 1);
    size_t arc = strlen(SNP_OID);
    if (n <= 0 || (size_t)n >= sizeof(oid) || strncmp(oid, SNP_OID, arc) != 0)
        return NULL;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (strcmp(oid + arc, rows[i].oid) == 0)
            return &rows[i];
    }
    return NULL;
}

static enum rc all_there(const struct attest_vek *vek,
                         const bool seen[static N_ROWS])
{
    if (vek->version > 1)
        return rc_raise(RC_PARSE, "structVersion %u, want 0 or 1",
                        vek->version);
    for (size_t i = 0; i < N_ROWS; i++) {
        enum need need = rows[i].need;
        bool wanted = need == ALWAYS ||
                      (need == OLD ? vek->version == 0 : vek->version == 1);
        if (need != MAYBE && wanted != seen[i])
            return rc_raise(RC_PARSE, "extension %s is %s", rows[i].name,
                            wanted ? "missing" : "not for this family");
    }
    return RC_OK;
}

enum rc attest_vek_read(struct attest_vek *out, X509 *cert)
{
    struct attest_vek vek = { 0 };
    bool seen[N_ROWS] = { false };
    for (int i = 0; i < X509_get_ext_count(cert); i++) {
        X509_EXTENSION *ext = X509_get_ext(cert, i);
        const struct ext_row *row = find(ext);
        if (!row)
            continue;
        if (seen[row - rows])
            return rc_raise(RC_PARSE, "extension %s comes twice", row->name);
        seen[row - rows] = true;
        const ASN1_OCTET_STRING *s = X509_EXTENSION_get_data(ext);
        if (!get(&vek, row, ASN1_STRING_get0_data(s),
                 (size_t)ASN1_STRING_length(s)))
            return rc_raise(RC_PARSE, "extension %s is malformed", row->name);
    }
    TRY(all_there(&vek, seen));
    *out = vek;
    return RC_OK;
}
