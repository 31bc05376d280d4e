/* SPDX-License-Identifier: Apache-2.0 */
/* The common life of mpc-sidecar, mpc-ca and mpc-log; see daemon.h. */
#include "daemon/daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/own.h"

#define GENESIS_MAX (256 * 1024)

/* clang-format off */
static const struct conf_option common[] = {
    { "deployment", NULL, NULL, "name of the deployment, as in every URI" },
    { "uri", NULL, NULL, "our node URI, mpc://deployment/role/name" },
    { "listen", NULL, "127.0.0.1:0", "address of the attested peer listener" },
    { "state_dir", NULL, NULL, "directory of durable state" },
    { "pid_file", NULL, "", "written when ready" },
    { "device", NULL, "sev-guest", "guest device: auto, sev-guest, configfs-tsm, azure-vtpm or sim:PATH" },
    { "allow_simulated", NULL, "no", "accept a simulated root (not release)" },
    { "simulated_ark", NULL, "", "DER of the simulated root" },
    { "genesis", NULL, NULL, "file with the genesis policy" },
    { "genesis_sha256", NULL, NULL, "its pinned SHA-256, hex" },
    { "TEE_POLICY_HASH", "TEE_POLICY_HASH", NULL,
      "allowed peers' hashes: narrows the policy's" },
    { "attestation_policy", NULL, "",
      "file: what peers' reports must say besides the policy's" },
    { "crl", NULL, "", "AMD's CRLs, DER files, comma separated" },
    { "cert_dir", NULL, "", "*.der: ASK, ARK and VEK that evidence lacks" },
    { "attest_window_s", NULL, "600",
      "seconds that a peer's evidence counts, 30 to 3600" },
    { "CLIENT_TLS_CA", "CLIENT_TLS_CA", NULL, "CA of all peers, PEM" },
    { "CLIENT_TLS_CERT", "CLIENT_TLS_CERT", "",
      "certificate as a client; default: the server's" },
    { "CLIENT_TLS_KEY", "CLIENT_TLS_KEY", "", "its key" },
    { "log_format", NULL, "text", "text or json" },
    { "log_level", NULL, "info", "error, warn, info or debug" },
};
/* clang-format on */
#define N_COMMON (sizeof(common) / sizeof(common[0]))

static volatile sig_atomic_t stopping;

static void on_stop(int signal)
{
    (void)signal;
    stopping = 1;
}

static volatile sig_atomic_t reloading;

static void on_reload(int signal)
{
    (void)signal;
    reloading = 1;
}

bool daemon_reload_asked(void)
{
    bool asked = reloading != 0;
    reloading = 0;
    return asked;
}

bool daemon_stopping(void)
{
    return stopping != 0;
}

void daemon_wait(struct daemon *d)
{
    while (!stopping) {
        daemon_tick(d);
        poll(NULL, 0, 200);
    }
}

/* ---- options ------------------------------------------------------------------ */

static enum rc join_options(struct daemon *d)
{
    const struct daemon_program *p = d->program;
    size_t own = 0;
    while (p->options[own].key)
        own++;
    d->options = calloc(N_COMMON + own + 3, sizeof(*d->options));
    if (!d->options)
        return rc_raise(RC_NOMEM, "options: out of memory");
    memcpy(d->options, common, sizeof(common));
    d->options[N_COMMON] = (struct conf_option){ p->tls_cert, p->tls_cert, NULL,
                                                 "our certificate, PEM" };
    d->options[N_COMMON + 1] = (struct conf_option){ p->tls_key, p->tls_key,
                                                     NULL, "its key" };
    memcpy(d->options + N_COMMON + 2, p->options, own * sizeof(*p->options));
    return RC_OK;
}

static void print_help(const struct daemon *d)
{
    printf("usage: %s -c FILE [-t]\n%s\n\n"
           "  -c FILE     configuration (openssl.cnf syntax, section [%s])\n"
           "  -t          check the configuration and exit\n"
           "  --help      this text\n"
           "  --version   the version\n\nKeys (environment wins):\n",
           d->program->name, d->program->summary, d->program->section);
    for (const struct conf_option *o = d->options; o->key; o++)
        printf("  %-18s %s%s%s%s\n", o->key, o->help,
               o->dflt && *o->dflt ? " [" : "", o->dflt ? o->dflt : "",
               o->dflt && *o->dflt ? "]" : "");
}

/* Returns the config file's path, or NULL with *done set. */
static const char *read_args(struct daemon *d, bool *done, int *status,
                             bool *test, int argc, char **argv)
{
    const char *file = NULL;
    *done = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(d);
            *status = 0;
            return NULL;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", d->program->name, MPC_VERSION);
            *status = 0;
            return NULL;
        }
        if (strcmp(argv[i], "-t") == 0) {
            *test = true;
        } else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            file = argv[++i];
        } else {
            fprintf(stderr, "%s: unknown argument %s (try --help)\n",
                    d->program->name, argv[i]);
            *status = 2;
            return NULL;
        }
    }
    if (!file) {
        fprintf(stderr, "%s: -c FILE is missing (try --help)\n",
                d->program->name);
        *status = 2;
        return NULL;
    }
    *done = false;
    return file;
}

