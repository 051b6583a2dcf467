// Rows of small paintings, each around what was chosen in the row above: one looks, and types nothing.

import * as api from "./api.js";
import { byId, button, fill, h, iconButton, once, tellError } from "./dom.js";
import { paint } from "./look.js";
import * as state from "./state.js";
import { t, wordsOf } from "./words.js";

// Those that begin with the photograph: from noise, so few steps show nothing.
const RECIPES = ["fine", "gram", "gatys-code"];
const ORDER = ["strength", "scale", "color", "recipe", "strength", "scale"];
const STEPS = [-2, -1, 0, 1, 2];

let rows = []; // { kind, fine, cells: [{ name, change, state, error }], pick, chosen }

const changed = (base, change) => ({ ...base, ...change, styles: change.styles ?? base.styles });

function cellsOf(kind, base, finer) {
  const factor = finer ? 1.8 : 4;
  const name = (step) => wordsOf("steps")[kind][step + 2];
  if (kind === "strength") {
    return STEPS.map((step) => ({ name: name(step), change: { strength: Math.min(500, Math.max(0.01, base.strength * factor ** step)) } }));
  }
  if (kind === "scale") {
    const by = finer ? 1.2 : 1.6;
    const scaled = (step) => base.styles.map((style) => ({ ...style, scale: Math.min(8, Math.max(0.1, style.scale * by ** step)) }));
    return STEPS.map((step) => ({ name: name(step), change: { styles: scaled(step) } }));
  }
  if (kind === "color") return ["auto", "content", "luminance", "match", "match-after"].map((color) => ({ name: t("colors", color), change: { color } }));
  return RECIPES.map((recipe) => ({ name: t("recipes", recipe), change: { recipe } }));
}

// What is chosen so far: the page's own settings, then row by row.
const centre = () => rows.reduce((base, row) => (row.chosen === null ? base : changed(base, row.cells[row.chosen].change)), state.asked);

async function addRow() {
  const kind = ORDER[rows.length];
  if (!kind) return;
  const finer = ORDER.indexOf(kind) < rows.length;
  const base = centre();
  const row = { kind, finer, cells: cellsOf(kind, base, finer), pick: null, chosen: null };
  rows.push(row);
  draw();
  try {
    row.pick = (await api.pick(row.cells.map((cell) => state.request(changed(base, cell.change))))).id;
  } catch (error) {
    tellError(error);
    rows.pop();
  }
  draw();
}

function forget(from) {
  for (const row of rows.splice(from)) if (row.pick) api.forget(row.pick).catch(() => {});
}

function choose(row, number) {
  forget(rows.indexOf(row) + 1);
  row.chosen = number;
  addRow();
}

function drawCell(row, cell, number) {
  const ready = cell.state === "done";
  return h("li", {}, h("button", {
    type: "button", class: "cell", disabled: !ready, "aria-pressed": String(row.chosen === number), onclick: () => choose(row, number),
  }, ready ? h("img", { src: api.cellView(row.pick, number), alt: "" }) : h("span", { class: "blank" }, cell.error ?? ""),
  h("span", {}, cell.name)));
}

function progressOf(row) {
  const many = row.cells.filter((cell) => cell.state).length;
  return many < row.cells.length ? t("cellsDone", { n: many, all: row.cells.length }) : "";
}

function draw() {
  const place = byId("picker");
  place.hidden = rows.length === 0;
  if (!rows.length) return fill(place);
  const chosen = rows.some((row) => row.chosen !== null);
  const focused = place.contains(document.activeElement) ? document.activeElement.closest("[data-row]")?.dataset.row : null;
  fill(place, h("header", {}, h("h2", {}, t("pickTitle")), h("p", { class: "note" }, t("pickHint")), iconButton("close", t("close"), closePicker)),
    rows.map((row, i) => h("section", { "data-row": i, "aria-label": t("rows", row.kind) },
      h("h3", {}, row.finer ? t("finerRow", { row: t("rows", row.kind) }) : t("rows", row.kind),
        h("small", {}, ` ${progressOf(row)}`)),
      h("ul", { class: "cells" }, row.cells.map((cell, number) => drawCell(row, cell, number))))),
    h("footer", {}, button(null, t("takeIt"), take, { disabled: !chosen }),
      button("brush", t("usePick"), once(() => (take(), paint())), { class: "main", disabled: !chosen })));
  if (focused) place.querySelector(`[data-row="${focused}"] [aria-pressed="true"]`)?.focus();
  return undefined;
}

function take() {
  const { strength, color, recipe, styles } = centre();
  closePicker();
  state.change({ strength, color, recipe, styles });
}

function closePicker() {
  forget(0);
  draw();
  byId("pick").focus();
}

export function openPicker() {
  forget(0);
  addRow();
  byId("picker").scrollIntoView({ block: "start", behavior: "smooth" });
}

export function drawPicker() {
  state.on("cell", (event) => {
    const row = rows.find((other) => other.pick === event.id);
    if (!row) return;
    Object.assign(row.cells[event.cell], { state: event.state, error: event.error });
    draw();
  });
  state.on("asked", draw);
}
