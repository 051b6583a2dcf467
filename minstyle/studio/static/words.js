// The page's words, by the browser's language, English where there are none of it.

import { chinese } from "./chinese.js";

const english = {
  otherLanguage: "中文", sections: "Sections", skip: "Skip to the easel", close: "Close",
  paint: "Paint", gallery: "Gallery", compare: "Compare",
  photograph: "Photograph", styles: "Styles", style: "Style", look: "Look", masks: "Masks",
  dropHere: "Drop it here",
  dropPhoto: "Drop a photograph", dropStyle: "Drop a painting", orChoose: "or choose a file, or paste one",
  addStyle: "Add a style", choosePhoto: "Choose a photograph", chooseStyle: "Choose a painting", camera: "Camera",
  replace: "Replace", crop: "Crop", removeIt: "Remove", reading: "Reading the picture",
  shelf: "Used before", shelfPhotos: "Photographs", hideIt: "Take off the shelf",
  weight: "Share", strokes: "Strokes", finer: "finer", coarser: "larger",
  strength: "Style", photoLike: "like the photo", styleLike: "like the painting",
  size: "Size", sizes: { 256: "Sketch", 512: "Picture", 1024: "Large", 2048: "Poster" }, pixels: "pixels",
  ownSize: "Pixels on the longer side",
  effort: "Care", efforts: { 0.4: "Quick", 1: "Normal", 2.5: "Thorough" },
  colours: "Colours",
  colors: {
    auto: "The painting's", content: "The photo's", luminance: "The photo's, painted in grey",
    match: "Matched before", "match-after": "Matched after",
  },
  more: "More", recipe: "Recipe", network: "Network", format: "File", seed: "Seed", keepMetadata:
    "Keep the photo's date, camera and place", networks: { auto: "VGG19", mini: "mini (quick)" },
  paintIt: "Paint", pickFirst: "Choose by small paintings",
  needBoth: "A photograph and a painting, and it can begin.",
  estimating: "estimating...", estimate: "about {time}, {memory}", noEstimate: "no estimate",
  seconds: "{n} s", minutes: "{n} min", hours: "{n} h",
  emptyTitle: "A photograph, painted", empty1: "Drop a photograph.", empty2: "Drop a painting whose style it is to have.",
  empty3: "Watch it being painted. Stop when you like it.",
  queued: "waiting", running: "painting", done: "painted", stopped: "stopped", failed: "failed",
  inQueue: "{n} in the queue", left: "{time} left", begins: "looking at the pictures",
  sizeOf: "{width} x {height}, size {stage} of {stages}", evaluation: "step {n} of {all}",
  after: "{time}", before: "Photograph", result: "Painting",
  compareSlider: "How much of the photograph is shown", loss: "Loss", lossFell: "Loss by step, fallen by {percent} %",
  stop: "Stop", continue: "Continue", larger: "Larger", again: "Again with...", download: "Download",
  fullSize: "Full size", removeJob: "Remove", sureRemove: "Remove this painting for good?", recipeFile: "Recipe",
  compareWith: "Compare", queue: "Queue", away: "The studio does not answer. It may have been closed: start it again.",
  noPictures: "Nothing painted yet. What you paint hangs here.", older: "Older ones", chosen: "Chosen to compare",
  chooseTwo: "Choose two paintings.", left1: "Left", right1: "Right", sideBySide: "Side by side", slider: "Slider",
  differs: "What differs", same: "The settings are the same.",
  pickTitle: "Click what you like best", pickHint: "Each row goes on from what you chose in the one above.",
  rows: { recipe: "Recipe", strength: "How much style", scale: "Size of strokes", color: "Colours" },
  finerRow: "{row}, finer", takeIt: "Take it", usePick: "Paint this", chosenCell: "{name}, chosen", waiting: "waiting", asNow: "as now",
  mask: "Regions", maskHint: "Paint where each style goes: a colour takes its style from the same colour of a painting.",
  brush: "Brush", region: "Colour {n}", undo: "Undo", clear: "Clear", useMasks: "Use the regions", noMasks: "No regions",
  canvasOf: "Regions of {name}. Arrow keys move the brush, space paints.", masksOn: "Regions are painted.",
  unserved: "Colour {n} is in the photograph but in no painting: paint it there too, or not here.",
  cropHint: "Drag the frame or its corners. Arrow keys move it, with shift they resize it.", cropIt: "Cut",
  frame: "Frame of the part that is kept", aspects: { 0: "Free", 1: "1:1", 1.3333: "4:3", 0.75: "3:4", 1.7778: "16:9" },
  shutter: "Take the picture", noCamera: "No camera answers.", copy: "photo of the camera",
  offline: "The studio does not answer: is it still running?",
};

const KEY = "minstyle-language";
let words = english;
let current = "en";

function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function set(name) {
  current = name;
  words = name === "zh" ? { ...english, ...chinese } : english;
  document.documentElement.lang = name === "zh" ? "zh-Hans" : "en";
}

set(kept() ?? ((navigator.languages ?? [navigator.language])[0]?.startsWith("zh") ? "zh" : "en"));

export const language = () => current;

export function otherLanguage() {
  set(current === "zh" ? "en" : "zh");
  try {
    localStorage.setItem(KEY, current);
  } catch {
    // a browser that keeps nothing
  }
}

// t("left", { time: "2 min" }); t("sizes", 512) for a word among several.
export function t(key, values) {
  const found = words[key] ?? key;
  if (typeof found === "object") return found[values] ?? String(values);
  return values ? found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "") : found;
}

export const wordsOf = (key) => words[key];

export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
}

export function time(seconds) {
  if (seconds < 90) return t("seconds", { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return t("minutes", { n: Math.round(seconds / 60) });
  return t("hours", { n: (seconds / 3600).toFixed(1) });
}

export const bytes = (count) => (count < 1e9 ? `${Math.round(count / 1e6)} MB` : `${(count / 1e9).toFixed(1)} GB`);

// What a painting is called, from the names of its pictures, which the page has seen.
const names = new Map();
export const known = (picture) => names.set(picture.id, picture.name.replace(/\.[^.]*$/, ""));
export const nameOf = (id) => names.get(id);
export function title(job) {
  const parts = [job.request.content, ...job.request.styles.map((style) => style.picture)];
  const [content, ...styles] = parts.map((id) => names.get(id) ?? "...");
  return `${content}, ${styles.join(" + ")}`;
}
