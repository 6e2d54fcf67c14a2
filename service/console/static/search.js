"use strict";
// The screen Search: times of its form, selected rows, and verbs for all that match.

const PART = 10000; // rows of one request; a count goes no further either
const VERBS = {
  redrive: {
    url: "/redrive", moved: "redriven", of: "failed", button: "Redrive them",
    means: "They are queued again, with as many attempts as new ones. Those whose expires_at has passed stay failed. Of more than 10,000, each 10,000 are spread by themselves.",
  },
  cancel: {
    url: "/cancel", moved: "cancelled", of: "queued", button: "Cancel them",
    means: "They will not be sent. What is being sent at that moment goes on. This cannot be undone.",
  },
};
const number = (n) => n.toLocaleString("en");
const part = (id) => document.getElementById(id);

// Times of the form are typed in the viewer's zone, or as an age such as 2h, and sent in UTC: so a URL means the
// same to everybody. What is no time is sent as it is, and the server says so.
const UNITS = { s: 1000, m: 60000, h: 3600000, d: 86400000 };
const TIME = /^(\d{4}-\d\d-(\d\d))(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/i;

// What a text says in full; null: it is no time. Date() alone would take "5" for a day of 2001, a date
// without a time for midnight in UTC, and February 30 for March 2.
function timeOf(text) {
  const [, date, day, clock = "00:00", zone = ""] = text.trim().match(TIME) ?? [];
  if (new Date(`${date}T00:00Z`).getUTCDate() !== Number(day)) return null;
  const at = new Date(`${date}T${clock}${zone.toUpperCase()}`);
  return Number.isNaN(at.getTime()) ? null : at;
}

function utc(text) {
  const age = text.trim().match(/^(\d{1,6})([smhd])$/);
  const at = age ? new Date(Date.now() - age[1] * UNITS[age[2]]) : timeOf(text);
  return at ? at.toISOString().replace(/\.\d+Z$/, "Z") : text;
}

function localTimes(form) {
  for (const input of form.querySelectorAll("input[data-time]")) {
    const at = timeOf(input.value);
    if (!at) continue;
    const local = new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString();
    input.value = local.slice(0, 19).replace("T", " ");
  }
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) {
      if (value === "") formData.delete(name);
      else if ("time" in form.elements.namedItem(name).dataset) formData.set(name, utc(value));
    }
  });
}

const boxes = () => [...document.querySelectorAll("input[name=selected]")];
const selected = () => boxes().filter((box) => box.checked);

function showSelection() {
  const chosen = selected();
  for (const button of document.querySelectorAll("button[data-selected]")) {
    const fit = chosen.filter((box) => box.dataset.status === VERBS[button.dataset.selected].of).length;
    button.disabled = fit === 0;
    const verb = button.dataset.selected === "redrive" ? "Redrive" : "Cancel";
    button.textContent = fit === 0 ? `${verb} selected` : `${verb} ${fit} selected`;
  }
  const all = part("select-all");
  if (all) {
    all.checked = chosen.length > 0 && chosen.length === boxes().length;
    all.indeterminate = chosen.length > 0 && !all.checked;
  }
}

function refreshHits() {
  for (const box of boxes()) box.checked = false;
  showSelection();
  htmx.trigger(part("live"), "refresh");
}

// A refresh must not take away a selection, nor the rows below a question about them.
function isSelecting(event) {
  return event.detail.target === part("live") && (selected().length > 0 || part("all").open);
}

async function moveSelected(verb) {
  const ids = selected().filter((box) => box.dataset.status === VERBS[verb].of).map((box) => box.value);
  const what = `${ids.length} selected notification${ids.length === 1 ? "" : "s"}`;
  if (!(await agreed(`${verb === "redrive" ? "Redrive" : "Cancel"} ${what}?`, VERBS[verb].button))) return;
  let moved = 0;
  let fault = "";
  try {
    if (verb === "redrive") moved = (await ask("POST", "/redrive", { ids, limit: ids.length })).redriven;
    else
      for (const id of ids)
        await ask("POST", `/notifications/${id}/cancel`).then(() => (moved += 1), (error) => (fault = error.message));
  } catch (error) {
    fault = error.message;
  }
  if (!fault && moved < ids.length) fault = "The others have moved by themselves meanwhile.";
  say(`${moved} of ${ids.length} ${VERBS[verb].moved}. ${fault}`.trim(), moved < ids.length);
  refreshHits();
}

// All that match: counted first, then moved in parts, until the end or until it is stopped.
class All {
  constructor(button) {
    this.verb = button.dataset.all;
    this.words = VERBS[this.verb];
    this.filter = JSON.parse(button.dataset.filter);
    this.filter.created_until ??= button.dataset.now; // what comes later is not meant
    this.until = new Date(this.filter.created_until).toLocaleString();
    this.isStopped = false;
    this.isBusy = false;
    this.cursor = undefined;
    this.moved = 0;
    this.matched = 0;
  }

