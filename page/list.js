// SPDX-License-Identifier: Apache-2.0
// The sessions this server knows, newest first.
import { $, el, visible, left, getJson, showProblem } from "/page/common.js";

const POLL_MS = 3000;
const OPEN = ["open", "approved", "signing"];

const WHAT = { policy: "another policy" };

function item(s) {
  const a = el("a");
  a.href = `/s/${s.session}`;
  const t = el("div", undefined, "t");
  const what = s.artifact ? visible(s.artifact.name) : s.type;
  t.append(el("strong", what), el("span", s.state.replaceAll("_", " "), "pill"));
  const now = Date.now() / 1000;
  const until = OPEN.includes(s.state) && now < s.expires
    ? `, ${left(s.expires, now)} left` : "";
  a.append(t, el("div", `${s.requester} asks for ` +
    `${s.profile || WHAT[s.type] || s.type}, code ${s.session.slice(0, 8)}${until}`, "s"));
  const li = el("li");
  li.append(a);
  return li;
}

// The list is remade; whoever stood in it by keyboard stays there.
function fill(list, sessions) {
  const at = list.contains(document.activeElement)
    ? document.activeElement.getAttribute("href") : null;
  list.replaceChildren(...sessions.map(item));
  if (at) list.querySelector(`a[href="${at}"]`)?.focus();
}

async function refresh() {
  try {
    const { sessions } = await getJson("/v1/sessions");
    const open = sessions.filter((s) => OPEN.includes(s.state));
    const ended = sessions.filter((s) => !OPEN.includes(s.state));
    $("problem").hidden = true;
    $("none").hidden = open.length > 0;
    $("h-ended").hidden = ended.length === 0;
    fill($("open"), open);
    fill($("ended"), ended);
  } catch (e) {
    showProblem($("problem"), "The sessions cannot be shown.", e);
  }
  $("loading").hidden = true;
  setTimeout(refresh, document.hidden ? 4 * POLL_MS : POLL_MS);
}
refresh();
