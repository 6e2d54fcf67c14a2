"use strict";
// What moves on the console's pages. Verbs are the API's own endpoints, as scripts call them.

// Times: the server writes UTC; here they are shown in the viewer's zone, UTC stays in the title.
function showTimes(root) {
  const today = new Date().toDateString();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    element.textContent = at.toDateString() === today ? clock : `${at.toLocaleDateString()} ${clock}`;
  }
}

// The session's token, as the cookie has it now: another tab may have begun a new session. The page names the cookie,
// which has the service's port in its name (service/access/session.py), and behind a proxy that is not always ours.
function token() {
  const named = document.querySelector("meta[name=csrf-cookie]")?.content;  // none: a page of the release before
  const own = `${named ?? `notify_csrf${location.port && `_${location.port}`}`}=`;
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(own)) ?? "";
  return found.slice(own.length);
}

// Ask the API; what it answers as JSON. A body that is a text is JSON already. Throws an Error with what the
// problem says; the whole of it is its `problem`.
async function ask(method, url, body) {
  const headers = { "X-CSRF-Token": token(), Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, { method, headers, body: typeof body === "string" ? body : JSON.stringify(body) });
  } catch {
    throw new Error("The service does not answer. Is it running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const text = [answer.title, answer.detail].filter(Boolean).join(". ") || `Status ${response.status}`;
    throw Object.assign(new Error(text), { problem: answer });
  }
  return answer;
}

function say(text, isFault) {
  const said = document.getElementById("said");
  said.textContent = text;
  said.className = isFault ? "fault" : "done";
  if (text) said.scrollIntoView({ block: "nearest" });
}

// Ask the viewer; whether they agreed. The focus begins on "Back", so that an Enter too many does nothing.
function agreed(question, verb, look = "") {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "asked");
    const text = document.createElement("p");
    text.id = "asked";
    text.textContent = question;
    const form = document.createElement("form");
    form.method = "dialog";
    const yes = document.createElement("button");
    yes.value = "yes";
    yes.textContent = verb;
    yes.className = look;
    const no = document.createElement("button");
    no.value = "no";
    no.className = "quiet";
    no.textContent = "Back";
    no.autofocus = true;
    form.append(yes, no);
    dialog.append(text, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// The fields of a form as JSON: "filter.channel" is within filter; what is empty is left out.
function fieldsOf(form) {
  const body = form.dataset.body ? JSON.parse(form.dataset.body) : {};
  for (const [name, value] of new FormData(form)) {
    if (value === "" || typeof value !== "string") continue;
    const path = name.split(".");
    let place = body;
    for (const part of path.slice(0, -1)) place = place[part] ??= {};
    const input = form.elements.namedItem(name);
    place[path.at(-1)] = input && input.type === "number" ? Number(value) : value;
  }
  return body;
}

// The question of a form: {name} stands for what its field of that name says.
function asked(form) {
  return form.dataset.ask.replace(/\{(\w+)\}/g, (whole, name) => form.elements.namedItem(name)?.value ?? whole);
}

function refresh() {
  const live = document.getElementById("live");
  if (live) htmx.trigger(live, "refresh");
}

// <form class="verb" data-url=… [data-method] [data-body] [data-ask=question] [data-done=text]
//   [data-go=path]>: the question may have {field}s; with data-go the viewer goes there, to the id that the API answers.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.verb")) return;
  event.preventDefault();
  const button = event.submitter || form.querySelector("button");
  if (form.dataset.ask && !(await agreed(asked(form), button.textContent.trim(), button.className))) return;
  button.disabled = true;
  try {
    const body = fieldsOf(form);
    const answer = await ask(form.dataset.method || "POST", form.dataset.url, Object.keys(body).length ? body : undefined);
    say(form.dataset.done || "Done.", false);
    if (form.dataset.go) return location.assign(form.dataset.go + encodeURIComponent(answer.id));
    refresh();
    setTimeout(refresh, 3500); // what all viewers share may be 3 s old, and workers hear within 2 s
  } catch (error) {
    say(error.message, true);
  }
  button.disabled = false;
  if (document.activeElement === document.body) button.focus({ preventScroll: true }); // it was lost meanwhile
});

// <button data-copy="#id">: copies the text of an element.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const text = document.querySelector(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.", false);
  } catch {
    say("The browser does not let this page copy: select the text yourself.", true);
  }
});

document.addEventListener("DOMContentLoaded", () => showTimes(document));
document.addEventListener("htmx:afterSwap", () => showTimes(document));

// Whether a part that would be replaced is in use: the focus is in it, a text of it is selected, or a question is open.
// Until a minute after the last key or press, so that no page goes stale for whoever comes next. Where a mouse has
// left the focus, only so long that no press is cut in two.
const HOLD_MS = 60000;
const PRESS_MS = 2000;
let touchedAt = -HOLD_MS;
for (const name of ["keydown", "pointerdown"])
  document.addEventListener(name, () => (touchedAt = performance.now()), true);

