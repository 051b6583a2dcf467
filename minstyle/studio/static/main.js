// The page: three views, the language, and what the server tells.

import * as api from "./api.js";
import { byId, say, toast } from "./dom.js";
import { drawEasel } from "./easel.js";
import { drawGallery } from "./gallery.js";
import { drawLook } from "./look.js";
import { drawPair } from "./pair.js";
import { drawPicker } from "./picker.js";
import { drawSources, placeOf, takeFiles } from "./sources.js";
import * as state from "./state.js";
import { language, otherLanguage, t, title, translate } from "./words.js";

const VIEWS = ["paint", "gallery", "compare"];

function go() {
  const [name, id] = location.hash.slice(1).split("/");
  if (name === "main") return; // the link that skips the top
  if (name === "job" && id) state.show(id);
  const view = VIEWS.includes(name) ? name : "paint";
  for (const other of VIEWS) byId(other).hidden = other !== view;
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${t(view)} - minstyle studio`;
  state.tell("jobs");
}

let asked = null; // what this browser asked for before: fetched once
let told = new Set(); // jobs of which an event told meanwhile as a whole: what was fetched of them is older

// All jobs; the one that is painted, which may be older than all that are fetched, came with the hello.
async function fetchAll(running) {
  told = new Set(running ? [running.id] : []);
  if (running) {
    state.jobs.set(running.id, running);
    state.view.job ??= running.id;
    state.tell("jobs");
  }
  const found = await api.jobs();
  for (const id of state.jobs.keys()) if (!told.has(id) && found.length < 200) state.jobs.delete(id); // removed meanwhile
  for (const job of found) if (!told.has(job.id)) state.jobs.set(job.id, job);
  const id = state.view.job;
  if (id && !state.jobs.has(id)) await api.job(id).then((job) => state.jobs.set(id, job), (error) => error.message === "offline" || toast(t("gone"))); // an old one
  asked ??= state.restore();
  // Who was here before sees the last painting; others begin with the empty easel.
  if (!state.shownJob()) state.view.job = (running ?? ((await asked) ? state.newest()[0] : null))?.id ?? null;
  state.tell("jobs");
}

function hear(event) {
  document.body.classList.toggle("away", event.event === "away");
  byId("away").hidden = event.event !== "away";
  if (event.event === "hello") fetchAll(event.job).catch(() => {});
  if (event.event === "job") {
    told.add(event.id);
    const before = state.jobs.get(event.id)?.state;
    state.jobs.set(event.id, event.job);
    if (before && before !== event.job.state) say(`${title(event.job)}: ${t(event.job.state)}`);
    state.tell("jobs");
    if (before !== event.job.state) state.tell("shelf");
  }
  if (event.event === "removed") {
    told.add(event.id);
    state.jobs.delete(event.id);
    if (state.view.job === event.id) state.view.job = state.newest()[0]?.id ?? null;
    state.tell("jobs");
  }
  if (event.event === "progress" && state.jobs.has(event.id)) {
    const job = state.jobs.get(event.id);
    job.progress = event.progress;
    if (job.state === "queued") job.state = "running";
    job.has_picture ||= event.progress.pictures > 0;
    state.tell("progress", job);
  }
  if (event.event === "cell") state.tell("cell", event);
  if (event.event === "trouble") toast(event.error);
}

// Files may be dropped anywhere: a line at the top says what they become there.
function dropAnywhere() {
  const files = (event) => [...(event.dataTransfer?.items ?? [])].some((item) => item.kind === "file");
  const slotOf = (event) => event.target.closest?.("[data-slot]")?.dataset.slot;
  let depth = 0;
  const shown = (by) => {
    depth = Math.max(0, depth + by);
    byId("dropping").hidden = depth === 0;
    document.body.classList.toggle("dragging", depth > 0);
  };
  addEventListener("dragenter", (event) => {
    if (!files(event)) return;
    shown(1);
    byId("dropping").textContent = t(placeOf(slotOf(event)) === "photo" ? "dropIsPhoto" : "dropIsStyle");
  });
  addEventListener("dragleave", (event) => files(event) && shown(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    shown(-depth);
    if (event.dataTransfer.files.length) takeFiles([...event.dataTransfer.files], slotOf(event));
  });
  addEventListener("paste", (event) => {
    const slot = document.querySelector("[data-slot]:focus-within, [data-slot]:hover")?.dataset.slot;
    if (event.clipboardData.files.length) takeFiles([...event.clipboardData.files], slot, true);
  });
}

function setLanguage() {
  translate(document);
  const button = byId("language");
  button.textContent = t("otherLanguage");
  button.lang = language() === "zh" ? "en" : "zh";
}

byId("anew").addEventListener("click", () => {
  const undo = state.anew();
  const before = state.view.job;
  location.hash = "#paint";
  state.show(null);
  toast(t("begunAnew"), [t("undo"), () => (undo(), state.show(before))]);
});
byId("language").addEventListener("click", () => {
  otherLanguage();
  setLanguage();
  go();
  state.tell("language");
  state.tell("asked");
  state.tell("shelf");
});
addEventListener("hashchange", go);
setLanguage();
drawSources();
drawLook();
drawPicker();
drawEasel();
drawGallery();
drawPair();
dropAnywhere();
go();
api.listen(hear);
