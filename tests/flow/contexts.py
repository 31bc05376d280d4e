# SPDX-License-Identifier: Apache-2.0
"""Flows 42 and 44: two library contexts, each with the configuration; the key
of the store equals the certificate's and its own copy, in both directions;
all of it loaded and unloaded again and again.

    contexts.py OPENSSL_CONF CERTIFICATE-OF-mpc:web
"""
import ctypes
import sys

lib = ctypes.CDLL("libcrypto.so.3")
ptr = ctypes.c_void_p


def call(name, *args, result=ptr):
    f = getattr(lib, name)
    f.restype = result
    return f(*[ptr(a) if isinstance(a, int) and a > 0xFFFF else a
               for a in args])


def need(value, what):
    if not value or value == -1:
        text = ctypes.create_string_buffer(512)
        call("ERR_error_string_n", call("ERR_get_error",
             result=ctypes.c_ulong), text, ctypes.c_size_t(512), result=None)
        sys.exit(f"{what}: {text.value.decode()}")
    return value


def context(conf):
    ctx = need(call("OSSL_LIB_CTX_new"), "context")
    need(call("OSSL_LIB_CTX_load_config", ctx, conf.encode(),
              result=ctypes.c_int), "configuration")
    return ctx


def load(ctx, name):
    store = need(call("OSSL_STORE_open_ex", name.encode(), ctx, None, None,
                      None, None, None, None), "store")
    need(call("OSSL_STORE_expect", store, 4, result=ctypes.c_int), "expect")
    info = need(call("OSSL_STORE_load", store), "load")
    key = need(call("OSSL_STORE_INFO_get1_PKEY", info), "no key")
    call("OSSL_STORE_INFO_free", info, result=None)
    call("OSSL_STORE_close", store, result=ctypes.c_int)
    return key


def certificate(ctx, file):
    bio = need(call("BIO_new_file", file.encode(), b"r"), file)
    cert = need(call("X509_new_ex", ctx, None), "certificate")
    slot = ptr(cert)
    need(call("PEM_read_bio_X509", bio, ctypes.byref(slot), None, None), file)
    call("BIO_free", bio, result=ctypes.c_int)
    return cert


def equal(a, b):
    return call("EVP_PKEY_eq", a, b, result=ctypes.c_int) == 1


def sign_and_verify(ctx, key, public):
    sig = (ctypes.c_ubyte * 64)()
    n = ctypes.c_size_t(64)
    m = need(call("EVP_MD_CTX_new"), "ctx")
    need(call("EVP_DigestSignInit_ex", m, None, None, ctx, None, key, None,
              result=ctypes.c_int) == 1, "sign init")
    need(call("EVP_DigestSign", m, sig, ctypes.byref(n), b"hello",
              ctypes.c_size_t(5), result=ctypes.c_int) == 1, "sign")
    call("EVP_MD_CTX_free", m, result=None)
    m = need(call("EVP_MD_CTX_new"), "ctx")
    need(call("EVP_DigestVerifyInit_ex", m, None, None, ctx, None, public,
              None, result=ctypes.c_int) == 1, "verify init")
    need(call("EVP_DigestVerify", m, sig, n, b"hello", ctypes.c_size_t(5),
              result=ctypes.c_int) == 1, "verify")
    call("EVP_MD_CTX_free", m, result=None)


def cycle(conf, cert_file, sign):
    contexts = [context(conf), context(conf)]
    keys = [load(c, "mpc:release" if sign else "mpc:web") for c in contexts]
    need(equal(keys[0], keys[1]), "the same key of two contexts differs")
    if sign:
        for c, k in zip(contexts, keys):
            sign_and_verify(c, k, k)
    else:
        for c, k in zip(contexts, keys):
            cert = certificate(c, cert_file)
            public = need(call("X509_get0_pubkey", cert), "public key")
            need(equal(k, public), "key and certificate differ")
            need(equal(public, k), "certificate and key differ")
            need(call("X509_check_private_key", cert, k,
                      result=ctypes.c_int) == 1, "X509_check_private_key")
            other = load(c, "mpc:release")
            need(not equal(other, public), "another key is taken for it")
            call("ERR_clear_error", result=None)
            call("EVP_PKEY_free", other, result=None)
            call("X509_free", cert, result=None)
    for k in keys:
        call("EVP_PKEY_free", k, result=None)
    for c in contexts:
        call("OSSL_LIB_CTX_free", c, result=None)


cycle(sys.argv[1], sys.argv[2], True)
for _ in range(20):
    cycle(sys.argv[1], sys.argv[2], False)
