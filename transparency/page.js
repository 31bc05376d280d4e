// SPDX-License-Identifier: Apache-2.0
// Recomputes the proof of the entry shown, from the entry's own bytes and the
// tlog-proof file, and finds entries for files that never leave the browser.
'use strict';

const subtle = globalThis.crypto && crypto.subtle;
const utf8 = new TextEncoder();

function hex(bytes) {
  return Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('');
}
function unhex(text) {
  return Uint8Array.from(text.match(/../g) || [], b => parseInt(b, 16));
}
function unbase64(text) {
  return Uint8Array.from(atob(text), c => c.charCodeAt(0));
}
function join(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
async function digest(name, bytes) {
  return new Uint8Array(await subtle.digest(name, bytes));
}
const sha256 = bytes => digest('SHA-256', bytes);
const node = (l, r) => sha256(join(Uint8Array.of(1), l, r));

// ---- the proof ------------------------------------------------------------

function readProof(text) {
  const end = text.indexOf('\n\n');
  const lines = text.slice(0, end).split('\n');
  if (lines.shift() !== 'c2sp.org/tlog-proof@v1')
    throw new Error('the proof is of another format');
  if (lines[0].startsWith('extra '))
    lines.shift();
  const index = /^index (\d+)$/.exec(lines.shift());
  if (!index)
    throw new Error('the proof has no index');
  return { index: BigInt(index[1]), path: lines.map(unbase64),
    note: text.slice(end + 2) };
}

function readNote(note) {
  const end = note.lastIndexOf('\n\n') + 1;
  const [origin, size, root] = note.slice(0, end).split('\n');
  return { origin, size: BigInt(size), root: unbase64(root),
    body: utf8.encode(note.slice(0, end)),
    sigs: note.slice(end + 1).split('\n').filter(Boolean) };
}

// RFC 9162 section 2.1.3.2; each hash on the way is told, to be compared with
// the drawing.
async function climb(proof, size, leaf, told) {
  let fn = proof.index;
  let sn = size - 1n;
  let r = leaf;
  if (fn > sn)
    throw new Error('the entry is outside the tree');
  told(0, r);
  for (let i = 0; i < proof.path.length; i++) {
    const p = proof.path[i];
    if (sn === 0n)
      throw new Error('the path is too long');
    if ((fn & 1n) || fn === sn) {
      r = await node(p, r);
      for (; !(fn & 1n) && fn !== 0n; fn >>= 1n)
        sn >>= 1n;
    } else {
      r = await node(r, p);
    }
    fn >>= 1n;
    sn >>= 1n;
    told(i + 1, r);
  }
  if (sn !== 0n)
    throw new Error('the path is too short');
  return r;
}

// true, false, or null where this browser has no Ed25519
async function signed(cp, vkey) {
  const [name, id] = vkey.split('+');
  const raw = unbase64(vkey.split('+').slice(2).join('+')).slice(1);
  const line = cp.sigs.find(s => s.startsWith('\u2014 ' + name + ' ') &&
    hex(unbase64(s.split(' ')[2]).slice(0, 4)) === id);
  if (!line || cp.origin !== name)
    return false;
  let key;
  try {
    key = await subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
  } catch {
    return null;
  }
  return subtle.verify('Ed25519', key,
    unbase64(line.split(' ')[2]).slice(4), cp.body);
}

function mark(id, ok) {
  const g = document.getElementById(id);
  if (g)
    g.classList.add(ok ? 'ok' : 'no');
}

async function get(path) {
  const r = await fetch(path, { cache: 'no-store' });
  if (!r.ok)
    throw new Error(path + ': status ' + r.status);
  return r;
}

async function verify(verdict) {
  const index = verdict.dataset.index;
  const entry = new Uint8Array(
    await (await get('/v1/log/entry/' + index)).arrayBuffer());
  const proof = readProof(await (await get('/v1/log/proof/' + index)).text());
  const vkey = (await (await get('/v1/log/vkey')).json()).vkey;
  const cp = readNote(proof.note);
  if (proof.index !== BigInt(index))
    throw new Error('the proof is of entry ' + proof.index);
  const leaf = await sha256(join(Uint8Array.of(0), entry));
  const seen = [];
  const root = await climb(proof, cp.size, leaf, (i, h) => seen.push(hex(h)));
  if (hex(root) !== hex(cp.root))
    throw new Error('the path leads to another root than the log signed');
  // the drawing may be of a smaller tree: what is in both must be equal
  const same = document.getElementById('n' + (seen.length - 1)) &&
    document.getElementById('n' + (seen.length - 1)).dataset.hash ===
      seen[seen.length - 1];
  if (same) {
    seen.forEach((h, i) =>
      mark('n' + i, document.getElementById('n' + i).dataset.hash === h));
    proof.path.forEach((h, i) =>
      mark('s' + i, document.getElementById('s' + i).dataset.hash === hex(h)));
    if (document.querySelector('.node.no'))
      throw new Error('the drawing is not that of the proof');
  } else if (document.getElementById('n0').dataset.hash !== seen[0]) {
    throw new Error('the page shows another entry');
  }
  const ok = await signed(cp, vkey);
  if (ok === false)
    throw new Error('the checkpoint is not signed by the key of this log');
  return { size: cp.size, n: proof.path.length, signed: ok, vkey };
}

async function showVerdict(verdict) {
  if (!subtle) {
    verdict.textContent = 'Not checked: browsers compute hashes only on ' +
      'https or localhost pages. Take the tlog-proof file instead.';
    verdict.classList.add('part');
    return;
  }
  verdict.textContent = 'Checking\u2026';
  try {
    const v = await verify(verdict);
    verdict.textContent = 'Recomputed in this browser: ' + v.n + ' hashes ' +
      'lead from the entry to the root of ' + v.size + ' entries' +
      (v.signed ? ', signed by ' : '; not checked here (no Ed25519): the ' +
      'signature of ') + v.vkey + '. Compare that key with yours.';
    verdict.classList.add(v.signed ? 'ok' : 'part');
  } catch (e) {
    verdict.textContent = 'Does not verify: ' + e.message + '.';
    verdict.classList.add('no');
  }
}

// ---- finding files --------------------------------------------------------

async function asBundle(file) {
  if (file.size > 4 * 1024 * 1024)
    return null;
  try {
    const b = JSON.parse(await file.text());
    return b.intent && b.session && b.signature ? b : null;
  } catch {
    return null;
  }
}

// FORMATS section 1: SHA-256("mpc/message/v1\0" || salt || SHA-512(message))
async function commitment(bundle, message) {
  const salt = unhex(JSON.parse(bundle.session.descriptor).nonce);
  return sha256(join(utf8.encode('mpc/message/v1\0'), salt,
    await digest('SHA-512', message)));
}

async function place(files) {
  let bundle = null;
  let other = null;
  for (const f of files) {
    const b = await asBundle(f);
    if (b)
      bundle = b;
    else
      other = f;
  }
  if (bundle && !other)
    return '/entry/' + bundle.intent.index;
  if (!other)
    return null;
  const bytes = new Uint8Array(await other.arrayBuffer());
  const h = bundle ? await commitment(bundle, bytes) : await sha256(bytes);
  return '/search?q=' + hex(h);
}

function watchFiles(input, says) {
  input.addEventListener('change', async () => {
    says.textContent = 'Hashing\u2026';
    try {
      const to = await place(input.files);
      says.textContent = '';
      if (to)
        location.assign(to);
    } catch (e) {
      says.textContent = 'Cannot read it: ' + e.message;
    }
  });
}

if (subtle)
  for (const e of document.querySelectorAll('.js'))
    e.hidden = false;
const files = document.getElementById('files');
if (files && subtle)
  watchFiles(files, document.getElementById('filesays'));
const verdict = document.getElementById('verdict');
if (verdict)
  showVerdict(verdict);
