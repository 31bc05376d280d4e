/* SPDX-License-Identifier: Apache-2.0 */
/* A QR code for a terminal: two modules a character, one above the other. */
#include "cli/session.h"

#include <qrencode.h>
#include <string.h>

#define QUIET 4 /* modules around it, ISO 18004 */

OWNED_BY(QRcode, QRcode_free);

static bool dark(const QRcode *q, int x, int y)
{
    return x >= 0 && y >= 0 && x < q->width && y < q->width &&
           (q->data[y * q->width + x] & 1);
}

/* ink: upper and lower half are to be drawn. */
static const char *half(bool upper, bool lower)
{
    return upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
}

enum rc qr_print(FILE *to, const char *text, bool colour)
{
    OWNED(QRcode) *q = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (!q)
        return rc_raise(RC_TOO_LARGE, "QR code: %zu bytes do not fit",
                        strlen(text));
    for (int y = -QUIET; y < q->width + QUIET; y += 2) {
        fputs(colour ? "\033[30;107m" : "", to);
        for (int x = -QUIET; x < q->width + QUIET; x++)
            /* without colours the characters are the light modules */
            fputs(half(dark(q, x, y) == colour, dark(q, x, y + 1) == colour),
                  to);
        fputs(colour ? "\033[0m\n" : "\n", to);
    }
    return RC_OK;
}
