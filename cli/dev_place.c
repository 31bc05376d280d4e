/* SPDX-License-Identifier: Apache-2.0 */
/* Where a dev cluster lives: its directory, its ports, its short sockets. */
#include "cli/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rand.h"
#include "base/sock.h"

#define FILE_MAX   65536
#define PORT_MIN   16384
#define PORT_MAX   32768
#define PORT_TRIES 64

/* ---- names -------------------------------------------------------------- */

enum rc dev_path(char out[DEV_PATH], const struct dev *d, const char *a,
                 const char *b)
{
    if (snprintf(out, DEV_PATH, "%s/%s%s%s", d->dir, a, b ? "/" : "",
                 b ? b : "") >= DEV_PATH)
        return rc_raise(RC_ARG, "--dir: name too long");
    return RC_OK;
}

enum rc dev_sock(char out[DEV_PATH], const struct dev *d, const char *who,
                 const char *name)
{
    bool inside = strcmp(d->dir, d->run) == 0;
    if (snprintf(out, DEV_PATH, inside ? "%s/%s/%s.sock" : "%s/%s-%s.sock",
                 d->run, who, name) >= DEV_SOCK)
        return rc_raise(RC_ARG, "socket of %s: name too long", who);
    return RC_OK;
}

/* What a configuration file, a shell and a socket can all take. */
static enum rc check_dir(const char *dir)
{
    if (strpbrk(dir, "$#\\\"'`;,\n\r\t"))
        return rc_raise(RC_ARG, "--dir: none of $ # \\ \" ' ` ; , in its name");
    if (strlen(dir) > DEV_PATH - 64)
        return rc_raise(RC_ARG, "--dir: name too long");
    return RC_OK;
}

enum rc dev_dir(char out[DEV_PATH], const char *given)
{
    const char *dir = given;
    char cwd[DEV_PATH] = "";
    if (!dir || !*dir)
        dir = getenv("MPC_DEV");
    if (!dir || !*dir)
        dir = ".mpc-dev";
    if (dir[0] != '/' && !getcwd(cwd, sizeof(cwd)))
        return rc_raise(RC_IO, "current directory: %s", strerror(errno));
    if (snprintf(out, DEV_PATH, "%s%s%s", cwd, *cwd ? "/" : "", dir) >=
        DEV_PATH)
        return rc_raise(RC_ARG, "--dir: name too long");
    size_t len = strlen(out);
    while (len > 1 && out[len - 1] == '/')
        out[--len] = '\0';
    return check_dir(out);
}

/* ---- programs ----------------------------------------------------------- */

static enum rc find_modules(struct dev *d)
{
    static const char *const beside[] = {
        "../lib/ossl-modules", "../lib/x86_64-linux-gnu/ossl-modules",
        "../lib64/ossl-modules"
    };
    char path[DEV_PATH + 16];
    const char *env = getenv("OPENSSL_MODULES");
    for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++) {
        snprintf(path, sizeof(path), "%.400s/%s/mpc.so", d->bin, beside[i]);
        char *real = realpath(path, NULL);
        if (!real)
            continue;
        *strrchr(real, '/') = '\0';
        snprintf(d->modules, sizeof(d->modules), "%s", real);
        free(real);
        return RC_OK;
    }
    snprintf(path, sizeof(path), "%.480s/mpc.so", env ? env : "");
    if (env && access(path, R_OK) == 0) {
        snprintf(d->modules, sizeof(d->modules), "%s", env);
        return RC_OK;
    }
    enum rc rc = rc_raise(RC_UNKNOWN, "mpc.so: not beside %.300s", d->bin);
    rc_hint("build it, or set OPENSSL_MODULES to its directory");
    return rc;
}

static enum rc find_programs(struct dev *d)
{
    static const char *const needed[] = { "mpc-sidecar", "mpc-ca", "mpc-log",
                                          "mpc-snpsim" };
    char path[DEV_PATH + 32];
    ssize_t n = readlink("/proc/self/exe", d->bin, sizeof(d->bin) - 1);
    if (n <= 0)
        return rc_raise(RC_IO, "/proc/self/exe: %s", strerror(errno));
    d->bin[n] = '\0';
    *strrchr(d->bin, '/') = '\0';
    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
        snprintf(path, sizeof(path), "%s/%s", d->bin, needed[i]);
        if (access(path, X_OK) != 0)
            return rc_raise(RC_UNKNOWN, "%s: not beside mpcsign in %.300s",
                            needed[i], d->bin);
    }
    return find_modules(d);
}

/* ---- ports -------------------------------------------------------------- */

/*
 * Below what the kernel gives to outgoing connections (32768 on): one of those
 * could take a port between here and the daemon's own bind.
 */
