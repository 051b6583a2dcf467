// The easel: the picture as it is painted, beside the photograph, how far it is, and what can be done with it.

import * as api from "./api.js";
import { again, asPhotograph, attempt, fileName, larger, remove } from "./actions.js";
import { byId, button, fill, h, icon, once } from "./dom.js";
import { lossPlot } from "./plot.js";
import { split } from "./split.js";
import * as state from "./state.js";
import { t, time, title } from "./words.js";

let shown = null; // { id, state, ... }: the parts on the page that progress changes

function statusOf(job) {
  const { state: now, progress, error } = job;
  if (now === "queued") {
    const [first] = state.unfinished();
    const left = first?.state === "running" && first.progress.left != null ? ` ${t("firstLeft", { time: time(first.progress.left) })}` : "";
    return t("inQueue", { n: state.unfinished().indexOf(job) }) + left;
  }
  if (now === "failed") return error;
  if (job.stopping) return t("stopping");
  if (now === "running" && !progress.evaluation) return t("begins");
  if (!progress.width) return t("notBegun");
  const parts = [t("sizeOf", progress), t("evaluation", { n: progress.evaluation, all: progress.evaluations })];
  if (now === "running" && progress.left !== null) parts.unshift(t("left", { time: time(progress.left) }));
  if (now !== "running") parts.splice(0, 1, `${progress.width} x ${progress.height}`, time(progress.seconds));
  return parts.join(" · ");
}

// Always the same buttons in the same places: what cannot be done now is disabled.
function actions(job) {
  const ended = !["queued", "running"].includes(job.state);
  const taken = ended && job.has_picture;
  const hint = (name, more = {}) => ({ title: t("hints", name), ...more });
  const link = (name, label, href, more = {}) => (taken
    ? h("a", { class: "button", href, ...more }, icon(name), h("span", {}, label)) : button(name, label, null, { disabled: true, class: more.class }));
  return [
    button("stop", t(job.stopping ? "isStopping" : "stop"), once((event) => {
      event.currentTarget.disabled = true;
      attempt(() => api.stop(job.id));
    }), hint("stop", { disabled: ended || job.stopping, class: "steady" })),
    button("more", t("continue"), once(() => attempt(() => api.goOn(job.id))), hint("continue", { disabled: !job.can_continue })),
    link("down", t("download"), api.jobFile(job.id, fileName(job)), { download: "", class: "button main" }),
    button("larger", `${t("larger")}: ${2 * job.request.size}`, () => larger(job), hint("larger", { disabled: !taken })),
    button("photo", t("useAsPhoto"), once(() => asPhotograph(job)), hint("useAsPhoto", { disabled: !taken })),
    button("again", t("again"), () => again(job), hint("again")),
    link("open", t("fullSize"), api.jobFile(job.id, fileName(job), true), { target: "_blank", rel: "noopener" }),
    link("side", t("compareWith"), `#compare/${job.id}`),
    button("remove", t("removeJob"), () => remove(job), { class: "quiet last", disabled: !ended }),
  ];
}

// What is painted and what waits, each by its photograph and first style.
function queueOf(job) {
  const others = state.unfinished();
  if (others.length < 2 && (others.length === 0 || others[0].id === job?.id)) return null;
  return h("nav", { class: "queue", "aria-label": t("queue") }, h("span", {}, t("queue")), others.slice(0, 12).map((other) => {
    const name = `${title(other)} (${other.request.size}), ${t(other.state)}`;
    return h("a", { href: `#job/${other.id}`, "aria-current": other.id === job?.id ? "true" : null, title: name, class: other.state },
      h("img", { src: other.has_picture ? api.jobView(other, 160) : api.pictureView(other.request.content, 160), alt: name }),
      h("img", { src: api.pictureView(other.request.styles[0].picture, 160), alt: "" }));
  }), others.length > 12 && h("span", {}, `+${others.length - 12}`));
}

function empty() {
  return h("div", { class: "empty" }, h("div", { class: "frames", "aria-hidden": "true" }, h("span", {}), h("span", {}), h("span", {})),
    h("h2", {}, t("emptyTitle")), h("ol", {}, ["empty1", "empty2", "empty3"].map((key) => h("li", {}, t(key)))));
}

function drawAll(job) {
  if (!job) {
    byId("paint").classList.remove("watching");
    shown = { key: keyOf(null) };
    return fill(byId("easel"), queueOf(null), empty());
  }
  const bar = h("progress", { max: 1, "aria-label": t("running"), class: job.state === "running" ? "" : "rests" });
  const status = h("p", { class: "status" });
  const side = api.sideOf(byId("easel"));
  const picture = split(api.pictureView(job.request.content, side), job.has_picture ? api.jobView(job, side) : null, t);
  byId("paint").classList.toggle("watching", location.hash === `#job/${job.id}` || ["queued", "running"].includes(job.state));
  const plot = lossPlot();
  const notices = h("ul", { class: "notices" });
  shown = { key: keyOf(job), id: job.id, bar, status, picture, plot, notices };
  fill(byId("easel"), h("article", { class: "job", "data-state": job.state },
    h("header", {}, h("h2", {}, title(job)), h("span", { class: `badge ${job.state}` }, t(job.state))),
    picture.element, bar, status, h("div", { class: "buttons" }, actions(job)), queueOf(job), notices, plot.element));
  drawProgress(job);
  api.losses(job.id).then((found) => shown?.id === job.id && plot.set(found), () => {});
  return undefined;
}

// What, when it changes, has the whole easel drawn anew.
const keyOf = (job) => [document.documentElement.lang, location.hash, ...(job ? [job.id, job.state, job.stopping, job.has_picture, title(job)] : []),
  ...state.unfinished().map((other) => other.id + other.state + other.has_picture)].join();

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
  if (keyOf(job) !== shown?.key) drawAll(job);
  else if (job) drawProgress(job);
}

export function drawEasel() {
  state.on("jobs", draw);
  state.on("progress", (job) => {
    const own = state.shownJob();
    if (own?.id === job.id || own?.state === "queued") draw();
  });
}
