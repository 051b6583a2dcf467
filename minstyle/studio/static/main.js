// The page: three views, the language, and what the server tells.

import * as api from "./api.js";
import { byId, say, toast } from "./dom.js";
import { drawEasel } from "./easel.js";
import { drawGallery } from "./gallery.js";
import { drawLook } from "./look.js";
import { drawPair } from "./pair.js";
import { drawPicker } from "./picker.js";
import { drawSources, takeFiles } from "./sources.js";
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

let restored = false;
let told = new Set(); // jobs of which an event told meanwhile: what was fetched of them is older

async function fetchAll() {
  told = new Set();
  for (const job of await api.jobs()) if (!told.has(job.id)) state.jobs.set(job.id, job);
  if (!restored) state.restore(state.newest()[0]?.request);
  restored = true;
  const running = [...state.jobs.values()].find((job) => job.state === "running");
  if (!state.view.job) state.view.job = (running ?? state.newest()[0])?.id ?? null;
  state.tell("jobs");
}

function hear(event) {
  told.add(event.id);
  document.body.classList.toggle("away", event.event === "away");
  if (event.event === "hello") fetchAll().catch(() => {});
  if (event.event === "job") {
    const before = state.jobs.get(event.id)?.state;
    state.jobs.set(event.id, event.job);
    if (before && before !== event.job.state) say(`${title(event.job)}: ${t(event.job.state)}`);
    state.tell("jobs");
    if (before !== event.job.state) state.tell("shelf");
  }
  if (event.event === "removed") {
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

function dropAnywhere() {
  const files = (event) => [...(event.dataTransfer?.items ?? [])].some((item) => item.kind === "file");
  let depth = 0;
  const shown = (by) => (byId("dropping").hidden = (depth = Math.max(0, depth + by)) === 0);
  addEventListener("dragenter", (event) => files(event) && shown(1));
  addEventListener("dragleave", (event) => files(event) && shown(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    shown(-depth);
    if (event.dataTransfer.files.length) takeFiles([...event.dataTransfer.files], event.target.closest?.("[data-slot]")?.dataset.slot);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) takeFiles([...event.clipboardData.files]);
  });
}

function setLanguage() {
  translate(document);
  const button = byId("language");
  button.textContent = t("otherLanguage");
  button.lang = language() === "zh" ? "en" : "zh";
}

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
