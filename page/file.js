// SPDX-License-Identifier: Apache-2.0
// The file at hand, chosen or dropped: hashed here, sent nowhere.
import { $, hex, visible } from "/page/common.js";

const FILE_MAX = 2 ** 30;

let ok = true;
let changed;
let chosen = 0; // how many were: an older one's hash may come last

function say(kind, words) {
  $("filesays").className = `filesays ${kind}`;
  $("filesays").textContent = words;
  changed();
}

async function isThat(file, artifact) {
  const bytes = await file.arrayBuffer();
  const sums = await Promise.all(["SHA-256", "SHA-512"].map((name) =>
    crypto.subtle.digest(name, bytes)));
  return file.size === artifact.size && hex(sums[0]) === artifact.sha256 &&
    hex(sums[1]) === artifact.sha512;
}

async function compare(file, artifact) {
  const mine = ++chosen;
  ok = !file;
  if (!file) return say("", "");
  if (file.size > FILE_MAX)
    return say("bad", "Too large for a browser: mpcsign approve --file reads it.");
  say("", "Reading \u2026");
  let same;
  try {
    same = await isThat(file, artifact);
  } catch {
    return say("bad", "The file could not be read.");
  }
  if (mine !== chosen) return undefined;
  ok = same;
  return same
    ? say("good", `\u2713 ${visible(file.name)} is the file asked for.`)
    : say("bad", `\u2717 ${visible(file.name)} is another file. Do not approve.`);
}

// Calls back when something has changed; what it gives says whether no file,
// or the right one, is chosen.
export function watchFile(artifact, onChange) {
  const drop = $("drop");
  const look = () => compare($("file").files[0], artifact);
  changed = onChange;
  $("file").addEventListener("change", look);
  for (const name of ["dragover", "dragleave", "drop"])
    drop.addEventListener(name, (e) => {
      e.preventDefault();
      drop.classList.toggle("over", name === "dragover");
    });
  drop.addEventListener("drop", (e) => {
    if (e.dataTransfer.files.length === 0) return;
    $("file").files = e.dataTransfer.files;
    look();
  });
  return () => ok;
}
