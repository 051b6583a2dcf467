// How it is to be painted: sliders and choices, what that will take, and the button that begins.

import * as api from "./api.js";
import { byId, button, fill, h, named, once, tellError, toast } from "./dom.js";
import { openPicker } from "./picker.js";
import * as state from "./state.js";
import { bytes, language, t, time, wordsOf } from "./words.js";

let recipes = ["fine"];
let waiting = null; // the timer of the next estimate
let wanted = ""; // the request that the estimate on the page is of

const LONG = 180; // seconds of an estimate from which a sketch is advised

let syncs = []; // each brings a control to what is asked for: none is made anew while it is used

function control(element, sync) {
  syncs.push(() => element !== document.activeElement && sync());
  return element;
}

function chips(label, key, words) {
  const entries = Object.entries(words).sort((a, b) => a[0] - b[0]);
  return h("fieldset", { class: `chips ${key}` }, h("legend", {}, named(label, t("hints", key))), entries.map(([value, word]) => {
    const input = h("input", { type: "radio", name: key, onchange: () => state.change({ [key]: Number(value) }) });
    syncs.push(() => (input.checked = Number(value) === state.asked[key]));
    return h("label", {}, input, h("span", { title: key === "size" ? `${value} ${t("pixels")}` : "" }, word, key === "size" && h("small", {}, ` ${value}`)));
  }));
}

function choice(label, key, words) {
  const select = h("select", { onchange: () => state.change({ [key]: select.value }) },
    Object.entries(words).map(([value, word]) => h("option", { value }, word)));
  return h("label", { class: "field" }, named(label, t("hints", key)), control(select, () => (select.value = state.asked[key])));
}

function number(label, key, low, high) {
  const input = h("input", {
    type: "number", min: low, max: high, required: true, inputMode: "numeric",
    onchange: () => {
      if (input.checkValidity()) state.change({ [key]: Number(input.value) });
      else {
        toast(`${label}: ${input.validationMessage}`);
        input.value = state.asked[key]; // what is shown is what will be painted
      }
    },
  });
  return h("label", { class: "field" }, named(label, t("hints", key === "size" ? "ownSize" : key)), control(input, () => (input.value = state.asked[key])));
}

function strength() {
  const input = h("input", {
    type: "range", min: -400, max: 400, step: 20, "aria-label": t("strength"),
    oninput: () => state.change({ strength: 2 ** (Number(input.value) / 100) }),
  });
  control(input, () => (input.value = Math.round(100 * Math.log2(state.asked.strength))));
  return h("label", { class: "slide wide" }, named(t("strength"), t("hints", "strength")), input,
    h("small", {}, h("span", {}, t("photoLike")), h("span", {}, t("styleLike"))));
}

function keepMetadata() {
  const input = h("input", { type: "checkbox", onchange: () => state.change({ keep_metadata: input.checked }) });
  return h("label", { class: "check" }, control(input, () => (input.checked = state.asked.keep_metadata)), t("keepMetadata"));
}

// The controls, once for a language.
function build() {
  const open = byId("look").querySelector("details")?.open;
  syncs = [];
  fill(byId("look"), strength(), chips(t("size"), "size", wordsOf("sizes")), chips(t("effort"), "effort", wordsOf("efforts")),
    choice(t("colours"), "color", wordsOf("colors")),
    h("details", { open }, h("summary", {}, t("more")), h("div", { class: "fields" },
      number(t("ownSize"), "size", 32, 20000),
      choice(t("recipe"), "recipe", Object.fromEntries(recipes.map((name) => [name, t("recipes", name)]))),
      choice(t("network"), "network", wordsOf("networks")),
      choice(t("format"), "format", { png: "PNG", jpg: "JPEG", webp: "WebP", tiff: "TIFF" }),
      number(t("seed"), "seed", 0, 999999), keepMetadata())));
  draw();
}

function draw() {
  for (const sync of syncs) sync();
  drawGo();
}

const told = h("p", { class: "estimate", "aria-live": "polite" });

function drawGo() {
  const ready = state.ready();
  if (!byId("go").firstChild) {
    fill(byId("go"), told, h("div", { class: "buttons" }, button("grid", "", () => openPicker(), { id: "pick" }),
      button("quick", "", once(sketch), { id: "sketch" }), button("brush", "", once(() => paint()), { id: "paint-it", class: "main" })));
  }
  for (const [id, word] of [["pick", "pickFirst"], ["sketch", "sketch"], ["paint-it", "paintIt"]]) {
    byId(id).lastChild.textContent = t(word);
    byId(id).disabled = !ready || posting;
  }
  for (const id of ["pick", "sketch"]) byId(id).title = t("hints", id);
  if (!ready) {
    told.textContent = t(state.asked.content ? "needStyle" : state.asked.styles.length ? "needPhoto" : "needBoth");
    byId("sketch").classList.remove("advised");
    wanted = "";
  } else estimateSoon();
}

// After a moment without changes; what a masked run takes is about the same, so masks ask for no new one.
function estimateSoon() {
  const request = JSON.stringify({ ...state.request(), content_mask: null, styles: state.request().styles.map((style) => ({ ...style, mask: null })) });
  if (request + language() === wanted) return;
  const own = (wanted = request + language());
  clearTimeout(waiting);
  told.classList.remove("refused");
  told.textContent = t("estimating");
  waiting = setTimeout(async () => {
    try {
      const { seconds, memory, refused } = await api.estimate(JSON.parse(request));
      if (own !== wanted) return;
      const long = refused !== null || seconds > LONG;
      told.textContent = refused ?? t(long ? "longEstimate" : "estimate", { time: time(seconds), memory: bytes(memory) });
      told.classList.toggle("refused", refused !== null);
      byId("sketch").classList.toggle("advised", long);
    } catch (error) {
      if (own !== wanted) return;
      told.textContent = error.message === "offline" ? t("noEstimate") : error.message;
      told.classList.add("refused");
    }
  }, 600);
}

// Small, by the small network, in few steps: to see in a minute or so what it will be.
const sketch = () => paint({ size: Math.min(256, state.asked.size), network: "mini", effort: Math.min(0.4, state.asked.effort) });

let posting = false; // asked for just now: whoever presses twice means it once

export async function paint(changes = {}) {
  if (posting) return;
  posting = true;
  draw();
  try {
    const job = await api.addJob(state.request(changes));
    state.addJob(job);
    location.hash = `#job/${job.id}`;
    byId("easel").scrollIntoView({ block: "nearest", behavior: "smooth" });
    state.tell("shelf");
  } catch (error) {
    tellError(error);
  }
  setTimeout(() => {
    posting = false;
    draw();
  }, 700);
}

export function drawLook() {
  state.on("asked", draw);
  state.on("language", build);
  build();
  api.about().then((found) => {
    recipes = found.recipes;
    build();
  }, () => {});
}
