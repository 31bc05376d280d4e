// SPDX-License-Identifier: Apache-2.0
// Flow 39: node signs and verifies with a reference, and serves TLS with one.
//
//     node --openssl-shared-config languages.js RELEASE-REFERENCE CERT WEB-REF
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const tls = require('tls');

const [release, certFile, webFile] = process.argv.slice(2);
const key = crypto.createPrivateKey(fs.readFileSync(release));
const message = Buffer.from('hello');
const sig = crypto.sign(null, message, key);
assert.strictEqual(key.asymmetricKeyType, 'ed25519');
assert.strictEqual(sig.length, 64);
const pub = crypto.createPublicKey(
    crypto.createPublicKey(key).export({ type: 'spki', format: 'pem' }));
assert(crypto.verify(null, message, pub, sig));
assert(!crypto.verify(null, Buffer.from('hellO'), pub, sig));
assert.throws(() => key.export({ type: 'pkcs8', format: 'der' }));

const cert = fs.readFileSync(certFile);
const server = tls.createServer({ cert, key: fs.readFileSync(webFile) },
    (s) => { s.on('error', () => {}); s.end('signed by three'); });
server.listen(0, '127.0.0.1', () => {
    const c = tls.connect({ host: '127.0.0.1', port: server.address().port,
        servername: 'localhost', ca: cert });
    let text = '';
    c.on('data', (d) => { text += d; });
    c.on('end', () => {
        assert(c.authorized);
        assert.strictEqual(text, 'signed by three');
        server.close();
    });
});