/* ---- what the configuration says ------------------------------------------------ */

static enum rc read_tls(struct daemon *d)
{
    TRY(conf_need(&d->tls.ca, d->conf, "CLIENT_TLS_CA"));
    TRY(conf_need(&d->tls.cert, d->conf, d->program->tls_cert));
    TRY(conf_need(&d->tls.key, d->conf, d->program->tls_key));
    d->client_tls = d->tls;
    const char *cert = conf_get(d->conf, "CLIENT_TLS_CERT");
    const char *key = conf_get(d->conf, "CLIENT_TLS_KEY");
    if (cert && *cert && key && *key) {
        d->client_tls.cert = cert;
        d->client_tls.key = key;
    }
    return RC_OK;
}

static enum rc read_genesis(struct daemon *d)
{
    const char *file;
    const char *pin;
    TRY(conf_need(&file, d->conf, "genesis"));
    TRY(conf_need(&pin, d->conf, "genesis_sha256"));
    TRY(file_read(&d->genesis, &d->genesis_len, file, GENESIS_MAX));
    TRY(enc_unhex(d->genesis_sha256, 32, pin, strlen(pin)));
    uint8_t hash[32];
    hash256(hash, d->genesis, d->genesis_len);
    if (memcmp(hash, d->genesis_sha256, 32) != 0) {
        char hex[65];
        return rc_raise(RC_POLICY, "genesis: %s has SHA-256 %s, pinned %s",
                        file, enc_hex(hex, hash, 32), pin);
    }
    return RC_OK;
}

static enum rc read_roots(struct daemon *d)
{
    bool allow;
    TRY(conf_bool(&allow, d->conf, "allow_simulated"));
    if (!allow)
        return RC_OK;
#ifndef MPC_SIMULATED_TEE
    return rc_raise(RC_ARG, "allow_simulated: this build accepts AMD only");
#else
    const char *file = conf_get(d->conf, "simulated_ark");
    OWNED_MEM uint8_t *der = NULL;
    size_t len;
    TRY(file_read(&der, &len, file ? file : "", ATTEST_CERT_MAX));
    d->roots.allow_simulated = true;
    hash256(d->roots.simulated_ark, der, len);
    return RC_OK;
#endif
}

static enum rc set_logging(const struct daemon *d)
{
    const char *format = conf_get(d->conf, "log_format");
    const char *level = conf_get(d->conf, "log_level");
    enum log_level max = strcmp(level, "debug") == 0   ? LOG_DEBUG
                         : strcmp(level, "warn") == 0  ? LOG_WARN
                         : strcmp(level, "error") == 0 ? LOG_ERROR
                                                       : LOG_INFO;
    log_setup(max, strcmp(format, "json") == 0,
              d->roots.allow_simulated ? "simulated=yes" : NULL);
    return RC_OK;
}

static enum rc read_config(struct daemon *d, const char *file)
{
    TRY(conf_load(&d->conf, file, d->program->section, d->options));
    TRY(conf_need(&d->deployment, d->conf, "deployment"));
    TRY(conf_need(&d->uri, d->conf, "uri"));
    TRY(conf_need(&d->state_dir, d->conf, "state_dir"));
    TRY(conf_int(&d->window_s, d->conf, "attest_window_s", 30, 3600));
    TRY(read_tls(d));
    TRY(read_genesis(d));
    TRY(read_roots(d));
    return set_logging(d);
}

/* Lost needs a person: nothing this process does brings it back. */
static void device_changed(void *ctx, const struct attest_guest_state *state)
{
    (void)ctx;
    if (state->health == ATTEST_GUEST_LOST)
        log_error("device",
                  "kind=%s state=%s why=\"attestation lost: "
                  "relaunch the VM\"",
                  state->kind, state->state);
    else if (state->health == ATTEST_GUEST_READY)
        log_info("device", "kind=%s state=%s", state->kind, state->state);
    else
        log_warn("device", "kind=%s state=%s", state->kind, state->state);
}

static enum rc open_guest(struct daemon *d)
{
    const char *device;
    TRY(conf_need(&device, d->conf, "device"));
    TRY(attest_guest_open(&d->guest, device));
    d->guest_simulated = attest_guest_simulated(d->guest);
    attest_guest_watch(d->guest, device_changed, NULL);
    struct attest_guest_state state;
    attest_guest_state(&state, d->guest);
    device_changed(NULL, &state);
    if (d->guest_simulated && !d->roots.allow_simulated)
        return rc_raise(RC_ARG, "device: simulated, but allow_simulated is "
                                "not set");
    if (d->guest_simulated)
        log_warn("simulated", "why=\"this is NOT AMD hardware; nothing here "
                              "protects against the host\"");
    return RC_OK;
}

