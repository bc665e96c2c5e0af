// Looks closely at what was told of a text: details of tokens by pointer and keyboard, and what other temperatures and
// filters would leave of each step. It begins before the page is whole, since the model may still run.
import { distribution } from "./distribution.js";

const numbers = (text) => (text ? text.trim().split(/\s+/).map((s) => (s === "null" ? null : Number(s))) : []);
const element = (name, properties = {}, ...children) => {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
};

// --- The form: what is for models of the other task is left out.

function fitForm() {
  const task = document.getElementById("model")?.selectedOptions[0]?.dataset.task;
  const set = document.getElementById("sampling");
  if (!task || !set) return;
  set.hidden = set.disabled = set.dataset.task !== task;
}

// --- Tokens: arrows go from one to the next, and what has the focus or the pointer is told in full.

function detail(token) {
  const out = document.getElementById("detail");
  if (!out) return;
  const d = token.dataset;
  const first = token.closest("section").parentElement.querySelector(`.tokens .token[data-index="${d.index}"]`)?.dataset ?? d;
  const codes = [...(first.covers ?? "")].filter((c) => c > "~").map((c) => "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")).join(" ");
  const marks = [...token.querySelectorAll(".mark")].map((m) => `${m.textContent}: ${m.title}`).join("; ");
  const says = [`token ${Number(d.index) + 1}`, first.covers ? `stands for “${first.covers}”, bytes ${first.bytes}${codes && ", "}${codes}` : "added by the tokenizer", marks];
  const values = numbers(d.values).map((v) => (v === null ? "–" : v.toFixed(4)));
  out.replaceChildren(element("b", {textContent: first.piece ?? ""}), element("span", {textContent: says.filter(Boolean).join(" · ")}),
    element("span", {className: "mono", textContent: values.join(" ")}));
  out.hidden = false;
}

function rove(list) {
  const tokens = list.querySelectorAll(".token");
  if (tokens.length && !list.querySelector('.token[tabindex="0"]')) tokens[0].tabIndex = 0;
}

document.addEventListener("keydown", (event) => {
  const token = event.target.closest?.(".token");
  if (event.key === "Escape") document.getElementById("detail")?.setAttribute("hidden", "");
  if (!token) return;
  const all = [...token.parentElement.children];
  const at = all.indexOf(token);
  const to = {ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1}[event.key];
  if (to === undefined || !all[to]) return;
  event.preventDefault();
  token.tabIndex = -1;
  all[to].tabIndex = 0;
  all[to].focus();
});
for (const name of ["focusin", "pointerover"]) {
  document.addEventListener(name, (event) => {
    const token = event.target.closest?.(".token");
    if (token) detail(token);
    const cell = event.target.closest?.(".heat .cells rect");
    if (cell) pair(cell);
  });
}
document.addEventListener("pointerout", (event) => {
  if (event.relatedTarget?.closest?.(".token, .heat, #detail")) return;
  const focused = document.activeElement?.closest?.(".token");
  if (focused && !document.getElementById("detail").hidden) detail(focused);
  else document.getElementById("detail")?.setAttribute("hidden", "");
});

// pair tells the two tokens of a cell and their cosine, which the table behind the map has.
function pair(cell) {
  const figures = cell.closest(".scroll").nextElementSibling.querySelector("table");
  const columns = figures.tHead.rows[0].cells.length - 1;
  const at = [...cell.parentElement.children].indexOf(cell);
  const row = figures.tBodies[0].rows[Math.floor(at / columns)];
  const out = document.getElementById("detail");
  const x = figures.tHead.rows[0].cells[(at % columns) + 1].textContent;
  out.replaceChildren(element("b", {textContent: row.cells[(at % columns) + 1].textContent}),
    element("span", {textContent: `cosine of ${row.cells[0].textContent} and ${x}`}));
  out.hidden = false;
  for (const old of cell.parentElement.querySelectorAll(".with")) old.classList.remove("with");
  cell.classList.add("with");
}

// --- Steps: what other params would leave of each.

const whole = ".step:has(> .whole)"; // one that has come to its end

// A Loop is the steps of one text with their sliders.
class Loop {
  constructor(section) {
    this.section = section;
    const d = section.dataset;
    this.temperatures = numbers(d.temperatures);
    this.own = {temperature: Number(d.temperature), topK: Number(d.topK), topP: Number(d.topP) || 1, minP: Number(d.minP)};
    this.now = {...this.own, ...looked()};
    this.steps = 0;
  }

  build(others) {
    const box = this.section.querySelector(".sliders");
    box.hidden = false;
    if (others) {
      box.append(element("p", {textContent: `${others} is at work here, which sliders cannot move.`}));
      return;
    }
    this.inputs = {
      temperature: this.slider(box, "temperature", [0, ...this.temperatures], (v) => (v === 0 ? "0, greedy" : String(v))),
      topK: this.slider(box, "top_k", [...Array(101).keys()].slice(1).concat(0), (v) => (v === 0 ? "all" : String(v))),
      topP: this.slider(box, "top_p", steps(0.05, 1, 0.01), (v) => (v === 1 ? "1, all" : String(v))),
      minP: this.slider(box, "min_p", steps(0, 0.5, 0.005), (v) => (v === 0 ? "0, all" : String(v))),
    };
    const back = element("button", {type: "button", className: "plain", textContent: "As it was drawn"});
    back.addEventListener("click", () => this.set(this.own));
    const again = element("button", {type: "button", textContent: "Run with these"});
    again.addEventListener("click", () => this.run());
    const stop = element("button", {type: "button", className: "danger", textContent: "Stop", hidden: document.readyState !== "loading"});
    stop.addEventListener("click", () => window.stop()); // the daemon notices, and ends the model's work
    document.addEventListener("readystatechange", () => { stop.hidden = true; });
    box.append(element("div", {className: "do"}, back, again, stop),
      element("p", {textContent: "Sliders show at once what would be drawn at each step; the tokens stay those that were picked."}));
    this.set(this.now, true);
  }

