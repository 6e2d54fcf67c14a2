"use strict";
// Shows /openapi.json to people. What the document says becomes text, and is never parsed as HTML.
const byId = (id) => document.getElementById(id);
const SAFE = ["get", "head", "options"];

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const code = (text) => make("code", {}, text);
const anchor = (id, name) => make("a", { class: "anchor", href: `#${id}`, "aria-label": `Link to ${name}` }, "#");

const region = (name, text) => make("pre", { tabindex: "0", role: "region", "aria-label": name }, text);

// What is between backticks is code.
const worded = (text) => text.split("`").map((part, place) => (place % 2 ? code(part) : part));

function parted(list, isFirst) {
  return [list.filter((one) => isFirst(one)), list.filter((one) => !isFirst(one))];
}

// A table that is wider than a phone moves within its own region.
function table(name, heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell))));
  const whole = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, whole);
}

// What may be given, or comes: its name, where, whether it must be, its type, and what it means.
function fields(rows) {
  return make("dl", { class: "fields" }, ...rows.flatMap(([name, place, isRequired, schema, about]) => [
    make("dt", {}, code(name), make("span", { class: "soft" }, place ? ` ${place}, ` : " ", typeOf(schema), isRequired ? ", required" : "")),
    make("dd", {}, ...worded(about || ""))]));
}

// Name a schema as a person would: a link to a type, or the JSON types it may have.
function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return make("a", { href: `#type-${name}` }, name);
  }
  if (schema.anyOf) {
    const span = make("span", {});
    schema.anyOf.forEach((one, place) => span.append(place ? " or " : "", typeOf(one)));
    return span;
  }
  if (schema.enum) return schema.enum.join(" · ");
  if (schema.type === "array") return make("span", {}, "list of ", typeOf(schema.items || {}));
  const limits = ["minimum", "maximum", "minLength", "maxLength"]
    .filter((name) => name in schema).map((name) => `${name} ${schema[name]}`).join(", ");
  return [schema.type || "any JSON", schema.format, limits].filter(Boolean).join(", ");
}

// Make up a value that a schema describes: what an answer looks like.
function instance(schema, schemas) {
  if (schema.$ref) return instance(schemas[schema.$ref.split("/").pop()], schemas);
  if (schema.anyOf) return instance(schema.anyOf.find((one) => one.type !== "null"), schemas);
  const known = schema.examples?.[0] ?? schema.const ?? schema.enum?.[0] ?? schema.default;
  if (known !== undefined) return known;
  if (schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, one]) => [name, instance(one, schemas)]));
  }
  const texts = { uuid: "019a0b6e-2f31-7c11-9d5e-7a4b1c2d3e4f", "date-time": "2026-01-31T12:00:00Z" };
  const kinds = { string: texts[schema.format] ?? "…", integer: schema.minimum ?? 1, number: 1.5, boolean: true, null: null };
  if (schema.type === "array") return [instance(schema.items || {}, schemas)];
  return kinds[schema.type] ?? {};
}

function showAnswer(operation, schemas) {
  const status = Object.keys(operation.responses).filter((one) => one < "300").at(-1);
  const schema = operation.responses[status].content?.["application/json"]?.schema;
  if (!schema) return [];
  const text = JSON.stringify(instance(schema, schemas), null, 2);
  return [make("details", {}, make("summary", {}, `What ${status} looks like`), region(`An answer ${status}`, text))];
}