static void catch_signals(void)
{
    struct sigaction stop = { .sa_handler = on_stop };
    struct sigaction again = { .sa_handler = on_reload };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGHUP, &again, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

enum rc daemon_open(struct daemon *d, bool *done, int *status,
                    const struct daemon_program *program, int argc, char **argv)
{
    *d = (struct daemon){ .program = program };
    bool test = false;
    TRY(join_options(d));
    const char *file = read_args(d, done, status, &test, argc, argv);
    if (!file)
        return RC_OK;
    if (sodium_init() < 0)
        return rc_raise(RC_INTERNAL, "libsodium does not start");
    catch_signals();
    TRY(failpoint_init());
    d->file = file;
    TRY(read_config(d, file));
    if (test) {
        TRY(daemon_attestation_check(d->conf));
        printf("%s: %s is fine\n", program->name, file);
        *done = true;
        *status = 0;
        return RC_OK;
    }
    TRY(file_mkdirs(d->state_dir, 0700));
    return open_guest(d);
}

/* ---- channel and listener ---------------------------------------------------------- */

enum rc daemon_channel(struct daemon *d, const struct attest_channel_host *host)
{
    struct attest_channel_config c = {
        .deployment = d->deployment,
        .own_uri = d->uri,
        .guest = d->guest,
        .roots = d->roots,
        .tee_policy_hash = conf_get(d->conf, "TEE_POLICY_HASH"),
        .window_s = d->window_s,
        .host = *host,
    };
    memcpy(c.genesis, d->genesis_sha256, 32);
    return daemon_attestation_open(d, &c);
}

/* ctx begins with the daemon. */
static struct attest_channel *channel_of(void *ctx)
{
    return (*(struct daemon **)ctx)->channel;
}

enum rc daemon_on_hello(struct http_call *call, void *ctx)
{
    return attest_on_hello(call, channel_of(ctx));
}

enum rc daemon_on_evidence(struct http_call *call, void *ctx)
{
    return attest_on_evidence(call, channel_of(ctx));
}

enum rc daemon_on_bind(struct http_call *call, void *ctx)
{
    return attest_on_bind(call, channel_of(ctx));
}

enum rc daemon_listen(struct daemon *d, const struct http_route *routes,
                      void *ctx, unsigned threads)
{
    const char *listen;
    uint16_t port;
    int fd;
    TRY(conf_need(&listen, d->conf, "listen"));
    TRY(sock_tcp_listen(&fd, &port, listen));
    struct http_server_config c = {
        .kind = HTTP_ON_PEER,
        .listen_fd = fd,
        .routes = routes,
        .ctx = ctx,
        .tls = d->tls,
        .guard = attest_channel_server_guard(d->channel),
        .threads = threads,
        .request_limit_s = 10,
    };
    TRY(http_server_start(&d->peers, &c));
    log_info("listening", "peers=%s port=%u", listen, port);
    return RC_OK;
}

/* ---- ready, and the end --------------------------------------------------------------- */

/* sd_notify(3) by hand: one datagram. */
static void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    if (!path || strlen(path) >= sizeof(sa.sun_path))
        return;
    memcpy(sa.sun_path, path, strlen(path));
    if (sa.sun_path[0] == '@')
        sa.sun_path[0] = '\0';
    OWNED_FD fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                strlen(path));
    if (fd >= 0 && sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                          (struct sockaddr *)&sa, len) < 0)
        log_warn("notify", "why=\"%s\"", strerror(errno));
}

enum rc daemon_ready(struct daemon *d)
{
    const char *pid_file = conf_get(d->conf, "pid_file");
    if (pid_file && *pid_file) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
        TRY(file_write(pid_file, text, (size_t)n, 0644));
        snprintf(d->pid_file, sizeof(d->pid_file), "%s", pid_file);
    }
    uint8_t hash[32];
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t ak[32];
    bool simulated;
    char hex[65];
    attest_channel_own(d->channel, hash, measurement, ak, &simulated);
    log_info("ready", "uri=%s policy_hash=%s pid=%ld", d->uri,
             enc_hex(hex, hash, 32), (long)getpid());
    notify_systemd("READY=1");
    return RC_OK;
}

void daemon_close(struct daemon *d)
{
    notify_systemd("STOPPING=1");
    http_server_stop(d->peers);
    attest_channel_free(d->channel);
    attest_guest_free(d->guest);
    if (d->pid_file[0])
        unlink(d->pid_file);
    conf_free(d->reloaded);
    conf_free(d->conf);
    free(d->options);
    free(d->genesis);
}
