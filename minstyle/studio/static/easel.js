// The easel: the picture as it is painted, beside the photograph, how far it is, and what can be done with it.

import * as api from "./api.js";
import { byId, button, fill, h, icon, say, toast } from "./dom.js";
import { lossPlot } from "./plot.js";
import { split } from "./split.js";
import * as state from "./state.js";
import { t, time, title } from "./words.js";

let shown = null; // { id, state, ... }: the parts on the page that progress changes

const attempt = async (asked) => {
  try {
    await asked();
  } catch (error) {
    toast(error.message === "offline" ? t("offline") : error.message);
  }
};

export async function again(job) {
  await attempt(() => state.take(job.request));
  location.hash = "#paint";
  byId("photo").scrollIntoView({ block: "nearest" });
}

async function larger(job) {
  const size = Math.min(20000, 2 * job.request.size);
  const next = await api.addJob({ ...job.request, size, start: job.id });
  state.addJob(next);
  location.hash = `#job/${next.id}`;
}

function statusOf(job) {
  const { state: now, progress, position, error } = job;
  if (now === "queued") return t("inQueue", { n: position ?? "" });
  if (now === "failed") return error;
  if (now === "running" && !progress.evaluation) return t("begins");
  const parts = [t("sizeOf", progress), t("evaluation", { n: progress.evaluation, all: progress.evaluations })];
  if (now === "running" && progress.left !== null) parts.unshift(t("left", { time: time(progress.left) }));
  if (now !== "running") parts.splice(0, 1, `${progress.width} x ${progress.height}`, time(progress.seconds));
  return parts.join(" · ");
}

function actions(job) {
  const ended = !["queued", "running"].includes(job.state);
  const name = title(job);
  return [
    !ended && button("stop", t("stop"), () => attempt(() => api.stop(job.id))),
    job.can_continue && button("more", t("continue"), () => attempt(() => api.goOn(job.id)), { class: "main" }),
    ended && job.has_picture && h("a", { class: "button main", href: api.jobFile(job.id, name), download: "" }, icon("down"), h("span", {}, t("download"))),
    ended && job.has_picture && button("larger", t("larger"), () => attempt(() => larger(job))),
    button("again", t("again"), () => again(job)),
    ended && job.has_picture && h("a", { class: "button", href: api.jobFile(job.id, name, true), target: "_blank", rel: "noopener" }, icon("open"), h("span", {}, t("fullSize"))),
    ended && job.has_picture && h("a", { class: "button", href: `#compare/${job.id}` }, icon("side"), h("span", {}, t("compareWith"))),
    ended && button("remove", t("removeJob"), () => confirm(t("sureRemove")) && attempt(() => api.remove(job.id)), { class: "quiet" }),
  ];
}

function queueOf(job) {
  const others = state.newest().filter((other) => ["queued", "running"].includes(other.state)).reverse();
  if (others.length < 2 && (others.length === 0 || others[0].id === job.id)) return null;
  return h("nav", { class: "queue", "aria-label": t("queue") }, h("span", {}, t("queue")), others.slice(0, 12).map((other) =>
    h("a", { href: `#job/${other.id}`, "aria-current": other.id === job.id ? "true" : null, title: title(other) },
      h("img", { src: api.pictureView(other.request.content, 160), alt: title(other) }))),
  others.length > 12 && h("span", {}, `+${others.length - 12}`));
}

function empty() {
  return h("div", { class: "empty" }, h("div", { class: "frames", "aria-hidden": "true" }, h("span", {}), h("span", {}), h("span", {})),
    h("h2", {}, t("emptyTitle")), h("ol", {}, ["empty1", "empty2", "empty3"].map((key) => h("li", {}, t(key)))));
}

function drawAll(job) {
  if (!job) {
    shown = null;
    return fill(byId("easel"), empty());
  }
  const bar = h("progress", { max: 1, "aria-label": t("running") });
  const status = h("p", { class: "status" });
  const side = api.sideOf(byId("easel"));
  const picture = split(api.pictureView(job.request.content, side), job.has_picture ? api.jobView(job, side) : null, t);
  const plot = lossPlot();
  const notices = h("ul", { class: "notices" });
  shown = { key: keyOf(job), id: job.id, bar, status, picture, plot, notices };
  fill(byId("easel"), queueOf(job), h("article", { class: "job", "data-state": job.state },
    h("header", {}, h("h2", {}, title(job)), h("span", { class: `badge ${job.state}` }, t(job.state))),
    picture.element, job.state === "running" && bar, status, notices, h("div", { class: "buttons" }, actions(job)), plot.element));
  drawProgress(job);
  api.losses(job.id).then((found) => shown?.id === job.id && plot.set(found), () => {});
  return undefined;
}

// What, when it changes, has the whole easel drawn anew.
const keyOf = (job) => job && [job.id, job.state, job.has_picture, title(job), document.documentElement.lang, job.position,
  state.newest().filter((other) => ["queued", "running"].includes(other.state)).map((other) => other.id)].join();

function drawProgress(job) {
  if (shown?.id !== job.id) return;
  const { progress } = job;
  shown.bar.value = progress.part ?? 0;
  shown.status.textContent = statusOf(job);
  shown.status.classList.toggle("refused", job.state === "failed");
  fill(shown.notices, (progress.notices ?? []).map((text) => h("li", {}, text)));
  if (job.has_picture) shown.picture.show(api.jobView(job, api.sideOf(byId("easel"))));
  if (progress.loss !== null && progress.evaluation) shown.plot.add(progress.evaluation, progress.stage, progress.loss);
}

function draw() {
  const job = state.shownJob();
  if (keyOf(job) !== shown?.key || !job) drawAll(job);
  else drawProgress(job);
}

export function drawEasel() {
  state.on("jobs", draw);
  state.on("progress", (job) => {
    if (shown?.id === job.id) draw();
  });
}
