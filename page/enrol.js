// SPDX-License-Identifier: Apache-2.0
// An invite code becomes a registered passkey: a proposal to the stewards.
// The code stands behind the '#', so that no server's log ever sees it.
import {
  $, el, hex, unhex, b64u, unb64u, concat, lp8, utf8, sha256, clock, visible,
  getJson, post, Problem, showProblem, authenticatorProblem, checkPlace,
} from "/page/common.js";

const TOUCH_MS = 120000;
const ALGS = [-8, -7, -257]; // EdDSA, ES256, RS256

let code = "";
let invite = null;
const seen = []; // ids registered by this page, to be left out for the spare

const inviteId = async () => sha256(concat("mpc/invite/v1\0", unhex(code)));

async function challenge() {
  return sha256(concat("mpc/enrol/v1\0", unhex(invite.cluster),
    await inviteId(), lp8(invite.person)));
}

async function look() {
  $("problem").hidden = true;
  code = $("code").value.toLowerCase().replace(/[^0-9a-f]/g, "");
  if (code.length !== 32)
    throw new Problem("An invite code has 32 digits, 0-9 and a-f.",
      "Copy it whole from the steward's message.");
  checkPlace();
  invite = await getJson(`/v1/invite/${hex(await inviteId())}`);
  $("person").textContent = visible(invite.person);
  $("role").textContent = visible(invite.role);
  $("expires").textContent = clock(invite.expires);
  $("cluster").textContent = invite.cluster.slice(0, 16);
  $("ask").hidden = true;
  $("invite").hidden = false;
  $("register").focus();
}

async function create() {
  const got = await navigator.credentials.create({
    publicKey: {
      challenge: await challenge(),
      rp: { id: invite.rp_id, name: "mpcsign" },
      user: {
        id: utf8(invite.person), name: invite.person,
        displayName: `${invite.person}, ${invite.role}`,
      },
      pubKeyCredParams: ALGS.map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: [...seen, ...invite.exclude].map((id) =>
        ({ type: "public-key", id: unb64u(id) })),
      authenticatorSelection: { userVerification: "required",
        residentKey: "preferred" },
      attestation: "none", timeout: TOUCH_MS,
    },
  });
  seen.push(b64u(got.rawId));
  return {
    kind: "webauthn", signature: "",
    client_data: b64u(got.response.clientDataJSON),
    attestation_object: b64u(got.response.attestationObject),
  };
}

function done(reply) {
  $("title").textContent = "Passkey registered";
  $("thanks").textContent = `Registered for ${invite.person}: a proposal to ` +
    "the stewards.";
  $("words").replaceChildren(...reply.words.split(" ").map((w) => el("li", w)));
  $("invite").hidden = true;
  $("done").hidden = false;
  $("again").hidden = !reply.spare;
  if (reply.spare) code = reply.spare;
  invite.used = true;
  $("thanks").focus();
}

async function register() {
  for (const b of [$("register"), $("spare")]) b.disabled = true;
  $("problem").hidden = true;
  $("says").textContent = "Waiting for your passkey …";
  try {
    const credential = await create();
    $("says").textContent = "Sending …";
    done(await post("/v1/enrol", {
      code, person: invite.person, ...credential,
    }));
  } catch (e) {
    if (e.code === "unreachable" && invite.used)
      e.hint = `In a terminal: mpcsign policy enrol --browser --invite ${code}`;
    showProblem($("problem"), "Not registered.", authenticatorProblem(e));
    $("problem").focus();
  }
  $("says").textContent = "";
  for (const b of [$("register"), $("spare")]) b.disabled = false;
}

// One way for every failure of a look.
const tried = () => look().catch((e) => {
  $("ask").hidden = false;
  showProblem($("problem"), "This invite cannot be used.", e);
});

$("ask").addEventListener("submit", (e) => {
  e.preventDefault();
  tried();
});
$("register").addEventListener("click", register);
$("spare").addEventListener("click", register);
$("code").value = location.hash.slice(1);
if ($("code").value) {
  history.replaceState(null, "", location.pathname); // it is used up soon
  tried();
} else {
  $("ask").hidden = false;
  $("code").focus();
}
