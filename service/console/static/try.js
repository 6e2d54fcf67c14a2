"use strict";
// The screen Try it: the fields of its form make the body of POST /notify. ask() and say() are console.js's.

// The body as JSON. Fields are {pointer, kind, value}; what is empty is left out; "json" stands as it was
// written, so that no digit of a number is lost. Throws {pointer, message} where JSON is none.
function bodyOf(channel, fields) {
  const top = [["channel", JSON.stringify(channel)]];
  const payload = [];
  let isWhole = false;
  for (const { pointer, kind, value } of fields) {
    if (pointer.startsWith("/payload/")) isWhole = true;
    if (value === "") continue;
    if (kind === "json") {
      try {
        JSON.parse(value);
      } catch (error) {
        throw { pointer, message: `This is no JSON: ${error.message}.` };
      }
    }
    const text = kind === "json" || (kind === "number" && /^-?\d+$/.test(value)) ? value : JSON.stringify(value);
    const [, name, inner] = pointer.split("/");
    if (inner === undefined) top.push([name, text]);
    else payload.push([inner, text]);
  }
  if (isWhole) top.splice(2, 0, ["payload", object(payload)]);
  return object(top);
}

function object(members) {
  return `{${members.map(([name, text]) => `${JSON.stringify(name)}: ${text}`).join(", ")}}`;
}

// The pointer of the field that a fault belongs to: its own, or the nearest above it.
function placeOf(pointer, known) {
  for (let place = pointer ?? ""; place; place = place.slice(0, place.lastIndexOf("/"))) {
    if (known.includes(place)) return place;
  }
  return null;
}

function startTrying(form) {
  const inputs = [...form.querySelectorAll("[data-pointer]")];
  const written = () => inputs.map((input) => ({ pointer: input.dataset.pointer, kind: input.dataset.kind, value: input.value }));
  const body = () => bodyOf(form.dataset.channel, written());
  const faultOf = (place) => document.getElementById(`fault-${place.slice(1).replaceAll("/", "-")}`);

  function clear() {
    say("", false);
    for (const fault of form.querySelectorAll(".fault")) fault.textContent = "";
    for (const input of inputs) input.removeAttribute("aria-invalid");
  }

  // Show faults at their fields, and go to the first; those of no field are said above.
  function show(faults, otherwise) {
    const known = inputs.map((input) => input.dataset.pointer).concat(faultOf("/payload") ? ["/payload"] : []);
    const nowhere = [];
    let first = null;
    for (const { pointer, message } of faults) {
      const place = placeOf(pointer, known);
      if (place === null) {
        nowhere.push(message);
        continue;
      }
      const input = inputs.find((each) => each.dataset.pointer === place);
      const fault = faultOf(place);
      fault.textContent = `${fault.textContent} ${message}`.trim();
      if (input) input.setAttribute("aria-invalid", "true");
      first ??= input ?? fault;
    }
    say(nowhere.join(" ") || (first ? "Nothing was sent: see the fields below." : otherwise), true);
    if (!first) return;
    first.closest("details")?.setAttribute("open", "");
    first.focus();
  }

  function sent(answer) {
    say("Accepted. ", false);
    const link = document.createElement("a");
    link.href = `/console/notifications/${encodeURIComponent(answer.id)}`;
    link.textContent = "See what becomes of it";
    document.getElementById("said").append(link);
    const live = document.getElementById("live");
    if (live) htmx.trigger(live, "refresh");
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    clear();
    button.disabled = true;
    try {
      sent(await ask("POST", "/notify", body()));
    } catch (error) {
      const errors = error.problem?.errors ?? (error.pointer ? [{ pointer: error.pointer, detail: error.message }] : []);
      show(errors.map(({ pointer, detail }) => ({ pointer, message: detail })), error.message);
    }
    button.disabled = false;
  });

  // The preview: asked for when the typing pauses; an answer that comes late is not shown.
  const unseen = document.getElementById("unseen");
  let turn = 0;
  async function preview() {
    const mine = ++turn;
    try {
      const made = await ask("POST", "/console/try/preview", body());
      if (mine !== turn) return;
      for (const name of ["curl", "sql", "python"]) document.getElementById(`as-${name}`).textContent = made[name];
      unseen.textContent = "";
    } catch (error) {
      if (mine === turn) unseen.textContent = error.message;
    }
  }
  let pause;
  form.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(preview, 300);
  });
  preview();
}

if (typeof document === "undefined") module.exports = { bodyOf, placeOf };
else document.addEventListener("DOMContentLoaded", () => startTrying(document.getElementById("compose")));
