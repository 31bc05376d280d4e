/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign cert: a fresh chain as a file, for tools that want one. */
#include "cli/inner.h"

#include <string.h>

#include "base/file.h"

static enum rc put(const char *name, const char *session, const char *file)
{
    WIRE(chain) chain = { 0 };
    OWNED_MEM char *pem = NULL;
    size_t len;
    TRY(cli_ask_chain(&chain, name, session));
    TRY(cli_chain_pem(&pem, &len, &chain));
    if (file)
        TRY(file_write(file, pem, len, 0644));
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:I, s:s, s:s?}", "key", name,
                                      "certificates", (json_int_t)chain.chain.n,
                                      "pem", pem, "file", file));
    return file ? RC_OK : cli_say("%s", pem);
}

enum rc cmd_cert(int argc, char **argv)
{
    const char *name = NULL;
    const char *file = NULL;
    const char *session = NULL;
    const struct cli_arg rows[] = {
        { .name = "NAME", .text = &name, .need = true, .help = "the key" },
        { .name = "FILE",
          .text = &file,
          .help = "where to, PEM, leaf first [standard output]" },
        { .name = "--session",
          .text = &session,
          .help = "an approved session [MPC_SESSION]" },
        { 0 },
    };
    bool done;
    char text[CLI_REF_MAX];
    char bare[CLI_REF_MAX];
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    session = cli_session_or_env(session);
    TRY(cli_ref_text(text, name, session)); /* both are well formed */
    TRY(cli_ref_text(bare, name, NULL));
    return put(bare + strlen("mpc:"), session, file);
}