  slider(box, name, values, say) {
    const id = `slide-${name}-${document.querySelectorAll(".sliders").length}-${box.children.length}`;
    const input = element("input", {type: "range", id, min: 0, max: values.length - 1, step: 1});
    const said = element("output", {});
    said.htmlFor = id;
    const one = {
      input, values,
      show: (v) => {
        let at = values.findIndex((x) => Math.abs(x - v) < 1e-9);
        if (at < 0) at = values.reduce((a, x, i) => (Math.abs(x - v) < Math.abs(values[a] - v) ? i : a), 0);
        input.value = at;
        said.textContent = say(v);
        input.setAttribute("aria-valuetext", say(v));
      },
      value: () => values[Number(input.value)],
    };
    input.addEventListener("input", () => {
      const key = Object.keys(this.inputs).find((k) => this.inputs[k] === one);
      this.set({...this.now, [key]: one.value()});
    });
    box.append(element("div", {className: "slider"}, element("label", {htmlFor: id, textContent: name}), said, input));
    return one;
  }

  moved() { return Object.keys(this.own).some((k) => Math.abs(this.own[k] - this.now[k]) > 1e-9); }

  set(params, first = false) {
    this.now = {...params};
    for (const [key, slider] of Object.entries(this.inputs)) slider.show(this.now[key]);
    this.section.classList.toggle("moved", this.moved());
    for (const step of this.section.querySelectorAll(whole)) this.apply(step);
    if (!first) look(this.moved() ? this.now : null);
  }

  // apply shows what the params would leave of a step; as it was drawn, that is what the page came with.
  apply(step) {
    step.original ??= [...step.querySelectorAll("tr[data-at]")].map((row) =>
      [row.querySelector(".after").textContent, row.querySelector(".fill").getAttribute("width")]);
    step.kept ??= step.querySelector(".kept").textContent;
    const rows = step.querySelectorAll("tr[data-at]");
    const kept = step.querySelector(".kept");
    if (!this.moved()) {
      rows.forEach((row, i) => show(row, ...step.original[i]));
      kept.textContent = step.kept;
      return;
    }
    step.parsed ??= {scores: numbers(step.dataset.scores), rest: numbers(step.dataset.rest), temperatures: this.temperatures,
      highest: Number(step.dataset.highest)};
    const {after, kept: n, exact} = distribution(step.parsed, this.now);
    const about = exact ? "" : "≈";
    for (const row of rows) {
      const p = after?.[Number(row.dataset.at)] ?? 0;
      show(row, p > 0 ? about + (100 * p).toFixed(2) : "–", String(100 * p));
    }
    kept.textContent = n !== null ? about + n : exact ? "all" : `more than ${step.parsed.highest}`;
  }

  // say adds a step's text to what was said, underlined the more the likelier it was.
  say(step) {
    const said = this.section.querySelector(".said");
    const picked = step.querySelector(".picked");
    const link = element("a", {href: "#" + step.id, textContent: step.dataset.text || "·"});
    const before = Number(picked?.cells[2].textContent) || 0;
    link.style.setProperty("--p", before / 100);
    link.title = `step ${step.querySelector(".n").textContent}, ${before} %`;
    said.hidden = false;
    said.append(link);
  }

  run() {
    const form = document.getElementById("ask");
    for (const [name, value] of [["temperature", this.now.temperature], ["top_k", this.now.topK], ["top_p", this.now.topP], ["min_p", this.now.minP]]) {
      form.elements[name].value = value;
    }
    form.requestSubmit();
  }
}

function show(row, text, width) {
  row.querySelector(".after").textContent = text;
  row.querySelector(".fill").setAttribute("width", width);
}

const steps = (from, to, by) => Array.from({length: Math.round((to - from) / by) + 1}, (_, i) => Number((from + i * by).toFixed(4)));

// looked are the sliders as a link has them: temperature, top_k, top_p and min_p behind look=.
function looked() {
  const parts = (new URLSearchParams(location.search).get("look") ?? "").split(",");
  const [temperature, topK, topP, minP] = parts.map(Number);
  if (parts.length !== 4 || ![temperature, topK, topP, minP].every((n) => Number.isFinite(n) && n >= 0) || topP > 1 || topP === 0) return {};
  return {temperature, topK, topP, minP};
}

// look keeps the sliders in the address, so that it leads to what is seen.
function look(params) {
  const to = new URL(location.href);
  to.searchParams.delete("look");
  if (params) to.searchParams.set("look", [params.temperature, params.topK, params.topP, params.minP].join(","));
  history.replaceState(null, "", to);
}

// --- What comes while the model runs.

const loops = new Map();

function arrived() {
  for (const list of document.querySelectorAll("[data-roving]")) rove(list);
  for (const section of document.querySelectorAll(".loop")) {
    if (!section.querySelector(".steps")) continue; // the sliders' place may not be there yet
    if (!loops.has(section)) {
      loops.set(section, new Loop(section));
      loops.get(section).build(section.dataset.others);
    }
    const loop = loops.get(section);
    const all = section.querySelectorAll(whole);
    for (; loop.steps < all.length; loop.steps++) {
      if (loop.inputs && loop.moved()) loop.apply(all[loop.steps]);
      loop.say(all[loop.steps]);
    }
  }
}

fitForm();
arrived();
new MutationObserver(arrived).observe(document, {childList: true, subtree: true});
document.addEventListener("change", (event) => event.target.id === "model" && fitForm());
document.addEventListener("DOMContentLoaded", fitForm);
