/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign: request, approve, sign, verify; what people type. */
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdio.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    /* OPENSSL_CONF names mpc.so for other programs: this one judges by the
     * library alone */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
        sodium_init() < 0) {
        fputs("mpcsign: libcrypto or libsodium does not start\n", stderr);
        return 1;
    }
    return cli_main(argc, argv);
}
