/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for secrets by what they are, not by knowing them: any 32 bytes in a
 * process's writable memory or in a file whose scalar multiple of the base
 * point is one of the given points (a share), or whose Ed25519 public key is
 * one of the given identities (a seed). Exit 1 and "FOUND" when there is one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define MAX_POINTS 64
#define CHUNK      (1u << 20)
#define CLOSED_MAX (4u << 20) /* larger ones are reservations */

static uint8_t points[MAX_POINTS][32];
static unsigned n_points;
static uint8_t identities[MAX_POINTS][32];
static unsigned n_identities;
static uint64_t n_tried;

static void read_list(uint8_t (*out)[32], unsigned *n, const char *list)
{
    while (*list && *n < MAX_POINTS) {
        size_t got = 0;
        if (strlen(list) < 64 ||
            sodium_hex2bin(out[*n], 32, list, 64, NULL, &got, NULL) != 0 ||
            got != 32) {
            fprintf(stderr, "want 64 hex digits, comma separated\n");
            exit(2);
        }
        (*n)++;
        list += 64;
        list += *list == ',';
    }
}

/* Random-looking: a share or seed repeats no byte often. */
static bool worth_trying(const uint8_t *p)
{
    unsigned zero = 0;
    unsigned text = 0;
    for (int i = 0; i < 32; i++) {
        zero += p[i] == 0 || p[i] == 0xff;
        text += p[i] >= 0x20 && p[i] < 0x7f;
    }
    return zero < 6 && text < 26;
}

static bool is_share(const uint8_t *p)
{
    uint8_t point[32];
    if (p[31] > 0x10 || !n_points ||
        crypto_scalarmult_ed25519_base_noclamp(point, p) != 0)
        return false;
    for (unsigned i = 0; i < n_points; i++)
        if (memcmp(point, points[i], 32) == 0)
            return true;
    return false;
}

/* A seed, or the 64-byte form whose second half is the public key itself. */
static bool is_identity(const uint8_t *p, size_t left)
{
    uint8_t pk[32];
    uint8_t sk[64];
    for (unsigned i = 0; i < n_identities; i++) {
        if (left < 64 || memcmp(p + 32, identities[i], 32) != 0)
            continue;
        crypto_sign_seed_keypair(pk, sk, p);
        if (memcmp(pk, identities[i], 32) == 0)
            return true;
    }
    return false;
}

static bool scan(const uint8_t *p, size_t len, const char *where, uint64_t at)
{
    bool found = false;
    for (size_t i = 0; i + 32 <= len; i++) {
        if (!worth_trying(p + i))
            continue;
        n_tried++;
        if (is_share(p + i) || is_identity(p + i, len - i)) {
            printf("FOUND a secret in %s at 0x%" PRIx64 "\n", where, at + i);
            found = true;
        }
    }
    return found;
}

static bool scan_range(int fd, uint64_t from, uint64_t to, const char *where)
{
    static uint8_t buf[CHUNK + 64];
    bool found = false;
    for (uint64_t at = from; at < to; at += CHUNK) {
        size_t want = to - at < sizeof(buf) ? (size_t)(to - at) : sizeof(buf);
        ssize_t n = pread(fd, buf, want, (off_t)at);
        if (n > 0)
            found = scan(buf, (size_t)n, where, at) || found;
    }
    return found;
}

static bool scan_pid(const char *pid)
{
    char path[64];
    char line[512];
    bool found = false;
    unsigned n_ranges = 0;
    snprintf(path, sizeof(path), "/proc/%.16s/maps", pid);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof(path), "/proc/%.16s/mem", pid);
    int mem = open(path, O_RDONLY);
    if (!maps || mem < 0) {
        fprintf(stderr, "process %s: %s\n", pid, strerror(errno));
        exit(2);
    }
    while (fgets(line, sizeof(line), maps)) {
        uint64_t from;
        uint64_t to;
        char perms[8];
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, perms) != 3)
            continue;
        /* closed pages too: libsodium shuts what it is not using */
        bool closed = strncmp(perms, "---p", 4) == 0 && to - from < CLOSED_MAX;
        if (perms[1] != 'w' && !closed)
            continue;
        n_ranges++;
        found = scan_range(mem, from, to, pid) || found;
    }
    fclose(maps);
    close(mem);
    if (n_ranges == 0) {
        fprintf(stderr, "process %s: no writable memory seen\n", pid);
        exit(2);
    }
    return found;
}

static bool scan_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    bool found = scan_range(fd, 0, (uint64_t)st.st_size, path);
    close(fd);
    return found;
}

/* The search must find what is planted, or it proves nothing. */
static int self_test(void)
{
    uint8_t hay[4096];
    uint8_t sk[64];
    randombytes_buf(hay, sizeof(hay));
    crypto_core_ed25519_scalar_random(hay + 777);
    if (crypto_scalarmult_ed25519_base_noclamp(points[0], hay + 777) != 0)
        return 2;
    n_points = 1;
    crypto_sign_keypair(identities[0], sk);
    memcpy(hay + 2001, sk, sizeof(sk));
    n_identities = 1;
    bool share = is_share(hay + 777) && scan(hay, 1500, "self", 0);
    bool seed = scan(hay + 1900, 1000, "self", 0);
    return share && seed ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool found = false;
    bool files = false;
    if (sodium_init() < 0)
        return 2;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--self-test") == 0)
            return self_test();
        if (strcmp(argv[i], "--points") == 0 && i + 1 < argc)
            read_list(points, &n_points, argv[++i]);
        else if (strcmp(argv[i], "--identities") == 0 && i + 1 < argc)
            read_list(identities, &n_identities, argv[++i]);
        else if (strcmp(argv[i], "--pid") == 0 && i + 1 < argc)
            found = scan_pid(argv[++i]) || found;
        else if (strcmp(argv[i], "--files") == 0)
            files = true;
        else if (files)
            found = scan_file(argv[i]) || found;
        else
            return 2;
    }
    printf("tried %" PRIu64 " windows\n", n_tried);
    return found ? 1 : 0;
}
