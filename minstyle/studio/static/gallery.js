// All that was painted, with what it was painted by.

import * as api from "./api.js";
import { byId, button, fill, h, icon } from "./dom.js";
import { again } from "./easel.js";
import * as state from "./state.js";
import { t, title } from "./words.js";

// What is told of a painting beside its picture: what differs from the usual.
export function facts(request) {
  const found = { [t("size")]: request.size, [t("recipe")]: request.recipe, [t("network")]: request.network };
  found[t("strength")] = request.strength.toFixed(2);
  found[t("effort")] = request.effort.toFixed(2);
  found[t("strokes")] = request.styles.map((style) => style.scale.toFixed(2)).join(", ");
  if (request.styles.length > 1) found[t("weight")] = request.styles.map((style) => style.weight.toFixed(2)).join(", ");
  if (request.content_mask) found[t("mask")] = "✓";
  found[t("colours")] = t("colors", request.settings.color ?? "auto");
  for (const [name, value] of Object.entries(request.settings)) if (name !== "color") found[name] = JSON.stringify(value);
  return found;
}

export function factList(request) {
  return h("dl", { class: "facts" }, Object.entries(facts(request)).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))));
}

function card(job) {
  const name = title(job);
  return h("li", { class: "card", "data-job": job.id }, h("a", { href: `#job/${job.id}`, class: "picture" },
    job.has_picture ? h("img", { src: api.jobView(job, 640), alt: name, loading: "lazy" }) : h("span", { class: "blank" }, t(job.state))),
  h("div", { class: "caption" }, h("strong", {}, name), h("span", { class: `badge ${job.state}` }, t(job.state)),
    h("time", {}, new Date(1000 * job.created).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }))),
  h("details", {}, h("summary", {}, t("recipe")), factList(job.request),
    h("a", { href: `/api/jobs/${job.id}/recipe`, download: `${name}.json` }, t("recipeFile"))),
  h("div", { class: "buttons" }, button("again", t("again"), () => again(job)),
    job.has_picture && h("a", { class: "button", href: `#compare/${job.id}` }, icon("side"), h("span", {}, t("compareWith"))),
    job.has_picture && job.state !== "running" && h("a", { class: "button", href: api.jobFile(job.id, name), download: "" }, icon("down"), h("span", {}, t("download")))));
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