static enum rc listen_somewhere(int *fd, uint16_t *port)
{
    for (unsigned tries = 0; tries < PORT_TRIES; tries++) {
        uint16_t at;
        char addr[32];
        TRY(rand_bytes(&at, sizeof(at)));
        snprintf(addr, sizeof(addr), "127.0.0.1:%u",
                 PORT_MIN + at % (PORT_MAX - PORT_MIN));
        if (sock_tcp_listen(fd, port, addr) == RC_OK)
            return RC_OK;
    }
    return sock_tcp_listen(fd, port, "127.0.0.1:0");
}

/*
 * All are held until the last is chosen, so that they differ. Another program
 * that listens may still come between: the daemon then says so.
 */
static enum rc choose_ports(struct dev *d)
{
    uint16_t *port[DEV_MAX_NODES + 4] = { &d->ca_port, &d->log_port,
                                          &d->public_port, &d->page_port };
    int fd[DEV_MAX_NODES + 4];
    unsigned n = 0;
    enum rc rc = RC_OK;
    for (unsigned i = 0; i < d->n; i++)
        port[4 + i] = &d->node_port[i];
    while (rc == RC_OK && n < d->n + 4) {
        rc = listen_somewhere(&fd[n], port[n]);
        n += rc == RC_OK;
    }
    while (n > 0)
        close(fd[--n]);
    return rc;
}

/* ---- the short place of sockets ----------------------------------------- */

static enum rc choose_run(struct dev *d)
{
    char link[DEV_PATH];
    snprintf(d->run, sizeof(d->run), "%s", d->dir);
    if (strlen(d->dir) + sizeof("/node16/sidecar.sock") < DEV_SOCK)
        return RC_OK;
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (!base || !*base || strlen(base) > 50 || access(base, W_OK) != 0 ||
        check_dir(base) != RC_OK)
        base = "/tmp";
    snprintf(d->run, sizeof(d->run), "%s/mpc-dev-XXXXXX", base);
    if (!mkdtemp(d->run))
        return rc_raise(RC_IO, "%s: %s", d->run, strerror(errno));
    TRY(dev_path(link, d, "run", NULL));
    if (symlink(d->run, link) != 0)
        return rc_raise(RC_IO, "%s: %s", link, strerror(errno));
    return RC_OK;
}

/* ---- one at a time ------------------------------------------------------ */

