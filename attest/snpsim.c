/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-snpsim: a simulated SEV-SNP guest device and its AMD-shaped PKI, for
 * laptops and tests. It shows the mechanism; against a process of the same
 * user it is no boundary.
 */
#include "attest/snpsim.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/log.h"
#include "base/rand.h"

static const char usage[] =
        "usage: mpc-snpsim init DIR [--chip N] [--roots DIR | --product NAME]\n"
        "       mpc-snpsim serve DIR --socket PATH [--host-data HEX]\n"
        "                        [--fault NAME]... [--ready-fd N]\n"
        "       mpc-snpsim fault --socket PATH NAME...\n"
        "       mpc-snpsim crl DIR [--revoke-ask]\n"
        "       mpc-snpsim measure FILE\n"
        "       mpc-snpsim --help | --version\n"
        "\n"
        "A simulated SEV-SNP guest device. NOT AMD HARDWARE.\n"
        "  init     makes ARK, ASK, VCEK and CRL with their keys in DIR\n"
        "    --chip N      number of the chip: its CHIP_ID follows from it\n"
        "    --roots DIR   use the ARK and ASK of that directory\n"
        "    --product     milan, genoa [default] or turin\n"
        "  serve    answers report and derived-key requests on a Unix socket;\n"
        "           measures the executable of each caller\n"
        "    --host-data   32 bytes hex that every report carries\n"
        "    --fault       begins with this fault, below; repeat\n"
        "    --ready-fd    writes a line there when it listens\n"
        "  fault    sets faults in the simulator that listens at PATH\n"
        "  crl      writes DIR/crl.der anew, good for a year: for\n"
        "           `mpcsign attest verify --crl`\n"
        "    --revoke-ask  it names the ASK\n"
        "  measure  prints the TEE_POLICY_HASH that FILE would get\n"
        "\n";

struct args {
    const char *chip, *roots, *product, *socket, *host_data, *ready_fd;
    bool revoke_ask;
    struct snpsim_faults faults;
};

static enum rc parse(struct args *out, int *argc, char ***argv)
{
    enum {
        CHIP = 256,
        ROOTS,
        PRODUCT,
        SOCKET,
        HOST_DATA,
        READY_FD,
        FAULT,
        REVOKE_ASK,
    };
    static const struct option options[] = {
        { "chip", required_argument, NULL, CHIP },
        { "roots", required_argument, NULL, ROOTS },
        { "product", required_argument, NULL, PRODUCT },
        { "fault", required_argument, NULL, FAULT },
        { "revoke-ask", no_argument, NULL, REVOKE_ASK },
        { "socket", required_argument, NULL, SOCKET },
        { "host-data", required_argument, NULL, HOST_DATA },
        { "ready-fd", required_argument, NULL, READY_FD },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    int c;
    while ((c = getopt_long(*argc, *argv, "hV", options, NULL)) != -1) {
        switch (c) {
        case CHIP:
            out->chip = optarg;
            break;
        case ROOTS:
            out->roots = optarg;
            break;
        case PRODUCT:
            out->product = optarg;
            break;
        case FAULT:
            TRY(snpsim_fault_set(&out->faults, optarg));
            break;
        case REVOKE_ASK:
            out->revoke_ask = true;
            break;
        case SOCKET:
            out->socket = optarg;
            break;
        case HOST_DATA:
            out->host_data = optarg;
            break;
        case READY_FD:
            out->ready_fd = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            fputs(snpsim_fault_help, stdout);
            exit(0);
        case 'V':
            puts("mpc-snpsim " MPC_VERSION);
            exit(0);
        default:
            return rc_raise(RC_ARG, "unknown option; see --help");
        }
    }
    *argc -= optind;
    *argv += optind;
    return RC_OK;
}

static enum rc serve(const char *dir, const struct args *a)
{
    if (!a->socket)
        return rc_raise(RC_ARG, "serve: --socket PATH is missing");
    int64_t fd = -1;
    uint64_t number;
    if (a->ready_fd) {
        TRY(enc_undec(&number, a->ready_fd, strlen(a->ready_fd)));
        if (number > 1023)
            return rc_raise(RC_ARG, "--ready-fd: at most 1023");
        fd = (int64_t)number;
    }
    struct snpsim_chip chip = { 0 };
    enum rc rc = snpsim_load(&chip, dir);
    if (rc == RC_OK && a->host_data)
        rc = enc_unhex(chip.host_data, 32, a->host_data, strlen(a->host_data));
    if (rc == RC_OK)
        rc = rand_bytes(chip.report_id, sizeof(chip.report_id));
    if (rc == RC_OK)
        rc = snpsim_serve(&chip, &a->faults, a->socket, (int)fd);
    snpsim_chip_free(&chip);
    return rc;
}

static enum rc fault(const struct args *a, char **words, int n)
{
    struct snpsim_faults check = { 0 };
    if (!a->socket)
        return rc_raise(RC_ARG, "fault: --socket PATH is missing");
    for (int i = 0; i < n; i++) /* all of them, or none */
        TRY(snpsim_fault_set(&check, words[i]));
    for (int i = 0; i < n; i++)
        TRY(snpsim_fault_send(a->socket, words[i]));
    return RC_OK;
}

static enum rc measure(const char *path)
{
    uint8_t m[ATTEST_MEASUREMENT_LEN];
    uint8_t hash[32];
    char hex[ENC_HEX_SIZE(32)];
    TRY(attest_measure_file(m, path));
    attest_policy_hash(hash, m);
    puts(enc_hex(hex, hash, sizeof(hash)));
    return RC_OK;
}

static enum rc run(int argc, char **argv)
{
    struct args a = { 0 };
    TRY(parse(&a, &argc, &argv));
    if (argc == 2 && strcmp(argv[0], "init") == 0)
        return snpsim_init(argv[1], a.roots, a.chip, a.product);
    if (argc == 2 && strcmp(argv[0], "serve") == 0)
        return serve(argv[1], &a);
    if (argc >= 2 && strcmp(argv[0], "fault") == 0)
        return fault(&a, argv + 1, argc - 1);
    if (argc == 2 && strcmp(argv[0], "crl") == 0)
        return snpsim_crl(argv[1], a.revoke_ask);
    if (argc == 2 && strcmp(argv[0], "measure") == 0)
        return measure(argv[1]);
    return rc_raise(RC_ARG,
                    "want init, serve, fault, crl or measure; see --help");
}

int main(int argc, char **argv)
{
    log_setup(LOG_INFO, false, "simulated=yes");
    if (sodium_init() < 0)
        return 1;
    enum rc rc = run(argc, argv);
    if (rc != RC_OK)
        fprintf(stderr, "mpc-snpsim: %s\n", rc_text());
    return rc_exit(rc);
}
