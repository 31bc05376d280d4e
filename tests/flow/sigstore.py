#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges a Sigstore bundle as cosign would, by code that shares none of ours.

    sigstore.py BUNDLE TRUSTED_ROOT ARTIFACT IDENTITY ISSUER TYPE [SAMPLE]

SAMPLE is a bundle that Sigstore's clients are known to take: ours must have
the same members of the same kinds, and nothing more. Prints a line a check;
the first that fails ends it.
"""
import base64
import binascii
import datetime
import hashlib
import json
import re
import sys

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

FULCIO = "1.3.6.1.4.1.57264.1."
OURS = "1.3.6.1.4.1.32473.1."
SCT = "1.3.6.1.4.1.11129.2.4.2"


class Refused(Exception):
    pass


def need(what, holds, detail=""):
    if not holds:
        raise Refused(f"{what} {detail}".rstrip())
    print(f"ok {what}")


# ---- JSON -------------------------------------------------------------------


def once(pairs):
    names = [k for k, _ in pairs]
    if len(names) != len(set(names)):
        raise Refused("json: a member twice")
    return dict(pairs)


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f, object_pairs_hook=once)


def b64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Refused("base64: malformed")
    if base64.b64encode(raw).decode() != text:
        raise Refused("base64: not canonical")
    return raw


def jcs(value):  # RFC 8785, for what has ASCII strings and integers only
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def kind(text):
    if re.fullmatch(r"0|[1-9][0-9]*", text):
        return "decimal"
    if re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text) and len(text) % 4 == 0:
        return "base64"
    return "text"


def shape(value):
    """What it is made of, the number of elements of a list aside."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        kinds = [shape(v) for v in value]
        if any(k != kinds[0] for k in kinds):
            raise Refused("json: a list of several kinds")
        return kinds[:1]
    if isinstance(value, str):
        return kind(value)
    return type(value).__name__


# ---- signatures -------------------------------------------------------------


def ecdsa(spki, message, signature):
    key = serialization.load_der_public_key(spki)
    if not isinstance(key.curve, ec.SECP256R1):
        return False
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def ed(key, message, signature):
    if not isinstance(key, ed25519.Ed25519PublicKey):
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def spki_of(key):
    return key.public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )


def seconds(t):
    return int(t.replace(tzinfo=datetime.timezone.utc).timestamp())


def within(cert, at):
    try:
        life = cert.not_valid_before_utc, cert.not_valid_after_utc
    except AttributeError:  # before version 42
        life = cert.not_valid_before, cert.not_valid_after
    return seconds(life[0]) <= at <= seconds(life[1])


def started(row, at):
    start = row["validFor"]["start"] if "validFor" in row else row["start"]
    t = datetime.datetime.strptime(start, "%Y-%m-%dT%H:%M:%SZ")
    return seconds(t) <= at


def find_log(rows, key_id, at):
    for row in rows:
        if b64(row["logId"]["keyId"]) == key_id and started(
            row["publicKey"], at
        ):
            return row
    raise Refused("log: its key is not in the trusted root")


# ---- the tree, RFC 6962 -----------------------------------------------------


def climb(entry, index, size, path):
    h = hashlib.sha256(b"\0" + entry).digest()
    node = lambda l, r: hashlib.sha256(b"\1" + l + r).digest()
    fn, sn = index, size - 1
    for p in path:
        if sn == 0:
            raise Refused("proof: too long")
        if fn % 2 or fn == sn:
            h = node(p, h)
            while fn % 2 == 0 and fn:
                fn >>= 1
                sn >>= 1
        else:
            h = node(h, p)
        fn >>= 1
        sn >>= 1
    if sn:
        raise Refused("proof: too short")
    return h


# ---- the parts --------------------------------------------------------------


def check_certificate(der, trusted, at):
    leaf = x509.load_der_x509_certificate(der)
    need("leaf: version 3, no subject", leaf.version == x509.Version.v3 and
         len(leaf.subject.rdns) == 0)
    root = None
    for ca in trusted["certificateAuthorities"]:
        chain = ca["certChain"]["certificates"]
        found = x509.load_der_x509_certificate(b64(chain[-1]["rawBytes"]))
        if found.subject == leaf.issuer and started(ca["validFor"], at):
            root = found
    need("chain: a root of that name", root is not None)
    need("chain: the root signed it", ed(root.public_key(),
         leaf.tbs_certificate_bytes, leaf.signature))
    need("chain: the root signed itself", ed(root.public_key(),
         root.tbs_certificate_bytes, root.signature))
    basic = root.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    need("chain: the root is a CA", basic.critical and basic.value.ca and
         usage.critical and usage.value.key_cert_sign)
    # BER's other TRUE is no DER, and Go's parser says so
    need("chain: the root is DER",
         b"\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x08\x30\x06\x01\x01\xff" in
         root.tbs_certificate_bytes)
    need("leaf: valid when logged", within(leaf, at))
    return leaf, root


