/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign: request, approve, sign, verify; what people type. */
#include <sodium.h>
#include <stdio.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        fputs("mpcsign: libsodium does not start\n", stderr);
        return 1;
    }
    return cli_main(argc, argv);
}