function isInUse(live) {
  const ago = performance.now() - touchedAt;
  if (ago > HOLD_MS) return false;
  const focus = document.activeElement;
  const text = getSelection();
  return (live.contains(focus) && (ago < PRESS_MS || focus.matches(":focus-visible")))
    || (!text.isCollapsed && text.containsNode(live, true))
    || document.querySelector("dialog[open]") !== null;
}

// While it is, it holds still and says so; and what was missed comes at the end.
let holding = 0;
function hold() {
  document.getElementById("held").hidden = false;
  holding ||= setInterval(() => {
    if (isInUse(document.getElementById("live"))) return;
    letGo();
    if (!isStill()) refresh();
  }, 500);
}

function letGo() {
  document.getElementById("held").hidden = true;
  clearInterval(holding);
  holding = 0;
}

// A part that is replaced keeps what the viewer has opened in it, <details id=…>, how far its regions are scrolled, and
// the focus. When the session has ended, what comes is the login, and the whole page goes there.
let before = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event;
  if (new URL(detail.xhr.responseURL).pathname === "/console/login") {
    detail.shouldSwap = false;
    location.reload();
  }
  if (!detail.shouldSwap) return;
  const live = detail.target;
  if (isInUse(live) && !isAsked(detail)) {
    detail.shouldSwap = false;
    return hold();
  }
  letGo();
  before = {
    opened: [...live.querySelectorAll("details[id][open]")].map((details) => details.id),
    scrolled: new Map(regions().map((region) => [region.ariaLabel, [region.scrollLeft, region.scrollTop]])),
    focused: live.contains(document.activeElement) ? shell(document.activeElement) : "",
  };
});

const regions = () => [...document.querySelectorAll("#live .scroll")];

// An element without what is in it: the same in what replaces it.
function shell(element) {
  const around = element.closest("form, details")?.cloneNode(false).outerHTML ?? "";
  return around + element.cloneNode(false).outerHTML;
}

document.addEventListener("htmx:afterSwap", () => {
  if (before === null) return;
  for (const id of before.opened) document.getElementById(id)?.setAttribute("open", "");
  for (const region of regions()) region.scrollTo(...(before.scrolled.get(region.ariaLabel) ?? [0, 0]));
  if (before.focused && document.activeElement === document.body)
    [...document.querySelectorAll("#live a, #live button, #live input, #live summary, #live .scroll")]
      .find((element) => shell(element) === before.focused)?.focus({ preventScroll: true });
  before = null;
});

// "Stop refreshing" keeps a page as it is, until it is pressed again. What a verb asks for comes nevertheless.
const isStill = () => document.getElementById("still").ariaPressed === "true";
const isAsked = (detail) => detail.requestConfig.triggeringEvent?.type === "refresh";

function showStill() {
  document.getElementById("still").hidden = !document.querySelector("#live[hx-trigger*='every'], #live[data-events]");
}
document.addEventListener("DOMContentLoaded", () => {
  showStill();
  document.getElementById("still").addEventListener("click", ({ target }) => {
    target.setAttribute("aria-pressed", !isStill());
    if (!isStill()) refresh();
  });
});
document.addEventListener("htmx:afterSettle", showStill);
document.addEventListener("htmx:beforeRequest", (event) => {
  if (isStill() && !isAsked(event.detail)) event.preventDefault();
});

// The icon of the tab says when something is wrong: #live[data-is-bad].
function showIcon() {
  const icon = document.getElementById("icon");
  icon.dataset.good ??= icon.href;
  icon.href = document.querySelector("#live[data-is-bad]") ? icon.dataset.bad : icon.dataset.good;
}
document.addEventListener("DOMContentLoaded", showIcon);
document.addEventListener("htmx:afterSettle", showIcon);

// A page that could not be shown is asked for until it can: who reads it is not interrupted before. One that answers
// a form has data-again, where to go instead: the browser would ask whether to send the form once more.
document.addEventListener("DOMContentLoaded", () => {
  const away = document.querySelector("[data-again-s]");
  if (!away) return;
  setInterval(async () => {
    const answer = await fetch(away.dataset.again ?? location.href).catch(() => null);
    if (!answer || answer.status === 503) return;
    if (away.dataset.again) location.replace(away.dataset.again);
    else location.reload();
  }, away.dataset.againS * 1000);
});

// While the service is away, a page that refreshes itself says so once, and goes on asking. What it says goes with
// the first answer.
let trouble = "";
function complain(text) {
  trouble = text;
  if (document.getElementById("said").textContent !== text) say(text, true);
}
document.addEventListener("htmx:sendError", () => complain("The service does not answer. This page goes on asking."));
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  complain(status === 503 ? "The database is away, or is asked for too much. This page goes on asking." : `The service answered ${status}. This page goes on asking.`);
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful || !trouble) return;
  if (document.getElementById("said").textContent === trouble) say("", false);
  trouble = "";
});