static enum rc take_lock(struct dev *d)
{
    char path[DEV_PATH];
    TRY(dev_path(path, d, "lock", NULL));
    OWNED_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return rc_raise(RC_IO, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return rc_raise(RC_ORDER, "%s: another mpcsign dev is at work there",
                        d->dir);
    d->lock = TAKE_FD(fd);
    return RC_OK;
}

void dev_close(struct dev *d)
{
    if (d->lock >= 0)
        close(d->lock);
    d->lock = -1;
}

/* ---- kept --------------------------------------------------------------- */

enum rc dev_keep(const struct dev *d)
{
    char path[DEV_PATH];
    OWNED(json_t) *ports = json_array();
    for (unsigned i = 0; i < d->n; i++)
        json_array_append_new(ports, json_integer(d->node_port[i]));
    OWNED(json_t) *o = json_pack(
            "{s:i, s:i, s:i, s:s, s:O, s:i, s:i, s:i, s:i}", "v", 1, "nodes",
            (int)d->n, "threshold", (int)d->t, "run", d->run, "node_ports",
            ports, "ca_port", (int)d->ca_port, "log_port", (int)d->log_port,
            "public_port", (int)d->public_port, "page_port", (int)d->page_port);
    OWNED_MEM char *text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
    if (!text)
        return rc_raise(RC_NOMEM, "dev.json: out of memory");
    TRY(dev_path(path, d, "dev.json", NULL));
    return file_write(path, text, strlen(text), 0600);
}

static enum rc damaged(const char *path)
{
    enum rc rc = rc_raise(RC_PARSE, "%s: damaged", path);
    rc_hint("mpcsign dev down --purge removes the cluster");
    return rc;
}

static enum rc read_kept(struct dev *d)
{
    char path[DEV_PATH];
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    int n = 0, t = 0, ca = 0, log = 0, public = 0, page = 0;
    const char *run = NULL;
    json_t *ports = NULL;
    TRY(dev_path(path, d, "dev.json", NULL));
    TRY(file_read(&text, &len, path, FILE_MAX));
    OWNED(json_t) *o = json_loadb((const char *)text, len, 0, NULL);
    if (!o ||
        json_unpack(o, "{s:i, s:i, s:s, s:o, s:i, s:i, s:i, s?i}", "nodes", &n,
                    "threshold", &t, "run", &run, "node_ports", &ports,
                    "ca_port", &ca, "log_port", &log, "public_port", &public,
                    "page_port", &page) != 0)
        return damaged(path);
    if (n < 2 || n > DEV_MAX_NODES || t < 2 || t > n ||
        json_array_size(ports) != (size_t)n || strlen(run) >= sizeof(d->run))
        return damaged(path);
    d->n = (unsigned)n;
    d->t = (unsigned)t;
    d->ca_port = (uint16_t)ca;
    d->log_port = (uint16_t)log;
    d->public_port = (uint16_t) public;
    d->page_port = (uint16_t)page; /* 0: made before there were pages */
    snprintf(d->run, sizeof(d->run), "%s", run);
    for (int i = 0; i < n; i++)
        d->node_port[i] = (uint16_t)json_integer_value(
                json_array_get(ports, (size_t)i));
    return RC_OK;
}

/* After a reboot the short place may be gone. */
static enum rc check_run(struct dev *d)
{
    if (access(d->run, W_OK) == 0 || mkdir(d->run, 0700) == 0)
        return RC_OK;
    return rc_raise(RC_IO, "%s: %s", d->run, strerror(errno));
}

enum rc dev_open(struct dev *d, const char *dir)
{
    *d = (struct dev){ .lock = -1 };
    snprintf(d->dir, sizeof(d->dir), "%s", dir);
    enum rc rc = read_kept(d);
    if (rc == RC_UNKNOWN) {
        rc = rc_raise(RC_UNKNOWN, "%s: no cluster there", dir);
        rc_hint("mpcsign dev up makes one; --dir or MPC_DEV says where");
    }
    TRY(rc);
    TRY(take_lock(d));
    rc = find_programs(d);
    if (rc == RC_OK)
        rc = check_run(d);
    if (rc != RC_OK)
        dev_close(d);
    return rc;
}

static enum rc make(struct dev *d)
{
    TRY(find_programs(d));
    TRY(file_mkdirs(d->dir, 0700));
    TRY(take_lock(d));
    TRY(choose_run(d));
    TRY(choose_ports(d));
    struct dev_who w;
    for (unsigned i = 0; dev_who_at(&w, d, i); i++) {
        char path[DEV_PATH];
        TRY(dev_path(path, d, w.name, NULL));
        TRY(file_mkdirs(path, 0700));
    }
    return RC_OK;
}

enum rc dev_make(struct dev *d, const char *dir, unsigned n, unsigned t)
{
    *d = (struct dev){ .n = n, .t = t, .lock = -1 };
    snprintf(d->dir, sizeof(d->dir), "%s", dir);
    if (access(dir, F_OK) == 0 && rmdir(dir) != 0) {
        enum rc rc = rc_raise(RC_EXISTS, "%s: not empty, and no cluster", dir);
        rc_hint("name another --dir, or remove it");
        return rc;
    }
    enum rc rc = make(d);
    if (rc == RC_OK)
        return RC_OK;
    enum rc end = d->lock >= 0 ? dev_purge(d) : RC_OK;
    dev_close(d);
    return end == RC_OK ? rc : end;
}

/* ---- gone --------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int what,
                      struct FTW *at)
{
    (void)st;
    (void)what;
    (void)at;
    return remove(path);
}

static enum rc remove_tree(const char *dir)
{
    if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 &&
        errno != ENOENT)
        return rc_raise(RC_IO, "%s: %s", dir, strerror(errno));
    return RC_OK;
}

enum rc dev_purge(struct dev *d)
{
    if (*d->run && strcmp(d->run, d->dir) != 0)
        TRY(remove_tree(d->run));
    return remove_tree(d->dir);
}

/* ---- who ---------------------------------------------------------------- */

bool dev_who_at(struct dev_who *out, const struct dev *d, unsigned i)
{
    static const struct dev_who log = { "log", 0, "mpc-log", "mpc_log",
                                        "log/log" };
    static const struct dev_who ca = { "ca", 0, "mpc-ca", "mpc_ca", "ca/ca" };
    if (i > d->n + 1)
        return false;
    if (i == 0) {
        *out = log;
    } else if (i == d->n + 1) {
        *out = ca;
    } else {
        *out = (struct dev_who){ "", i, "mpc-sidecar", "mpc_sidecar",
                                 "sidecar" };
        snprintf(out->name, sizeof(out->name), "node%u", i);
    }
    return true;
}

enum rc dev_who_find(struct dev_who *out, const struct dev *d, const char *name)
{
    for (unsigned i = 0; dev_who_at(out, d, i); i++)
        if (strcmp(out->name, name) == 0)
            return RC_OK;
    return rc_raise(RC_ARG, "%.40s: want node1 to node%u, log or ca", name,
                    d->n);
}
