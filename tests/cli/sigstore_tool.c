/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/sigstore.h from the shell, without the verbs around it:
 *
 *     sigstore_tool sign FILE KEY >bundle.json
 *     sigstore_tool root VKEY ROOT.der >trusted_root.json
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/sigstore.h"

static enum rc sign(char **json, size_t *len, const char *file, const char *key)
{
    struct cli_content content = { 0 };
    struct wire_signed by;
    WIRE(chain) chain = { 0 };
    TRY(cli_content_read(&content, file, false));
    TRY(cli_ask_chain(&chain, key, NULL));
    return sigstore_sign(&by, json, len, file, &content, key, NULL, &chain,
                         10000);
}

static enum rc root(char **json, size_t *len, const char *vkey,
                    const char *file)
{
    struct tlog_vkey log;
    WIRE(spki) spki = { 0 };
    OWNED_MEM uint8_t *der = NULL;
    size_t der_len;
    TRY(tlog_vkey_parse(&log, vkey));
    TRY(file_read(&der, &der_len, file, WIRE_CERT_MAX));
    TRY(sigstore_log_key(&spki));
    return sigstore_trusted_root(json, len, &log, &spki, der, der_len);
}

int main(int argc, char **argv)
{
    OWNED_MEM char *json = NULL;
    size_t len = 0;
    enum rc rc = RC_ARG;
    if (argc == 4 && strcmp(argv[1], "sign") == 0)
        rc = sign(&json, &len, argv[2], argv[3]);
    else if (argc == 4 && strcmp(argv[1], "root") == 0)
        rc = root(&json, &len, argv[2], argv[3]);
    if (rc != RC_OK) {
        fprintf(stderr, "sigstore_tool: %s: %s\n", rc_slug(rc), rc_text());
        return 1;
    }
    return fwrite(json, 1, len, stdout) == len ? 0 : 1;
}
