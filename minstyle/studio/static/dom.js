import { t } from "./words.js";

// Elements, made in one call: h("button", { class: "main", onclick: paint, "aria-label": "Paint" }, "Paint").

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.startsWith("aria") && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
  }
  if (properties.class) element.setAttribute("class", properties.class);
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

// New children for a place. The keyboard stays where it was: on what has the same name now, or else in the same place.
export function fill(place, ...children) {
  const held = place.contains(document.activeElement) ? document.activeElement : null;
  const name = held && nameOf(held);
  place.replaceChildren(...children.flat(9).filter(Boolean));
  if (!held || held.isConnected) return;
  const all = [...place.querySelectorAll("button, a[href], input, select, summary")].filter((one) => !one.disabled && one.tabIndex >= 0);
  (all.find((one) => nameOf(one) === name) ?? all[0])?.focus({ preventScroll: true });
}

const nameOf = (element) => element.getAttribute("aria-label") ?? element.title + element.textContent;

// An icon: a path in a square of 24, drawn in the colour of the text; never read out.
const PATHS = {
  add: "M12 5v14M5 12h14",
  again: "M4 12a8 8 0 1 0 2.500-5.800M4 4v5h5",
  brush: "M19 3 9.500 12.500M8 14c-3 0-3 3-5 5 3 1 8 1 8-2.500A2.500 2.500 0 0 0 8 14z",
  camera: "M4 8h3l2-3h6l2 3h3v11H4zM12 10a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z",
  close: "M6 6l12 12M18 6 6 18",
  crop: "M7 2v15h15M2 7h15v15",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  larger: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  more: "M7 5v14l12-7z",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  stop: "M7 7h10v10H7z",
  new: "M6 3h8l4 4v14H6zM12 10v6M9 13h6",
  photo: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
  quick: "M13 3 5 14h6l-1 7 8-11h-6z",
  undo: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 0 8",
  side: "M4 5h7v14H4zM13 5h7v14h-7z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function button(name, label, onclick, properties = {}) {
  return h("button", { type: "button", onclick, ...properties }, name && icon(name), h("span", {}, label));
}

// What a control is called, and what it is for, beside the pointer; where nothing hovers, at a tap.
export const named = (label, hint) => h("span", { title: hint ?? "", class: hint ? "hinted" : null, onclick: hint ? (event) => tapped(event, hint) : null }, label);

let hinted = null; // the hint that is shown

function tapped(event, hint) {
  if (!matchMedia("(hover: none)").matches) return;
  event.preventDefault(); // the label does not reach for its control
  hinted?.remove();
  hinted = toast(hint);
}

// A click, but not the second one of a double click, which was meant for what was here before.
export const once = (call) => (event) => event.detail < 2 && call(event);

// A button of an icon alone: its label is read out, and shown beside the pointer, or a longer title.
export function iconButton(name, label, onclick, properties = {}) {
  const more = { class: `bare ${properties.class ?? ""}`, title: properties.title ?? label, "aria-label": label };
  return h("button", { type: "button", onclick, ...properties, ...more }, icon(name));
}

// One line to be read, once however often it is told, in the dialog that is open or else at the top; it goes by itself,
// or at its X. ``action``: [label, call], as Undo.
export function toast(text, action = null) {
  for (const other of document.querySelectorAll(".toast:not(#away)")) {
    // What an older one would undo is no longer the last thing done.
    if (other.firstChild.textContent === text || (action && other.querySelector("button:not(.bare)"))) other.remove();
  }
  const line = h("div", { class: "toast", role: action ? "status" : "alert" }, h("span", {}, text),
    action && button(null, action[0], () => (line.remove(), action[1]())), iconButton("close", t("close"), () => line.remove()));
  const box = document.querySelector("dialog[open]");
  if (box) box.querySelector("header").after(line);
  else byId("toasts").append(line);
  setTimeout(() => line.remove(), 15000);
  return line;
}

// The same of an error.
export const tellError = (error) => toast(error.message === "offline" ? t("offline") : error.message);

// Said to screen readers.
export function say(text) {
  byId("said").textContent = text;
}

// A dialog that is there until it is closed.
export function dialog(title, closeLabel, ...children) {
  const id = `dialog-${Math.random().toString(36).slice(2)}`;
  const box = h("dialog", { "aria-labelledby": id, class: "box" },
    h("header", {}, h("h2", { id }, title), iconButton("close", closeLabel, () => box.close())), ...children);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}
