/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verify.h"
#include <string.h>
enum rc verify_html(char **out, size_t *len, const struct verify_result *r)
{
    (void)r;
    *out = strdup("<p>");
    *len = 3;
    return *out ? RC_OK : rc_raise(RC_NOMEM, "html");
}