def check_extensions(leaf):
    e = leaf.extensions
    names = [x.oid.dotted_string for x in e]
    std = [ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
           ExtensionOID.SUBJECT_KEY_IDENTIFIER,
           ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
           ExtensionOID.SUBJECT_ALTERNATIVE_NAME]
    want = [o.dotted_string for o in std]
    want += [FULCIO + n for n in ("8", "10", "11", "21")] + [OURS + "2"]
    got = [n for n in names if n != OURS + "3"]  # simulated
    need("leaf: these extensions in this order, the SCT last",
         got == want + [SCT], " ".join(names))
    critical = [x.oid.dotted_string for x in e if x.critical]
    need("leaf: key usage and name are critical, nothing else",
         critical == [want[0], want[4]])
    usage = e.get_extension_for_class(x509.KeyUsage).value
    need("leaf: signs, and no certificates",
         usage.digital_signature and not usage.key_cert_sign)
    need("leaf: signs code", ExtendedKeyUsageOID.CODE_SIGNING in
         e.get_extension_for_class(x509.ExtendedKeyUsage).value)


def check_identity(leaf, identity, issuer):
    names = list(leaf.extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value)
    need("identity: one URI", len(names) == 1 and
         isinstance(names[0], x509.UniformResourceIdentifier))
    need("identity: the one expected", names[0].value == identity,
         names[0].value)
    raw = leaf.extensions.get_extension_for_oid(
        x509.ObjectIdentifier(FULCIO + "8")).value.value
    need("issuer: the one expected", raw == bytes([12, len(issuer)]) +
         issuer.encode())


