// All that was painted, with what it was painted by.

import * as api from "./api.js";
import { byId, button, fill, h, icon, once } from "./dom.js";
import { again, attempt, fileName, remove } from "./actions.js";
import * as state from "./state.js";
import { nameOf, t, time, title, wordsOf } from "./words.js";

const round = (number) => String(Number(number.toFixed(2)));
const all = (request, what) => request.styles.map((style) => `${round(style[what])} ×`).join(", ");

// What a painting was painted by: its pictures, its size, and what is not as usual.
export function facts(request) {
  const { styles, settings } = request;
  const found = { [t("photograph")]: nameOf(request.content) ?? "...", [t("styles")]: styles.map((style) => nameOf(style.picture) ?? "...").join(" + ") };
  found[t("size")] = request.size;
  if (request.strength !== 1) found[t("strength")] = `${round(request.strength)} ×`;
  if (request.effort !== 1) found[t("effort")] = wordsOf("efforts")[request.effort] ?? `${round(request.effort)} ×`;
  if (styles.some((style) => style.scale !== 1)) found[t("strokes")] = all(request, "scale");
  if (styles.length > 1 && styles.some((style) => style.weight !== 1)) found[t("weight")] = all(request, "weight");
  if (request.content_mask) found[t("mask")] = t("painted");
  if (settings.color) found[t("colours")] = t("colors", settings.color);
  if (request.recipe !== "fine") found[t("recipe")] = t("recipes", request.recipe);
  if (request.network !== "auto") found[t("network")] = t("networks", request.network === "vgg19" ? "auto" : request.network);
  for (const [name, value] of Object.entries(settings)) if (name !== "color") found[name === "seed" ? t("seed") : name] = JSON.stringify(value);
  return found;
}

export function factList(request) {
  return h("dl", { class: "facts" }, Object.entries(facts(request)).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))));
}

function card(job) {
  const name = title(job);
  const ended = !["queued", "running"].includes(job.state);
  return h("li", { class: "card", "data-job": job.id }, h("a", { href: `#job/${job.id}`, class: "picture" },
    h("img", { src: job.has_picture ? api.jobView(job, 640) : api.pictureView(job.request.content, 640), alt: name, loading: "lazy", class: job.has_picture ? "" : "unpainted" })),
  h("div", { class: "caption" }, h("strong", {}, name), h("span", { class: `badge ${job.state}` }, t(job.state)),
    h("time", {}, [t("numbered", { n: job.number }), new Date(1000 * job.created).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }),
      ended && job.progress.seconds && time(job.progress.seconds), ended && job.progress.width && `${job.progress.width}\u00a0x\u00a0${job.progress.height}`].filter(Boolean).join(" · "))),
  h("details", {}, h("summary", {}, t("details")), factList(job.request),
    h("a", { href: `/api/jobs/${job.id}/recipe`, download: `${name}.json` }, t("recipeFile"))),
  h("div", { class: "buttons" }, button("again", t("again"), () => again(job), { title: t("hints", "again") }),
    job.can_continue && button("more", t("continue"), once(() => attempt(() => api.goOn(job.id)))),
    ended && job.has_picture && h("a", { class: "button", href: `#compare/${job.id}` }, icon("side"), h("span", {}, t("compareWith"))),
    ended && job.has_picture && h("a", { class: "button", href: api.jobFile(job.id, fileName(job)), download: "" }, icon("down"), h("span", {}, t("download"))),
    ended && button("remove", t("removeJob"), () => remove(job), { class: "quiet" })));
}

let drawn = "";
let ended = false; // there are none older

function draw() {
  if (byId("gallery").hidden) return;
  const all = state.newest();
  const key = [document.documentElement.lang, ended, ...all.map((job) => [job.id, job.state, job.has_picture, title(job)])].join();
  if (key === drawn) return;
  drawn = key;
  if (!all.length) {
    fill(byId("pictures"), h("p", { class: "note" }, t("noPictures")));
    return;
  }
  fill(byId("pictures"), h("ul", { class: "cards" }, all.map(card)), !ended && all.length >= 200 && button(null, t("older"), async () => {
    const older = await api.jobs(all.at(-1).number);
    ended = older.length === 0;
    for (const job of older) state.jobs.set(job.id, job);
    draw();
  }));
}

export function drawGallery() {
  state.on("jobs", draw);
}
