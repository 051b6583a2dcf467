// How it is to be painted: sliders and choices, what that will take, and the button that begins.

import * as api from "./api.js";
import { byId, button, fill, h, toast } from "./dom.js";
import { openPicker } from "./picker.js";
import * as state from "./state.js";
import { bytes, t, time, wordsOf } from "./words.js";

let recipes = ["fine"];
let waiting = null; // the timer of the next estimate
let wanted = ""; // the request that the estimate on the page is of

function chips(label, key, words) {
  const current = state.asked[key];
  const entries = Object.entries(words).sort((a, b) => a[0] - b[0]);
  return h("fieldset", { class: "chips" }, h("legend", {}, label), entries.map(([value, word]) => h("label", {},
    h("input", { type: "radio", name: key, checked: Number(value) === current, onchange: () => state.change({ [key]: Number(value) }) }),
    h("span", {}, word, key === "size" && h("small", {}, ` ${value}`)))));
}

function choice(label, key, words) {
  return h("label", { class: "field" }, h("span", {}, label),
    h("select", { onchange: (event) => state.change({ [key]: event.target.value }) },
      Object.entries(words).map(([value, word]) => h("option", { value, selected: state.asked[key] === value }, word))));
}

function number(label, key, low, high) {
  return h("label", { class: "field" }, h("span", {}, label), h("input", {
    type: "number", min: low, max: high, value: state.asked[key], inputMode: "numeric",
    onchange: (event) => event.target.checkValidity() && state.change({ [key]: Number(event.target.value) }),
  }));
}

function strength() {
  const input = h("input", {
    type: "range", min: -400, max: 400, value: Math.round(100 * Math.log2(state.asked.strength)), "aria-label": t("strength"),
    oninput: () => state.change({ strength: 2 ** (Number(input.value) / 100) }),
  });
  return h("label", { class: "slide wide" }, h("span", {}, t("strength")), input,
    h("small", {}, h("span", {}, t("photoLike")), h("span", {}, t("styleLike"))));
}

function draw() {
  if (byId("look").contains(document.activeElement) && document.activeElement.type !== "button") return drawGo();
  const open = byId("look").querySelector("details")?.open;
  fill(byId("look"), strength(), chips(t("size"), "size", wordsOf("sizes")), chips(t("effort"), "effort", wordsOf("efforts")),
    choice(t("colours"), "color", wordsOf("colors")),
    h("details", { open }, h("summary", {}, t("more")),
      number(t("ownSize"), "size", 32, 20000),
      choice(t("recipe"), "recipe", Object.fromEntries(recipes.map((name) => [name, name]))),
      choice(t("network"), "network", wordsOf("networks")),
      choice(t("format"), "format", { png: "PNG", jpg: "JPEG", webp: "WebP", tiff: "TIFF" }),
      number(t("seed"), "seed", 0, 999999),
      h("label", { class: "check" }, h("input", {
        type: "checkbox", checked: state.asked.keep_metadata, onchange: (event) => state.change({ keep_metadata: event.target.checked }),
      }), t("keepMetadata"))));
  drawGo();
}

const told = h("p", { class: "estimate", "aria-live": "polite" });

function drawGo() {
  const ready = state.ready();
  if (!byId("go").firstChild) {
    fill(byId("go"), told, h("div", { class: "buttons" },
      button("grid", "", () => openPicker(), { id: "pick" }), button("brush", "", paint, { id: "paint-it", class: "main" })));
  }
  byId("pick").lastChild.textContent = t("pickFirst");
  byId("paint-it").lastChild.textContent = t("paintIt");
  for (const id of ["pick", "paint-it"]) byId(id).disabled = !ready;
  if (!ready) told.textContent = t("needBoth");
  else estimateSoon();
}

// After a moment without changes; what a masked run takes is about the same, so masks ask for no new one.
function estimateSoon() {
  const request = JSON.stringify(state.request());
  if (request === wanted) return;
  wanted = request;
  clearTimeout(waiting);
  told.classList.remove("refused");
  told.textContent = t("estimating");
  waiting = setTimeout(async () => {
    try {
      const { seconds, memory, refused } = await api.estimate(JSON.parse(request));
      if (request !== wanted) return;
      told.textContent = refused ?? t("estimate", { time: time(seconds), memory: bytes(memory) });
      told.classList.toggle("refused", refused !== null);
    } catch (error) {
      if (request !== wanted) return;
      told.textContent = error.message === "offline" ? t("noEstimate") : error.message;
      told.classList.add("refused");
    }
  }, 600);
}

export async function paint() {
  try {
    const job = await api.addJob(state.request());
    state.addJob(job);
    location.hash = `#job/${job.id}`;
    byId("easel").scrollIntoView({ block: "nearest", behavior: "smooth" });
    state.tell("shelf");
  } catch (error) {
    toast(error.message === "offline" ? t("offline") : error.message);
  }
}

export function drawLook() {
  state.on("asked", draw);
  draw();
  api.about().then((found) => {
    recipes = found.recipes;
    draw();
  }, () => {});
}