def check_sct(leaf, root, trusted, at):
    ext = leaf.extensions.get_extension_for_class(
        x509.PrecertificateSignedCertificateTimestamps).value
    scts = list(ext)
    need("sct: one, version 1", len(scts) == 1 and
         scts[0].version == x509.certificate_transparency.Version.v1)
    # the raw list: cryptography shows no signature bytes in every version
    raw = leaf.extensions.get_extension_for_class(
        x509.PrecertificateSignedCertificateTimestamps).value.public_bytes()
    need("sct: short form", raw[0] == 4 and raw[1] == len(raw) - 2)
    one = raw[6:]
    need("sct: lengths", int.from_bytes(raw[2:4], "big") == len(raw) - 4 and
         int.from_bytes(raw[4:6], "big") == len(one))
    log_id, stamp, ext_len = one[1:33], one[33:41], one[41:43]
    need("sct: no extensions, ECDSA over SHA-256", one[0] == 0 and
         ext_len == b"\0\0" and one[43:45] == b"\x04\x03")
    sig = one[47:]
    need("sct: signature length",
         int.from_bytes(one[45:47], "big") == len(sig))
    log = find_log(trusted["ctlogs"], log_id, at)
    tbs = leaf.tbs_precertificate_bytes
    issuer = hashlib.sha256(spki_of(root.public_key())).digest()
    msg = (b"\0\0" + stamp + b"\0\1" + issuer + len(tbs).to_bytes(3, "big") +
           tbs + b"\0\0")
    need("sct: verifies", ecdsa(b64(log["publicKey"]["rawBytes"]), msg, sig))
    need("sct: of the certificate's time",
         within(leaf, int.from_bytes(stamp, "big") // 1000))


def check_dsse(envelope, leaf, artifact, predicate_type):
    payload = b64(envelope["payload"])
    kind_ = envelope["payloadType"]
    need("dsse: one signature", len(envelope["signatures"]) == 1)
    sig = b64(envelope["signatures"][0]["sig"])
    pae = b"DSSEv1 %d %s %d %s" % (len(kind_), kind_.encode(), len(payload),
                                   payload)
    need("dsse: signed by the leaf's key", ed(leaf.public_key(), pae, sig))
    need("dsse: in-toto", kind_ == "application/vnd.in-toto+json")
    statement = json.loads(payload, object_pairs_hook=once)
    need("statement: version 1", set(statement) ==
         {"_type", "subject", "predicateType", "predicate"} and
         statement["_type"] == "https://in-toto.io/Statement/v1")
    with open(artifact, "rb") as f:
        sha256 = hashlib.sha256(f.read()).hexdigest()
    need("statement: of this artifact", [s["digest"] for s in
         statement["subject"]] == [{"sha256": sha256}])
    need("statement: of this type",
         statement["predicateType"] == predicate_type)
    return payload, sig


def check_entry(entry, envelope, payload, sig, der):
    need("entry: dsse 0.0.1", entry["kindVersion"] ==
         {"kind": "dsse", "version": "0.0.1"})
    body = b64(entry["canonicalizedBody"])
    parsed = json.loads(body, object_pairs_hook=once)
    need("entry: canonical", jcs(parsed) == body)
    text = base64.b64encode(der).decode()
    pem = "-----BEGIN CERTIFICATE-----\n" + "".join(
        text[i:i + 64] + "\n" for i in range(0, len(text), 64)
    ) + "-----END CERTIFICATE-----\n"
    digest = lambda b: {"algorithm": "sha256",
                        "value": hashlib.sha256(b).hexdigest()}
    want = {
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": digest(jcs(envelope)),
            "payloadHash": digest(payload),
            "signatures": [{
                "signature": base64.b64encode(sig).decode(),
                "verifier": base64.b64encode(pem.encode()).decode(),
            }],
        },
    }
    need("entry: of this signature, payload and certificate", parsed == want)
    return body


def check_set(entry, body, spki, key_id):
    msg = jcs({
        "body": base64.b64encode(body).decode(),
        "integratedTime": int(entry["integratedTime"]),
        "logID": key_id.hex(),
        "logIndex": int(entry["logIndex"]),
    })
    need("timestamp: the log's", ecdsa(spki, msg, b64(
        entry["inclusionPromise"]["signedEntryTimestamp"])))


def check_proof(entry, body, spki, key_id, host):
    proof = entry["inclusionProof"]
    need("proof: of the entry's index",
         proof["logIndex"] == entry["logIndex"])
    index, size = int(proof["logIndex"]), int(proof["treeSize"])
    need("proof: inside the tree", index < size)
    root = climb(body, index, size, [b64(h) for h in proof["hashes"]])
    need("proof: leads to the root", root == b64(proof["rootHash"]))
    note = proof["checkpoint"]["envelope"]
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    lines = lines.split("\n")
    need("checkpoint: one signature", len(lines) == 2 and lines[1] == "")
    dash, name, sig = lines[0].split(" ")
    raw = b64(sig)
    need("checkpoint: by that log", dash == "\u2014" and name == host and
         raw[:4] == key_id[:4])
    need("checkpoint: verifies", ecdsa(spki, text.encode(), raw[4:]))
    origin, told_size, told_root = text.split("\n")[:3]
    need("checkpoint: host - tree", re.fullmatch(
        re.escape(host) + r" - [0-9]+", origin) is not None)
    need("checkpoint: of this size and root", told_size == proof["treeSize"]
         and told_root == proof["rootHash"])


def main(bundle, root, artifact, identity, issuer, predicate_type,
         sample=None):
    b, trusted = load(bundle), load(root)
    if sample:
        need("bundle: members and kinds of an accepted one",
             shape(b) == shape(load(sample)))
    need("bundle: v0.3", b["mediaType"] ==
         "application/vnd.dev.sigstore.bundle.v0.3+json")
    need("trusted root: v0.1", trusted["mediaType"] ==
         "application/vnd.dev.sigstore.trustedroot+json;version=0.1")
    material = b["verificationMaterial"]
    need("bundle: one entry", len(material["tlogEntries"]) == 1)
    entry = material["tlogEntries"][0]
    at = int(entry["integratedTime"])
    der = b64(material["certificate"]["rawBytes"])
    leaf, ca = check_certificate(der, trusted, at)
    check_extensions(leaf)
    check_identity(leaf, identity, issuer)
    check_sct(leaf, ca, trusted, at)
    payload, sig = check_dsse(b["dsseEnvelope"], leaf, artifact,
                              predicate_type)
    body = check_entry(entry, b["dsseEnvelope"], payload, sig, der)
    key_id = b64(entry["logId"]["keyId"])
    log = find_log(trusted["tlogs"], key_id, at)
    spki = b64(log["publicKey"]["rawBytes"])
    need("log: its id is its key's", hashlib.sha256(spki).digest() == key_id)
    check_set(entry, body, spki, key_id)
    check_proof(entry, body, spki, key_id,
                log["baseUrl"].partition("//")[2])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as e:
        sys.exit(f"refused: {e}")
    except (KeyError, IndexError, ValueError, TypeError) as e:
        sys.exit(f"refused: malformed: {e!r}")