function showOperation(path, method, operation, schemas) {
  const id = `op-${operation.operationId}`;
  const name = `${method.toUpperCase()} ${path}`;
  const content = operation.requestBody?.content || {};
  const parts = [
    make("h3", {}, make("span", { class: "method" }, method.toUpperCase()), ` ${path} `, anchor(id, name)),
    make("p", {}, [operation.summary + ".", operation.description].filter(Boolean).join(" ")),
  ];
  if (operation.parameters) {
    parts.push(make("h4", {}, "Parameters"), fields(operation.parameters.map((one) =>
      [one.name, one.in, one.required, one.schema, one.description])));
  }
  if (operation.requestBody) {
    parts.push(make("h4", {}, "Body"), ...Object.entries(content).map(([media, { schema }]) =>
      make("p", {}, code(media), " ", schema.description || typeOf(schema))));
  }
  const [problems, answers] = parted(Object.entries(operation.responses), ([, answer]) => answer.$ref);
  parts.push(make("h4", {}, "Answers"), table(`Answers of ${name}`, ["Status", ""], answers.map(([status, answer]) => {
    const json = answer.content?.["application/json"];
    return [status, make("span", {}, answer.description, " ", json ? typeOf(json.schema) : "")];
  })));
  if (problems.length) {
    parts.push(make("p", {}, "Problems: ", ...problems.flatMap(([status]) =>
      [make("a", { href: `#status-${status}` }, status), " "])));
  }
  parts.push(...showAnswer(operation, schemas));
  const use = [...showSamples(operation["x-codeSamples"], name), showTrial(path, method, operation)];
  return make("section", { class: "entry operation", id, "data-name": name },
    make("div", {}, ...parts), make("div", { class: "use" }, ...use));
}

// The same request in several languages; a choice counts for all examples of the page.
function showSamples(samples, name) {
  const buttons = samples.map(({ lang, label }) =>
    make("button", { type: "button", "data-language": lang, "aria-pressed": "false" }, label));
  const texts = samples.map(({ lang, source }) => {
    const text = region(`${lang}: ${name}`, source);
    text.dataset.sample = lang;
    return text;
  });
  const copy = make("button", { type: "button", class: "copy" }, "Copy");
  copy.addEventListener("click", () => copied(copy, texts.find((text) => !text.hidden).textContent));
  return [make("h4", {}, "Example"),
    make("div", { class: "buttons", role: "group", "aria-label": `Language of the example of ${name}` }, ...buttons, copy),
    ...texts];
}

function choose(language) {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const samples of document.querySelectorAll(".entry")) {
    const texts = [...samples.querySelectorAll("[data-sample]")];
    const isThere = texts.some((text) => text.dataset.sample === language);
    texts.forEach((text, place) => { text.hidden = isThere ? text.dataset.sample !== language : place > 0; });
  }
}