  show(said, { go = false, stop = false, back = true } = {}) {
    part("all-said").textContent = said;
    part("all-go").hidden = !go;
    part("all-stop").hidden = !stop;
    part("all-back").hidden = !back;
  }

  open() {
    part("all-title").textContent = `${this.verb === "redrive" ? "Redrive" : "Cancel"} all that match`;
    part("all-means").textContent = this.words.means;
    part("all-rate").hidden = this.verb !== "redrive";
    part("all-go").textContent = this.words.button;
    part("all-back").textContent = "Back";
    part("all-progress").hidden = true;
    part("all").showModal();
  }

  ask(more) {
    const body = { filter: this.filter, ...more };
    if (this.verb === "redrive" && !more.dry_run) body.rate_per_s = Number(part("rate").value);
    return ask("POST", this.words.url, body);
  }

  async count() {
    this.isBusy = true;
    let cursor;
    let matched = 0;
    try {
      do {
        this.show(`Counting… ${number(matched)} so far.`, { stop: true, back: false });
        const answer = await this.ask({ dry_run: true, limit: PART - matched, ...(cursor && { cursor }) });
        matched += answer.matched;
        cursor = answer.next;
      } while (cursor && matched < PART && !this.isStopped);
      this.isWhole = !cursor;
      this.matched = matched;
      const count = number(matched) + (cursor ? (matched < PART ? " or more" : " and more") : "");
      this.show(`${count} match, created before ${this.until}.`, { go: matched > 0 || Boolean(cursor) });
    } catch (error) {
      this.show(error.message);
    }
    this.isBusy = false;
    this.isStopped = false;
    part("all-back").focus();
  }

  async run() {
    const rate = part("rate");
    if (this.verb === "redrive" && !rate.checkValidity()) {
      this.show(`Give a rate of ${rate.min} to ${number(Number(rate.max))} a second.`, { go: true });
      return rate.focus();
    }
    this.isBusy = true;
    this.isStopped = false;
    const progress = part("all-progress");
    progress.hidden = false;
    if (this.isWhole) progress.max = Math.max(this.matched, 1);
    else progress.removeAttribute("value");
    let fault = "";
    let isDone = false;
    while (!isDone && !this.isStopped && !fault) {
      this.show(`${number(this.moved)} ${this.words.moved} so far.`, { stop: true, back: false });
      try {
        const answer = await this.ask({ limit: PART, ...(this.cursor && { cursor: this.cursor }) });
        this.moved += answer[this.words.moved];
        this.cursor = answer.next ?? undefined;
        part("all-rate").hidden = true; // it was taken, and stays as it is
        isDone = !answer.next;
      } catch (error) {
        fault = error.message;
      }
      if (this.isWhole) progress.value = Math.min(this.moved, progress.max);
    }
    this.isBusy = false;
    progress.hidden = isDone;
    part("all-back").textContent = "Close";
    const sum = `${number(this.moved)} ${this.words.moved}.`;
    if (isDone) {
      part("all-means").textContent = "";
      this.show(sum);
      say(sum, false);
    } else {
      part("all-go").textContent = "Go on";
      this.show(`${sum} ${fault || "Stopped: the others are as they were."}`, { go: true });
    }
    part("all-back").focus();
  }

  stop() {
    this.isStopped = true;
    part("all-said").textContent += " Stopping…";
  }
}

let all = null;

document.addEventListener("DOMContentLoaded", () => {
  localTimes(part("search"));
  showSelection();
  part("all-go").addEventListener("click", () => all.run());
  part("all-stop").addEventListener("click", () => all.stop());
  part("all-back").addEventListener("click", () => part("all").close());
  part("all").addEventListener("cancel", (event) => {
    if (!all.isBusy) return;
    event.preventDefault(); // Escape stops first, and closes then
    all.stop();
  });
  part("all").addEventListener("close", () => {
    if (all.moved > 0) refreshHits();
    all = null;
  });
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.selected) moveSelected(button.dataset.selected);
  if (button?.dataset.all) {
    all = new All(button);
    all.open();
    all.count();
  }
});

document.addEventListener("change", (event) => {
  if (event.target.id === "select-all") for (const box of boxes()) box.checked = event.target.checked;
  if (event.target.id === "select-all" || event.target.name === "selected") showSelection();
});

for (const name of ["htmx:beforeRequest", "htmx:beforeSwap"])
  document.addEventListener(name, (event) => {
    if (isSelecting(event)) event.preventDefault();
  });
