// SPDX-License-Identifier: Apache-2.0
// A session's descriptor, read from the exact bytes whose hash is its id.
// Strict as every sidecar is: all keys, no others. A repeated key passes here
// and at no sidecar.
import { concat, hex, sha256, Problem } from "/page/common.js";

const KEYS = ["v", "type", "cluster", "profile", "key", "policy", "artifact",
  "slots", "mode", "requester", "reason", "nonce", "created", "expires"];
const ARTIFACT = ["name", "size", "sha256", "sha512"];

const isHex = (s, n) =>
  typeof s === "string" && s.length === 2 * n && /^[0-9a-f]*$/.test(s);
const isName = (s) =>
  typeof s === "string" && /^[a-z0-9._-]{1,64}$/.test(s);
const isTime = (n) => Number.isSafeInteger(n) && n >= 0;

function keys(o, want, what) {
  if (o === null || typeof o !== "object" || Array.isArray(o))
    throw new Problem(`${what}: no object`);
  const have = Object.keys(o);
  for (const k of want)
    if (!have.includes(k)) throw new Problem(`${what}: ${k} is missing`);
  for (const k of have)
    if (!want.includes(k)) throw new Problem(`${what}: ${k} is unknown`);
}

function artifact(a) {
  keys(a, ARTIFACT, "artifact");
  if (typeof a.name !== "string" || !isTime(a.size) ||
      !isHex(a.sha256, 32) || !isHex(a.sha512, 64))
    throw new Problem("artifact: a member is not what it must be");
}

export function parse(bytes) {
  let d;
  try {
    d = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Problem("descriptor: not JSON");
  }
  keys(d, KEYS, "descriptor");
  if (d.v !== 1 || typeof d.type !== "string" || typeof d.mode !== "string" ||
      !isHex(d.cluster, 32) || !isHex(d.policy, 32) || !isHex(d.nonce, 32) ||
      !(d.profile === null || isName(d.profile)) ||
      !(d.key === null || isHex(d.key, 32)) || !isName(d.requester) ||
      typeof d.reason !== "string" || !isTime(d.created) ||
      !isTime(d.expires) || !Array.isArray(d.slots) || !d.slots.every(isName))
    throw new Problem("descriptor: a member is not what it must be");
  if (d.artifact !== null) artifact(d.artifact);
  return d;
}

export const sessionId = async (bytes) =>
  hex(await sha256(concat("mpc/session/v1\0", bytes)));
