// SPDX-License-Identifier: Apache-2.0
// One session: shows the bytes whose hash is in the URL, and asks a passkey to
// sign one person's decision about exactly those. What the server says besides
// (who has approved, who may) is shown as what it is: the server's word.
import {
  $, el, unhex, b64u, unb64u, concat, lp8, sha256, visible, showDigest, showCode,
  showBytes, clock, left, getBytes, getJson, post, Problem, showProblem,
  authenticatorProblem, checkPlace,
} from "/page/common.js";
import { parse, sessionId } from "/page/descriptor.js";
import { watchFile } from "/page/file.js";

const POLL_MS = 1500;
const TOUCH_MS = 120000;
const APPROVE = 1;
const DENY = 2;
const REVOKE = 3;
const DID = { [APPROVE]: "approved", [DENY]: "denied", [REVOKE]: "took back" };
const OPEN = ["open", "approved"];

const VERB = {
  sign: "wants a signature on", policy: "wants this policy to be in force",
  root: "wants this root certificate", "key-create": "wants a key to be made",
  refresh: "wants the shares of a key to be renewed",
  reshare: "wants a key to be shared among other nodes",
  repair: "wants a lost share to be made again",
  recover: "wants a key to be recovered from backups",
  destroy: "wants a key to be destroyed", backup: "wants shares to be exported",
};
const STATE = {
  open: "open", approved: "approved", signing: "signing", used: "used",
  denied: "denied", expired: "expired", burnt: "burnt",
  policy_changed: "the policy changed",
};
const WAY = {
  ssh: "SSH key", fido2: "security key", "local-page": "own page",
  "sidecar-page": "sidecar's page",
};
const ENDED = {
  used: "It is signed.", denied: "A person said no: nothing will be signed.",
  expired: "Its time has passed: it needs to be requested again.",
  burnt: "Signing failed for good: it needs to be requested again.",
  policy_changed: "The policy changed meanwhile: it needs to be requested again.",
};

const id = location.pathname.slice("/s/".length);
let d; // the descriptor, from the bytes below
let fileOk = () => true; // false while a chosen file is not the one asked for
let busy = false;
let stopped = false;
let recorded = false; // a decision made here is in
let state = null;
let asked = ""; // what had happened when the approvers were asked for
let approvers = { persons: [], ways: [], page_origins: [] };

// ---- what is asked

function show(bytes) {
  const a = d.artifact;
  const what = a ? visible(a.name) : d.profile ?? "the policy";
  document.title = `${d.type === "sign" ? "Sign" : d.type} ${what}`;
  $("verb").textContent = `${d.requester} ${VERB[d.type] ?? `wants: ${d.type}`}`;
  $("title").replaceChildren(el("bdi", what));
  $("reason").textContent = d.reason ? visible(d.reason) : "No reason is given.";
  $("reason").classList.toggle("none", !d.reason);
  $("requester").textContent = d.requester;
  $("profile").textContent = d.profile ?? "none";
  $("slots").textContent = d.slots.join(", ") || "nothing";
  $("size").textContent = a ? showBytes(a.size) : "none";
  $("expires").textContent = `at ${clock(d.expires)}`;
  showCode($("code"), id);
  $("artifact").hidden = !a;
  if (a) {
    showDigest($("sha256"), a.sha256);
    showDigest($("sha512"), a.sha512);
  }
  $("blind").hidden = d.type !== "policy";
  $("blindid").textContent = id;
  showDigest($("id"), id);
  $("bytes").textContent = visible(new TextDecoder().decode(bytes));
  $("loading").hidden = true;
  $("session").hidden = false;
}

function tick() {
  const now = Date.now() / 1000;
  $("left").textContent =
    now < d.expires ? `in ${left(d.expires, now)}` : "now";
}

// ---- who has decided, who is missing

