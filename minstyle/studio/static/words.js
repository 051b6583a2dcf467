// The page's words, by the browser's language, English where there are none of it.

import { chinese } from "./chinese.js";

const english = {
  otherLanguage: "中文", sections: "Sections", skip: "Skip to the picture", close: "Close",
  paint: "Paint", gallery: "Gallery", compare: "Compare",
  photograph: "Photograph", styles: "Styles", style: "Style", look: "Look", masks: "Masks",
  dropIsPhoto: "Let go: it becomes the photograph", dropIsStyle: "Let go: it becomes a style",
  pasted: "pasted", pastedAsStyle: "What you pasted is a style now.", asPhoto: "Make it the photograph",
  alreadyThere: "{name} is among the styles already.", removed: "{name} is taken away.",
  anew: "Start anew", anewHint: "Empties the bench; paintings stay in the gallery", begunAnew: "The bench is empty; paintings are in the gallery.",
  dropPhoto: "Drop a photograph", dropStyle: "Drop a painting", orChoose: "or choose a file, or paste one",
  addStyle: "Add a style", camera: "Camera",
  crop: "Crop", removeIt: "Remove", reading: "Reading the picture",
  shelf: "Used before", shelfPhotos: "Photographs used before", hideIt: "Take off the shelf", hideByKey: "The key Delete takes it off the shelf.",
  weight: "Share", strokes: "Strokes", finer: "finer", coarser: "larger",
  strength: "Style", photoLike: "like the photo", styleLike: "like the painting",
  size: "Size", sizes: { 256: "Sketch", 512: "Picture", 1024: "Large", 2048: "Poster" }, pixels: "pixels",
  ownSize: "Pixels on the longer side",
  effort: "Effort", efforts: { 0.4: "Little", 1: "Normal", 2.5: "Much" },
  colours: "Colours",
  colors: {
    auto: "The painting's", content: "The photo's", luminance: "The photo's, painted in grey",
    match: "The photo's, given to the painting first", "match-after": "The photo's, given to the result",
  },
  more: "More", recipe: "Way of painting", network: "Eye", format: "File", seed: "Variant", keepMetadata:
    "Keep the photo's date, camera and place", networks: { auto: "Full (VGG19)", mini: "Small (mini), quick" },
  recipes: {
    fine: "Fine, minstyle's own", document: "Chollet 2017, from noise", gatys: "Gatys 2016, the paper, from noise", "gatys-code": "Gatys 2016, the program",
    johnson: "Johnson, neural-style, from noise", crowson: "Crowson, style-transfer", athalye: "Athalye, neural-style, from noise", "pytorch-tutorial": "The PyTorch tutorial",
  },
  hints: {
    strength: "How much of the painting's style: to the left it stays more like the photo",
    strokes: "How large the painting's strokes become", weight: "How much this style counts beside the others",
    size: "Pixels on the longer side: larger takes longer", ownSize: "Any size, in pixels",
    effort: "How many steps: fewer are quicker, more are finer", color: "Whose colours the result has",
    recipe: "The rules by which it is painted: ours, or those of a known program", network: "The network that looks at the pictures: the small one is quicker and coarser",
    format: "How the result is saved", seed: "Another number gives another variant where it starts from noise",
    sketch: "256 pixels by the small, quick network, in few steps: shows what it will be. Your settings stay.",
    stop: "Ends after this step and keeps the picture", continue: "Goes on where it was stopped", larger: "Paints it at twice the size, from this picture",
    useAsPhoto: "Paint over this painting with another style", again: "Puts the pictures and settings of this painting on the bench",
  },
  sketch: "Quick sketch first",
  paintIt: "Paint", pickFirst: "Choose by looking",
  needBoth: "A photograph and a painting, and it can begin.",
  estimating: "estimating... you need not wait for it", estimate: "about {time}, {memory} of memory",
  longEstimate: "about {time}, {memory} of memory. A quick sketch first shows what it will be.", noEstimate: "no estimate",
  seconds: "{n} s", minutes: "{n} min", hours: "{n} h",
  emptyTitle: "A photograph, painted", empty1: "Drop a photograph.", empty2: "Drop a painting whose style it is to have.",
  empty3: "Watch it being painted. Stop when you like it.",
  queued: "waiting", running: "painting", done: "painted", stopped: "stopped", failed: "failed",
  inQueue: "waits, {n} before it.", firstLeft: "The one being painted needs {time} more.", left: "{time} left", begins: "looking at the pictures",
  sizeOf: "{width} x {height}, pass {stage} of {stages}", evaluation: "step {n} of {all}",
  after: "{time}", before: "Photograph", result: "Painting",
  compareSlider: "How much of the photograph is shown", dragHint: "Drag to see the photograph beneath", loss: "Still to do",
  lossFell: "What is still to be improved (the loss), step by step, fallen by {percent} %",
  stop: "Stop", isStopping: "Stopping...", stopping: "stopping after this step", notBegun: "stopped before it began",
  continue: "Continue", larger: "Larger", again: "Take up again", download: "Download", useAsPhoto: "Use as photograph",
  largerHint: "Paints it at {to} pixels, twice its {from}, from the picture that there is.", paintLarger: "Paint it larger",
  takenUp: "On the bench now: {name}.", isPhoto: "The painting is the photograph now.",
  fullSize: "Full size", removeJob: "Remove", sureRemove: "Remove {name} for good?", recipeFile: "File of the settings", details: "How it was painted",
  compareWith: "Compare", queue: "Queue", away: "The studio does not answer. It may have been closed: start it again.",
  noPictures: "Nothing painted yet. What you paint hangs here.", older: "Older ones", chosen: "Chosen to compare",
  chooseTwo: "There is nothing to compare yet: paint two pictures first.", unlike: "The two have different shapes: they do not cover each other.", left1: "Left", right1: "Right", sideBySide: "Side by side", slider: "Slider",
  differs: "What differs", usual: "as usual", same: "The settings are the same.",
  pickTitle: "Click what you like best", pickHint: "Each row goes on from what you chose in the one above.",
  rows: { recipe: "Way of painting", strength: "How much style", scale: "Size of strokes", color: "Colours" },
  finerRow: "{row}, finer", takeIt: "Take these settings", usePick: "Paint it now", cellsDone: "{n} of {all} painted",
  steps: {
    strength: ["much less", "less", "as now", "more", "much more"], scale: ["much finer", "finer", "as now", "larger", "much larger"],
  },
  mask: "Regions", maskHint: "Paint on the photograph where each style goes: take its colour, and brush. Or paint parts of a painting too.",
  maskHintOne: "To give two styles their places, add a second one first. With one: paint a part of the photograph and the part of the painting that it follows in the same colour.",
  paints: ["red", "blue", "yellow", "green", "purple", "turquoise", "orange", "grey"], painted: "painted",
  regionsGone: "The regions are gone.", masksLack: "A style has no place in them yet: open them and paint one.",
  brush: "Brush", undo: "Undo", clear: "Clear", useMasks: "Use the regions", noMasks: "No regions",
  canvasOf: "Regions of {name}. Arrow keys move the brush, space paints.", masksOn: "Regions are painted.",
  unserved: "The colour {colour} is in the photograph but in no painting: choose the painting above and paint it there too, or paint over it here.",
  cropHint: "Drag the frame, its corners, or a new one.", cropKeys: "Arrow keys move it, with shift they resize it.", cropIt: "Cut",
  frame: "Frame of the part that is kept", aspects: { 0: "Free", 1: "1:1", 1.3333: "4:3", 0.75: "3:4", 1.7778: "16:9" },
  shutter: "Take the picture", noCamera: "No camera answers.", copy: "camera photo",
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
