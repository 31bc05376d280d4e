/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs, and the way from a command line to one of them. */
#include "cli/doctor.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
const struct cli_verb cli_verbs[] = {
    { "sign",          cmd_sign,          "sign a file, keep the evidence" },
    { "verify",        cmd_verify,        "judge a signature and its evidence, offline" },
    { "trust export",  cmd_trust_export,  "one file with what a verifier must hold" },
    { "request",       cmd_request,       "ask for a signature that persons approve" },
    { "approve",       cmd_approve,       "approve a session" },
    { "deny",          cmd_deny,          "deny one" },
    { "revoke",        cmd_revoke,        "take an approval back" },
    { "audit",         cmd_audit,         "who asked this node for what, and is the record whole" },
    { "cms sign",      cmd_cms_sign,      "a CMS signature (RFC 8419) of a file of any size" },
    { "cms verify",    cmd_cms_verify,    "judge one, by the roots you trust" },
    { "git-x509",      cmd_git_x509,      "git's gpg.x509.program: commits by these keys" },
    { "cert",          cmd_cert,          "a fresh certificate and its root, PEM" },
    { "ca init",       cmd_ca_init,       "make the CA's root, once, with the stewards" },
    { "ca show",       cmd_ca_show,       "the CA's root, or one in a file" },
    { "ca chain",      cmd_ca_chain,      "the same as PEM" },
    { "status",        cmd_status,        "this node, its peers, keys and policy" },
    { "key list",      cmd_key_list,      "the keys of the cluster" },
    { "key show",      cmd_key_show,      "one key" },
    { "key create",    cmd_key_create,    "make a key among its nodes" },
    { "key ref",       cmd_key_ref,       "a file that stands for a key" },
    { "key refresh",   cmd_key_refresh,   "new shares of a key, the old ones erased" },
    { "key reshare",   cmd_key_reshare,   "move a key to the nodes the policy names now" },
    { "key destroy",   cmd_key_destroy,   "end a key: all its nodes erase their shares" },
    { "key repair",    cmd_key_repair,    "a share for a node that has lost its own" },
    { "key backup",    cmd_key_backup,    "its shares, sealed to their custodians" },
    { "key export-share", cmd_key_export_share, "this node's own sealed share" },
    { "key recover",   cmd_key_recover,   "open a backup: a drill, or bring it to a vault" },
    { "custodian new", cmd_custodian_new, "a key that backups are sealed to" },
    { "node add",      cmd_node_add,      "put a node into the policy and the keys" },
    { "node remove",   cmd_node_remove,   "take one out of both" },
    { "node upgrade",  cmd_node_upgrade,  "a node's new program or machine, shares moved" },
    { "policy show",   cmd_policy_show,   "the policy in force" },
    { "policy log",    cmd_policy_log,    "its versions, and who made them" },
    { "policy diff",   cmd_policy_diff,   "what a version changes" },
    { "policy draft",  cmd_policy_draft,  "the next version, to be edited" },
    { "policy propose", cmd_policy_propose, "put it to the stewards" },
    { "policy approve", cmd_policy_approve, "see what it changes, and approve it" },
    { "policy invite", cmd_policy_invite, "a code by which a person enrols a key" },
    { "policy enrol",  cmd_policy_enrol,  "propose a key of one's own with it" },
    { "policy enrolments", cmd_policy_enrolments, "keys that were proposed so" },
    { "openssl doctor", cmd_openssl_doctor, "why OpenSSL does not sign here, and the fix" },
    { "doctor",        cmd_openssl_doctor, "the same" },
    { "log fsck",      cmd_log_fsck,      "read a whole log and recompute it" },
    { "log prove",     cmd_log_prove,     "a file that proves one of its entries" },
    { "log verify",    cmd_log_verify,    "judge such a file, offline" },
    { "log search",    cmd_log_search,    "entries of a key, a session, an artifact" },
    { "log watch",     cmd_log_watch,     "a monitor: follow a log, alarm on what must not be" },
    { "attest verify", cmd_attest_verify, "judge an SEV-SNP report" },
    { "attest collect", cmd_attest_collect, "a report of this guest, with its certificates" },
    { "attest show",   cmd_attest_show,   "print one; nothing is judged" },
    { "attest policy-hash", cmd_attest_policy_hash, "TEE_POLICY_HASH of a measurement" },
    { "frost vectors", cmd_frost_vectors, "recompute a file of test vectors" },
#ifdef MPC_SIMULATED_TEE
    { "attest measure", cmd_attest_measure, "what the simulator measures of a program" },
    { "dev up",        cmd_dev_up,        "start a whole cluster in one directory" },
    { "dev down",      cmd_dev_down,      "end all its processes" },
    { "dev status",    cmd_dev_status,    "which of them run" },
    { "dev env",       cmd_dev_env,       "print its environment again" },
    { "dev kill",      cmd_dev_kill,      "end one hard (node1 …, log, ca)" },
    { "dev start",     cmd_dev_start,     "start one" },
    { "dev restart",   cmd_dev_restart,   "end one and start it" },
#endif
    { 0 },
};
/* clang-format on */