function count(n, word) {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function missingText() {
  const need = state.required;
  const parts = ["engineer", "steward"].filter((r) => need[r] > 0)
    .map((r) => `${state.have[r]} of ${count(need[r], r)}`);
  if (parts.length === 0) return "This session needs nobody's approval.";
  const missing = ["engineer", "steward"]
    .map((r) => [Math.max(0, need[r] - state.have[r]), r])
    .filter(([n]) => n > 0).map(([n, r]) => count(n, r));
  return parts.join(", ") +
    (missing.length ? `. Missing: ${missing.join(" and ")}.` : ". Complete.");
}

const MARK = { approve: ["\u2713", "good"], deny: ["\u2717", "bad"] };

function recordItem(r, _, all) {
  const gone = r.decision === "approve" &&
    all.some((x) => x.person === r.person && x.decision === "revoke");
  const li = el("li", undefined, gone ? "gone" : "");
  const [mark, colour] = (!gone && MARK[r.decision]) || ["\u21a9", "dim"];
  li.append(el("span", mark, `mark ${colour}`));
  li.append(el("strong", visible(r.person)));
  const did = { approve: "approves", deny: "denies", revoke: "takes it back" };
  li.append(el("span", `${did[r.decision] ?? r.decision} as ${r.role}`));
  if (r.way) li.append(el("span", WAY[r.way] ?? r.way, "dim"));
  return li;
}

function showState() {
  const ended = ENDED[state.state];
  const pill = $("state");
  pill.textContent = STATE[state.state] ?? state.state;
  pill.className = "pill " + (["approved", "signing", "used"]
    .includes(state.state) ? "good" : ended ? "bad" : "dim");
  pill.hidden = false;
  $("simulated").hidden = !state.simulated;
  $("glass").hidden = !state.break_glass;
  $("until").hidden = Boolean(ended);
  setText($("missing"), ended ?? missingText());
  const list = state.records.filter((r) => r.decision !== "request");
  const key = JSON.stringify(list);
  if ($("records").dataset.key !== key) {
    $("records").dataset.key = key;
    $("records").replaceChildren(...list.map(recordItem));
  }
}

// Only what changed is written: a screen reader would say it again.
function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// ---- who you are

function choices() {
  return approvers.persons.flatMap((p) => p.roles.map((role) => ({
    person: p.id, role, approved: p.approved,
    credentials: p.credentials.filter((c) => c.kind === "webauthn"),
  })));
}

function showPersons() {
  const key = JSON.stringify(approvers);
  const who = $("who");
  if (who.dataset.key === key) return;
  who.dataset.key = key;
  const before = who.value || localStorage.getItem("who") || "";
  const first = el("option", "Choose your name");
  first.value = "";
  who.replaceChildren(first, ...choices().map((c) => {
    const o = el("option", `${c.person}, ${c.role}` +
      (c.credentials.length ? "" : " (no passkey enrolled)"));
    o.value = `${c.person}/${c.role}`;
    o.disabled = c.credentials.length === 0;
    return o;
  }));
  who.value = before;
  if (who.selectedIndex < 0 || who.selectedOptions[0].disabled) who.value = "";
  const words = whatHinders();
  $("whosays").textContent = words;
  $("whosays").hidden = !words;
}

// Which way an approval made on this page is: the policy says which count.
function wayOfPage() {
  return !approvers.page_origins.includes(location.origin) &&
    location.protocol === "http:" && location.hostname === "localhost"
    ? "local-page" : "sidecar-page";
}
const counts = () => approvers.ways.includes(wayOfPage());

function whatHinders() {
  if (!counts())
    return "The policy does not count approvals made on this page. Use " +
      "mpcsign approve on your own machine (--browser shows this page there). " +
      "A denial counts from anywhere.";
  if (choices().length === 0) return "Nobody else may decide here.";
  if (!choices().some((c) => c.credentials.length))
    return "Nobody who may decide has a passkey: mpcsign approve takes SSH keys.";
  return "";
}

function chosen() {
  return choices().find((c) => `${c.person}/${c.role}` === $("who").value);
}

function enable() {
  const c = chosen();
  const open = state !== null && OPEN.includes(state.state);
  const may = open && !busy && c !== undefined;
  $("act").hidden = !open;
  $("approve").disabled = !may || !fileOk() || c.approved || !counts();
  $("deny").disabled = !may;
  $("revoke").disabled = !may;
  $("approve").hidden = Boolean(c?.approved);
  $("revoke").hidden = !c?.approved;
  $("who").disabled = busy;
}

// ---- the decision

// The credentials of one relying party that this page may speak for.
function allowed(c) {
  const host = location.hostname;
  const mine = c.credentials.filter((x) => {
    const rp = x.rp_id ?? host;
    return host === rp || host.endsWith(`.${rp}`);
  });
  const rpId = mine[0]?.rp_id ?? host;
  const same = mine.filter((x) => (x.rp_id ?? host) === rpId);
  if (same.length === 0)
    throw new Problem(`No passkey of ${c.person} was registered for ${host}.`,
      "Open the page where it was registered, or use mpcsign approve.");
  return [rpId, same.map((x) => ({ type: "public-key", id: unb64u(x.id) }))];
}

async function sign(c, decision) {
  const challenge = await sha256(concat("mpc/approval/v1\0", unhex(id),
    Uint8Array.of(decision), lp8(c.role), lp8(c.person)));
  const [rpId, allowCredentials] = allowed(c);
  const got = await navigator.credentials.get({
    publicKey: {
      challenge, rpId, allowCredentials, userVerification: "required",
      timeout: TOUCH_MS,
    },
  });
  const r = got.response;
  return JSON.stringify({
    v: 1, session: id, person: c.person, role: c.role, decision,
    kind: "webauthn", credential: b64u(got.rawId),
    client_data: b64u(r.clientDataJSON), auth_data: b64u(r.authenticatorData),
    signature: b64u(r.signature),
  });
}

async function decide(decision) {
  const c = chosen();
  if (!c || busy) return;
  busy = true;
  enable();
  $("refused").hidden = true;
  $("says").className = "says";
  $("says").textContent = "Waiting for your passkey …";
  try {
    const record = await sign(c, decision);
    $("says").textContent = "Sending …";
    await post("/v1/approval", { session: id, record: b64u(concat(record)) });
    recorded = true;
    localStorage.setItem("who", $("who").value);
    $("says").className = "says good";
    $("says").textContent = `Recorded: ${c.person} ${DID[decision]} as ${c.role}.`;
    $("says").focus();
  } catch (e) {
    $("says").textContent = "";
    showProblem($("refused"), "Not recorded.", authenticatorProblem(e));
    $("refused").focus();
  }
  busy = false;
  await refresh();
}

// ---- the course of it

async function refresh() {
  try {
    state = await getJson(`/v1/session/${id}/state`);
    const now = JSON.stringify([state.state, state.records]);
    if (OPEN.includes(state.state) && now !== asked) {
      approvers = await getJson(`/v1/approvers/${id}`);
      asked = now;
    }
    showState();
    showPersons();
    setText($("loading"), "");
  } catch (e) {
    if (recorded && e.code === "unreachable") return ended();
    $("loading").hidden = false;
    setText($("loading"), `Not up to date: ${e.message}`);
  }
  enable();
}

// A page served by mpcsign itself goes away with its answer.
function ended() {
  stopped = true;
  $("act").hidden = true;
  setText($("missing"), "This page has done its work: close it.");
}

async function follow() {
  await refresh();
  if (stopped) return;
  setTimeout(follow, document.hidden ? 4 * POLL_MS : POLL_MS);
}

async function start() {
  if (!/^[0-9a-f]{64}$/.test(id))
    throw new Problem("This address holds no session id.",
      "Open the address that mpcsign request printed, whole.");
  const bytes = await getBytes(`/v1/session/${id}`);
  if (await sessionId(bytes) !== id)
    throw new Problem("The server showed the description of another session.",
      "Do not approve here. Tell an operator, and use mpcsign approve.");
  d = parse(bytes);
  show(bytes);
  tick();
  setInterval(tick, 1000);
  if (d.artifact) fileOk = watchFile(d.artifact, enable);
  $("who").addEventListener("change", enable);
  $("approve").addEventListener("click", () => decide(APPROVE));
  $("deny").addEventListener("click", () => decide(DENY));
  $("revoke").addEventListener("click", () => decide(REVOKE));
  enable();
  await follow();
  checkPlace();
}

start().catch((e) => {
  $("loading").hidden = true;
  showProblem($("problem"), d ? "You cannot approve here." :
    "This session cannot be shown.", e);
});
