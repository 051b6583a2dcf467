// The page's words, by the browser's language, English where there are none of it.

import { chinese } from "./chinese.js";

const english = {
  otherLanguage: "中文", sections: "Sections", skip: "Skip to the picture", close: "Close",
  paint: "Paint", gallery: "Gallery", compare: "Compare",
  photograph: "Photograph", styles: "Styles", style: "Style", look: "Look", masks: "Masks",
  dropIsPhoto: "Let go: it becomes the photograph", dropIsStyle: "Let go: it becomes a style",
  pasted: "pasted", pastedAsStyle: "What you pasted is a style now.", asPhoto: "Make it the photograph",
  alreadyThere: "{name} is among the styles already.", removed: "{name} is taken away.",
  anew: "Start over", anewHint: "Takes the pictures away and sets everything back; what you painted stays in the gallery",
  begunAnew: "Pictures and settings are cleared; what you painted is in the gallery.",
  dropPhoto: "Add a photograph", dropStyle: "Add a painting", orChoose: "choose a file, drop it here, or paste",
  addStyle: "Add another painting", camera: "Camera",
  crop: "Crop", removeIt: "Remove", reading: "Reading the picture",
  shelf: "Paintings used before", shelfPhotos: "Photographs used before", hideIt: "Remove from this list", hideByKey: "The Delete key removes it from this list.",
  weight: "Share", strokes: "Strokes", finer: "finer", coarser: "larger", less: "less", more1: "more",
  strength: "Style", photoLike: "like the photo", styleLike: "like the painting",
  size: "Size", sizes: { 256: "Sketch", 512: "Picture", 1024: "Large", 2048: "Poster" }, pixels: "pixels",
  ownSize: "Pixels on the longer side",
  effort: "Effort", efforts: { 0.4: "Low", 1: "Normal", 2.5: "High" },
  colours: "Colours",
  colors: {
    auto: "The painting's", content: "The photo's", luminance: "The photo's, painted in grey",
    match: "The photo's, given to the painting first", "match-after": "The photo's, given to the result",
  },
  more: "More", recipe: "Way of painting", network: "Eye", format: "File", seed: "Variant", keepMetadata:
    "Keep the photo's date, camera and place", networks: { auto: "Full (VGG19)", mini: "Small (mini), quick" },
  recipes: {
    fine: "Fine, minstyle's own", document: "Chollet 2017, from noise", gatys: "Gatys 2016, the paper, from noise", "gatys-code": "Gatys 2016, the program",
    johnson: "Johnson, neural-style, from noise", crowson: "Crowson, style-transfer", athalye: "Athalye, neural-style, from noise", "pytorch-tutorial": "The PyTorch tutorial", gram: "Gram, minstyle's own before",
  },
  hints: {
    strength: "How much of the painting's style: to the left it stays more like the photo",
    strokes: "How large the painting's strokes become", weight: "How much this style counts beside the others",
    size: "Pixels on the longer side: larger takes longer", ownSize: "Any size, in pixels", mask: "Regions: give each style a part of the photograph", crop: "Crop: keep a part of the picture",
    effort: "How many steps: fewer are quicker, more are finer", color: "Whose colours the result has",
    recipe: "The rules by which it is painted: ours, or those of a known program", network: "The network that looks at the pictures: the small one is quicker and coarser",
    format: "How the result is saved", seed: "Another number gives another variant where it starts from noise",
    pick: "Paints small samples; you click what you like best, and need not know the settings",
    sketch: "256 pixels by the small, quick network, in few steps: shows what it will be. Your settings stay.",
    stop: "Ends after this step and keeps the picture", continue: "Goes on where it was stopped", larger: "Paints it at twice the size, from this picture",
    useAsPhoto: "Paint over this painting with another style", again: "Brings back the pictures and settings of this painting, to change some and paint again",
    loss: "How far the picture still is from what was asked for; a curve for each size that it is painted at",
  },
  sketch: "Quick sketch first",
  paintIt: "Paint", pickFirst: "Choose by looking",
  needBoth: "Add a photograph and a painting to begin.", needPhoto: "Add a photograph to begin.", needStyle: "Add a painting to begin.",
  estimating: "Estimating the time; you can start now.", estimate: "About {time}, {memory} of memory",
  longEstimate: "About {time}, {memory} of memory. A quick sketch first shows what it will be.", noEstimate: "No estimate",
  seconds: "{n} s", minutes: "{n} min", hours: "{n} h",
  emptyTitle: "A photograph, painted", empty1: "Add a photograph.", empty2: "Add a painting in the style you want.",
  empty3: "Watch it being painted, and stop when you like it.",
  queued: "waiting", running: "painting", done: "painted", stopped: "stopped", failed: "failed",
  inQueue: "Waiting, {n} before it.", firstLeft: "The one being painted needs {time} more.", left: "{time} left", begins: "Looking at the pictures",
  sizeOf: "{width} x {height}, pass {stage} of {stages}", evaluation: "step {n} of {all}",
  after: "{time}", before: "Photograph", result: "Painting",
  compareSlider: "How much of the photograph is shown", dragHint: "Drag to see the photograph beneath", compareTwo: "How much of the left picture is shown", dragTwo: "Drag to see more of the left or the right picture",
  loss: "Left to improve",
  lossFell: "What is still to be improved (the loss), step by step, fallen by {percent} %",
  stop: "Stop", isStopping: "Stopping...", stopping: "Stopping after this step", notBegun: "Stopped before it began",
  continue: "Continue", larger: "Larger", again: "Use settings again", download: "Download", useAsPhoto: "Use as photograph",
  largerHint: "Paints it at {to} pixels, twice its {from}, from the picture that there is.", paintLarger: "Paint it larger",
  takenUp: "The pictures and settings of {name} are back.", isPhoto: "The painting is now your photograph.",
  fullSize: "Full size", removeJob: "Remove", sureRemove: "Remove {name} for good?", recipeFile: "Settings file", details: "How it was painted",
  compareWith: "Compare", queue: "Queue", away: "The studio does not answer. It may have been closed: start it again.",
  noPictures: "Nothing painted yet. What you paint hangs here.", older: "Older ones", chosen: "Chosen to compare", numbered: "No. {n}", gone: "That painting is no longer here.",
  chooseTwo: "There is nothing to compare yet: paint two pictures first.", unlike: "The two have different shapes: they do not cover each other.", left1: "Left", right1: "Right", sideBySide: "Side by side", slider: "Slider",
  differs: "What differs", usual: "default", same: "The settings are the same.",
  pickTitle: "Click what you like best", pickHint: "Each row goes on from what you chose in the one above.",
  rows: { recipe: "Way of painting", strength: "How much style", scale: "Size of strokes", color: "Colours" },
  finerRow: "{row}, finer", takeIt: "Take these settings", usePick: "Paint as chosen", cellsDone: "{n} of {all} painted",
  steps: {
    strength: ["much less", "less", "as now", "more", "much more"], scale: ["much finer", "finer", "as now", "larger", "much larger"],
  },
  mask: "Regions", maskHint: "Choose a style's colour, and paint on the photograph where that style goes. Parts of a painting can be painted too.",
  maskHintOne: "To give two styles their own places, add a second painting first. With one: paint a part of the photograph, and the part of the painting that it is to follow, in the same colour.",
  paints: ["red", "blue", "yellow", "green", "purple", "turquoise", "orange", "grey"], painted: "painted",
  regionsGone: "The regions are gone.", masksLack: "A style has no place in them yet: open them and paint one.",
  brush: "Brush", smaller: "smaller", undo: "Undo", clear: "Clear", useMasks: "Use the regions", noMasks: "No regions",
  canvasOf: "Regions of {name}. Arrow keys move the brush, space paints.", masksOn: "Your regions are in use.",
  unserved: "The colour {colour} is in the photograph but in no painting: choose the painting above and paint it there too, or paint over it here.",
  cropHint: "Drag the frame or its corners, or draw a new one.", cropKeys: "Arrow keys move it, with shift they resize it.", cropIt: "Cut",
  frame: "Frame of the part that is kept", aspects: { 0: "Free", 1: "1:1", 1.3333: "4:3", 0.75: "3:4", 1.7778: "16:9" },
  shutter: "Take the picture", noCamera: "No camera was found, or the browser may not use it. Choose a file instead.", copy: "camera photo",
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
  if (typeof found === "object") return found[values] ?? String(values ?? "");
  return values ? found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "") : found;
}

export const wordsOf = (key) => words[key];

export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-title]")) element.title = t(element.dataset.title);
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
export const known = (picture) => names.set(picture.id, picture.name.replace(/\.[^.]*$/, "").replaceAll("_", " "));
export const nameOf = (id) => names.get(id);
export function title(job) {
  const parts = [job.request.content, ...job.request.styles.map((style) => style.picture)];
  const [content, ...styles] = parts.map((id) => names.get(id) ?? "...");
  return `${content}, ${styles.join(" + ")}`;
}