async function copied(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it yourself";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

// A form that makes the request.
function showTrial(path, method, operation) {
  const id = operation.operationId;
  const form = make("form", {});
  const fields = (operation.parameters || []).map((parameter) => {
    const input = make("input", { id: `try-${id}-${parameter.name}`, autocomplete: "off", spellcheck: "false" });
    if (parameter.required) input.required = true;
    form.append(make("label", { for: input.id }, `${parameter.name} (${parameter.in})`), input);
    return { input, ...parameter };
  });
  const examples = Object.entries(operation.requestBody?.content || {}).flatMap(([media, { examples: named }]) =>
    Object.entries(named || {}).map(([name, { value }]) => ({ name, media, value })));
  const body = make("textarea", { id: `try-${id}-body`, rows: "10", spellcheck: "false" });
  const choice = make("select", { id: `try-${id}-example` },
    ...examples.map(({ name, media }, place) => make("option", { value: place }, `${name} (${media})`)));
  const fill = () => {
    const { value } = examples[choice.value || 0];
    body.value = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  };
  if (examples.length) {
    form.append(make("label", { for: choice.id }, "Begin with"), choice,
      make("label", { for: body.id }, "Body"), body);
    choice.addEventListener("change", fill);
    fill();
  }
  const result = make("div", { class: "result", role: "status" });
  const line = region(`This request to ${path} by curl`, "");
  form.append(make("div", { class: "buttons" }, make("button", { class: "main" }, `Send ${method.toUpperCase()}`)),
    make("details", {}, make("summary", {}, "By curl"), line), result);

  const request = () => {
    const given = (place) => fields.filter((field) => field.in === place && field.input.value !== "");
    const query = new URLSearchParams(given("query").map(({ name, input }) => [name, input.value]));
    let url = path;
    for (const { name, input } of given("path")) url = url.replace(`{${name}}`, encodeURIComponent(input.value));
    const headers = Object.fromEntries(given("header").map(({ name, input }) => [name, input.value]));
    if (examples.length) headers["Content-Type"] = examples[choice.value || 0].media;
    return { method, url: query.size ? `${url}?${query}` : url, headers, body: examples.length ? body.value : undefined };
  };
  const show = () => { line.textContent = asCurl(request()); };
  form.addEventListener("input", show);
  byId("key").addEventListener("input", show);
  show();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button.main");
    button.disabled = true;
    result.replaceChildren(...await ask(request(), result));
    button.disabled = false;
  });
  return make("details", { class: "try" }, make("summary", {}, "Try it"), form);
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function asCurl({ method, url, headers, body }) {
  const key = byId("key").value ? [`-H "Authorization: Bearer $NOTIFY_KEY"`] : [];
  const parts = [`curl -i -X ${method.toUpperCase()} ${quoted(location.origin + url)}`, ...key,
    ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`)];
  if (body !== undefined) parts.push(`--data-binary ${quoted(body)}`);
  return parts.join(" \\\n  ");
}

// The tokens of all sessions on this host, the likeliest first: the name of its cookie has our port in it
// (service/access/session.py), or what a proxy before the service makes of that.
function tokens() {
  const own = `notify_csrf${location.port && `_${location.port}`}=`;
  const all = document.cookie.split("; ").filter((pair) => pair.startsWith("notify_csrf"));
  return parted(all, (pair) => pair.startsWith(own)).flat().map((pair) => pair.slice(pair.indexOf("=") + 1));
}

// Make a request, by key or in a session: then with one token after the other until one is not refused, as what is
// refused for its token has moved nothing.
async function fetched({ method, url, headers, body }) {
  const key = byId("key").value.trim();
  const all = new Headers(headers);
  if (key) all.set("Authorization", `Bearer ${key}`);
  const untried = key || SAFE.includes(method) ? [] : tokens();
  let response, text;
  do {
    if (untried.length) all.set("X-CSRF-Token", untried.shift());
    response = await fetch(url, { method: method.toUpperCase(), headers: all, body,
      credentials: key ? "omit" : "same-origin" });
    text = await response.text();
  } while (response.status === 403 && text.includes('"csrf_token_invalid"') && untried.length);
  return { response, text };
}

// Put JSON on several lines. Its numbers stand as they came: JSON.parse would round what is no double.
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[{]\s*[\]}]|[[{]|[\]}]|[,:]|\s+/g;
const LEVELS_MAX = 100;  // beyond, the blanks would be more than all the rest

function indented(json) {
  let level = 0, deepest = 0;
  const line = (step) => {
    level += step;
    deepest = Math.max(deepest, level);
    return "\n" + "  ".repeat(Math.min(level, LEVELS_MAX));
  };
  const text = json.replace(TOKEN, (token) => {
    if (token === "[" || token === "{") return token + line(1);
    if (token === "]" || token === "}") return line(-1) + token;
    if (token === ",") return token + line(0);
    if (token === ":") return ": ";
    return token[0] === '"' ? token : token.replace(/\s+/g, "");
  });
  return deepest > LEVELS_MAX ? json : text;
}

// Make a request, and show what came back.
async function ask(request, result) {
  const began = performance.now();
  let response, text;
  try {
    ({ response, text } = await fetched(request));
  } catch (error) {
    return [make("p", { class: "bad" }, `No answer: ${error.message}`)];
  }
  const took = Math.round(performance.now() - began);
  let answer = null;
  try { answer = JSON.parse(text); } catch { /* it is shown as it came */ }
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const shown = [
    make("p", { class: response.ok ? "good" : "bad" }, `${response.status} ${response.statusText}, ${took} ms`),
    make("details", {}, make("summary", {}, "Headers"), region("Headers of the answer", lines)),
    region("Body of the answer", answer === null ? text : indented(text)),
  ];
  const next = answer?.links?.self;
  if (typeof next === "string" && next.startsWith("/") && next !== request.url) {
    const button = make("button", { type: "button" }, "What became of it?");
    button.addEventListener("click", async () =>
      result.replaceChildren(...await ask({ method: "get", url: next, headers: {} }, result), button));
    shown.push(make("div", { class: "buttons" }, button));
  }
  return shown;
}

function showType([name, schema]) {
  const id = `type-${name}`;
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([field, type]) =>
    [field, "", required.has(field), type, type.description]);
  const about = [schema.description, schema.enum?.join(" · ")].filter(Boolean).join(" ");
  return make("section", { class: "entry", id, "data-name": name }, make("h3", {}, `${name} `, anchor(id, name)),
    make("p", {}, about), ...(rows.length ? [fields(rows)] : []));
}

// One list for each status; each code is a place that `type` of a problem leads to.
function showProblems(problems) {
  const lists = new Map();
  for (const [name, { status, title, advice }] of Object.entries(problems)) {
    if (!lists.has(status)) lists.set(status, []);
    lists.get(status).push(make("dl", { class: "entry", id: name, "data-name": name },
      make("dt", {}, code(name), " ", anchor(name, name)), make("dd", {}, `${title}.`), make("dd", {}, ...worded(advice))));
  }
  return [...lists].map(([status, entries]) =>
    make("section", { id: `status-${status}`, class: "group" }, make("h3", {}, String(status)), ...entries));
}

function showContents() {
  for (const [list, title] of [["operation-list", "Operations"], ["type-list", "Types"], ["problem-list", "Problems"]]) {
    const links = [...byId(list).querySelectorAll(".entry")].map((entry) =>
      make("li", { "data-for": entry.id }, make("a", { href: `#${entry.id}` }, entry.dataset.name)));
    byId("contents").append(make("div", { class: "group" }, make("strong", {}, title), make("ul", {}, ...links)));
  }
  byId("contents").open = matchMedia("(min-width: 55rem)").matches;
}