static bool is_flag(const char *word, const char *brief, const char *full)
{
    return strcmp(word, brief) == 0 || strcmp(word, full) == 0;
}

const struct cli_verb *cli_verb_find(int argc, char **argv, int *words)
{
    for (const struct cli_verb *v = cli_verbs; v->name; v++) {
        const char *space = strchr(v->name, ' ');
        size_t len = space ? (size_t)(space - v->name) : strlen(v->name);
        if (argc < 1 || strlen(argv[0]) != len ||
            strncmp(argv[0], v->name, len) != 0)
            continue;
        if (!space || (argc > 1 && strcmp(argv[1], space + 1) == 0)) {
            *words = space ? 2 : 1;
            return v;
        }
    }
    return NULL;
}

void cli_help(void)
{
    puts("usage: mpcsign VERB [ARGUMENTS] [-o text|json]\n"
         "Signing with keys that no machine holds.\n");
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        printf("  %-18s %s\n", v->name, v->help);
    puts("\nmpcsign VERB --help tells a verb's arguments; mpcsign(1) tells "
         "all.\nThe sidecar asked is MPC_SIDECAR, else "
         "/run/mpc/sidecar.sock.");
}

/* -o json may stand before the verb, and holds for what goes wrong before a
 * verb reads its arguments. */
static void find_output(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++)
        if (is_flag(argv[i], "-o", "--output") &&
            strcmp(argv[i + 1], "json") == 0)
            cli_json_set(true);
}

static bool is_group(const char *word)
{
    size_t len = strlen(word);
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        if (strncmp(v->name, word, len) == 0 && v->name[len] == ' ')
            return true;
    return false;
}

static enum rc no_verb(int argc, char **argv)
{
    enum rc rc;
    if (argc < 2)
        rc = rc_raise(RC_ARG, "no verb");
    else if (is_group(argv[1]))
        rc = rc_raise(RC_ARG, "%.40s: want %.40s and one of its verbs%s%.40s",
                      argv[1], argv[1], argc > 2 ? ", not " : "",
                      argc > 2 ? argv[2] : "");
    else
        rc = rc_raise(RC_ARG, "no verb %.40s", argv[1]);
    rc_hint("mpcsign --help lists them");
    return rc;
}

static const struct cli_verb *now; /* one verb a process */

const char *cli_verb_now(void)
{
    return now ? now->name : "VERB";
}

/* Programs that others call by a name of their own: git a link to us, the
 * doctor its child. */
static const struct {
    const char *program;
    struct cli_verb verb;
} others[] = {
    { "mpcsign-git-x509", { "git-x509", cmd_git_x509, NULL } },
    { DOCTOR_PROBE, { "openssl doctor", doctor_probe_run, NULL } },
};

static const struct cli_verb *find_other(const char *program)
{
    const char *slash = strrchr(program, '/');
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (strcmp(slash ? slash + 1 : program, others[i].program) == 0)
            return &others[i].verb;
    return NULL;
}

static enum rc run(int argc, char **argv)
{
    int words = 0;
    now = cli_verb_find(argc - 1, argv + 1, &words);
    return now ? now->run(argc - words, argv + words) : no_verb(argc, argv);
}

static int finish(enum rc rc)
{
    if (rc == RC_OK && fflush(stdout) != 0)
        rc = rc_raise(RC_IO, "stdout: cannot be written");
    return rc == RC_OK ? 0 : cli_fail(rc);
}

int cli_main(int argc, char **argv)
{
    now = argc > 0 ? find_other(argv[0]) : NULL;
    if (now)
        return finish(now->run(argc, argv));
    find_output(argc, argv);
    while (argc > 2 && is_flag(argv[1], "-o", "--output")) {
        argc -= 2; /* read above */
        argv += 2;
    }
    if (argc == 2 && is_flag(argv[1], "-h", "--help")) {
        cli_help();
        return 0;
    }
    if (argc == 2 && is_flag(argv[1], "-V", "--version")) {
        puts("mpcsign " MPC_VERSION);
        return 0;
    }
    return finish(run(argc, argv));
}
