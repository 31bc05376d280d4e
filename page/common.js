// SPDX-License-Identifier: Apache-2.0
// What the pages share: bytes, requests to this origin, text that shows what
// it holds. Nothing is ever inserted as HTML.

export const $ = (id) => document.getElementById(id);

export function el(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

// ---- bytes

export const utf8 = (s) => new TextEncoder().encode(s);
export function concat(...parts) {
  const all = parts.map((p) => (typeof p === "string" ? utf8(p) : p));
  const out = new Uint8Array(all.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of all) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
export const hex = (b) =>
  Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, "0")).join("");
export const unhex = (s) =>
  Uint8Array.from(s.match(/../g) ?? [], (x) => parseInt(x, 16));
export const b64u = (b) =>
  btoa(Array.from(new Uint8Array(b), (x) => String.fromCharCode(x)).join(""))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
export const unb64u = (s) =>
  Uint8Array.from(atob(s.replaceAll("-", "+").replaceAll("_", "/")), (c) =>
    c.charCodeAt(0));
export const sha256 = async (b) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", b));
// u8 length in front
export const lp8 = (s) => concat(Uint8Array.of(utf8(s).length), s);

// ---- text

// Characters that are not seen, or that turn the reading order, are named.
export const visible = (s) =>
  s.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) =>
    `\u27e8U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

// A digest in groups of eight digits.
export function showDigest(where, digits) {
  where.replaceChildren(...digits.match(/.{8}/g).map((g) => el("span", g)));
}

// The first eight digits of an id, as terminals print them: the gap between
// the halves is style, so that what is copied is what mpcsign takes.
export function showCode(where, id) {
  where.replaceChildren(el("span", id.slice(0, 4)), el("span", id.slice(4, 8)));
  where.classList.add("halves");
}

export function showBytes(n) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let u = 0;
  let x = n;
  while (x >= 1024 && u < units.length - 1) {
    x /= 1024;
    u++;
  }
  const exact = `${n.toLocaleString("en")} bytes`;
  return u > 1 ? `${x.toFixed(1)} ${units[u]}, ${exact}` : exact;
}

// With its day, unless that is today.
export function clock(s) {
  const at = new Date(s * 1000).toISOString();
  const today = new Date().toISOString().slice(0, 10);
  return (at.startsWith(today) ? "" : `${at.slice(0, 10)} `) +
    `${at.slice(11, 16)} UTC`;
}

export function left(expires, now) {
  const s = Math.max(0, Math.floor(expires - now));
  const two = (x) => String(x).padStart(2, "0");
  if (s >= 3600) return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return `${Math.floor(s / 60)}:${two(s % 60)}`;
}

// ---- requests to this origin

export class Problem extends Error {
  constructor(message, hint, code) {
    super(message);
    this.hint = hint ?? "";
    this.code = code ?? "";
  }
}

async function problemOf(reply) {
  try {
    const p = JSON.parse(await reply.text());
    return new Problem(p.message, p.hint, p.code);
  } catch {
    return new Problem(`The server answered ${reply.status}.`);
  }
}

async function request(path, options) {
  let reply;
  try {
    reply = await fetch(path, {
      cache: "no-store", credentials: "omit", redirect: "error", ...options,
    });
  } catch {
    throw new Problem("The server does not answer.",
      "Is it running? Reload to try again.", "unreachable");
  }
  if (!reply.ok) throw await problemOf(reply);
  return reply;
}

export const getBytes = async (path) =>
  new Uint8Array(await (await request(path)).arrayBuffer());
export const getJson = async (path) => (await request(path)).json();
export const post = async (path, body) =>
  (await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  })).json();

// ---- what went wrong

export function showProblem(where, what, e) {
  where.replaceChildren(el("strong", what), el("span", visible(e.message), "why"));
  if (e.hint) where.append(el("span", visible(e.hint), "why dim"));
  where.hidden = false;
}

// The authenticator's own errors, in words.
export function authenticatorProblem(e) {
  if (e instanceof Problem) return e;
  switch (e.name) {
    case "NotAllowedError":
      return new Problem("The passkey did not answer, or you cancelled.",
        "Nothing was signed. Try again.");
    case "SecurityError":
      return new Problem(`Passkeys do not work at ${location.origin}.`,
        location.hostname.match(/^[\d.]+$|^\[/)
          ? "An address has no passkeys: open this page by its name, as http://localhost."
          : "The page needs https, or http://localhost.");
    case "InvalidStateError":
      return new Problem("This passkey is registered already.",
        "Use another device or security key.");
    default:
      return new Problem(`${e.name}: ${e.message}`);
  }
}

// WebAuthn wants a name; 127.0.0.1 is none. Says so before anything is tried.
export function checkPlace() {
  if (!window.isSecureContext || !window.PublicKeyCredential)
    throw new Problem("This browser offers no passkeys here.",
      "Open the page by https, or as http://localhost.");
  if (/^[\d.]+$|^\[/.test(location.hostname))
    throw new Problem("Passkeys belong to names, and this page was opened by an address.",
      `Open ${location.protocol}//localhost:${location.port}${location.pathname} instead.`);
}