// Show what has every word of the filter.
function filter() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const entries = [...document.querySelectorAll(".entry")];
  for (const entry of entries) {
    const text = entry.textContent.toLowerCase();
    const group = entry.closest("[id^=status-]")?.id || "";
    entry.hidden = !words.every((word) => text.includes(word) || group.endsWith(`-${word}`));
    document.querySelector(`[data-for="${entry.id}"]`).hidden = entry.hidden;
  }
  for (const group of document.querySelectorAll(".group")) {
    group.hidden = [...group.querySelectorAll(".entry, [data-for]")].every((part) => part.hidden);
  }
  const left = entries.filter((entry) => !entry.hidden).length;
  byId("count").textContent = words.length ? `${left} of ${entries.length}` : "";
}

// Go to what the address names, also if the filter hides it.
function arrive() {
  const place = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  if (place.closest("[hidden]")) {
    byId("filter").value = "";
    filter();
  }
  place.scrollIntoView();
}

async function show() {
  const api = await (await fetch("/openapi.json")).json();
  byId("loading").remove();
  for (const part of api.info.description.split("\n\n")) byId("about").append(make("p", {}, ...worded(part)));
  byId("key-about").append(...worded(api.components.securitySchemes.key.description));
  byId("settings").textContent = `export NOTIFY_URL=${location.origin}\nexport NOTIFY_KEY=nk_…`;
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      byId("operation-list").append(showOperation(path, method, operation, api.components.schemas));
    }
  }
  byId("type-list").append(...Object.entries(api.components.schemas).map(showType));
  byId("problem-list").append(...showProblems(api["x-problems"]));
  showContents();
  choose("Shell");
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-language]");
    if (button) choose(button.dataset.language);
  });
  byId("filter").addEventListener("input", filter);
  addEventListener("hashchange", arrive);
  if (location.hash) location.replace(location.hash);  // so that :target holds for what was made just now
}

show().catch((error) => {
  document.getElementById("loading").textContent = `/openapi.json cannot be read: ${error.message}. Load the page again.`;
});
