// Two paintings side by side, or one over the other, and in what they differ.

import * as api from "./api.js";
import { byId, fill, h } from "./dom.js";
import { facts } from "./gallery.js";
import { split } from "./split.js";
import * as state from "./state.js";
import { t, title } from "./words.js";

const chosen = [null, null];
let over = false;
let drawn = "";

// Which painting, by its picture.
function selection(i, jobs) {
  return h("div", { class: "choice", role: "group", "aria-label": t(i ? "right1" : "left1") }, h("h2", {}, t(i ? "right1" : "left1")),
    h("ul", {}, jobs.map((job) => h("li", {}, h("button", {
      type: "button", class: "thumb", "aria-pressed": String(job.id === chosen[i]), title: labelOf(job),
      onclick: () => {
        if (chosen[1 - i] === job.id) chosen[1 - i] = chosen[i];
        chosen[i] = job.id;
        draw();
      },
    }, h("img", { src: api.jobView(job, 160), alt: labelOf(job), loading: "lazy" }))))));
}

const labelOf = (job) => `${title(job)} (${t("numbered", { n: job.number })})`;

function differences(one, other) {
  const [left, right] = [facts(one.request), facts(other.request)];
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter((name) => left[name] !== right[name]);
  if (!names.length) return h("p", { class: "note" }, t("same"));
  return h("table", {}, h("caption", {}, t("differs")), h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, t("left1")), h("th", { scope: "col" }, t("right1")))),
    h("tbody", {}, names.map((name) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, String(left[name] ?? t("usual"))), h("td", {}, String(right[name] ?? t("usual")))))));
}

function draw() {
  if (byId("compare").hidden) return;
  const jobs = state.newest().filter((job) => job.has_picture && job.state !== "running");
  const asked = location.hash.split("/")[1];
  if (asked && jobs.some((job) => job.id === asked) && chosen[0] !== asked) {
    if (chosen[1] === asked) chosen[1] = chosen[0];
    chosen[0] = asked;
    history.replaceState(null, "", "#compare");
  }
  if (!jobs.some((job) => job.id === chosen[0])) chosen[0] = jobs[0]?.id ?? null;
  if (!jobs.some((job) => job.id === chosen[1]) || chosen[1] === chosen[0]) chosen[1] = jobs.find((job) => job.id !== chosen[0])?.id ?? null;
  const key = [document.documentElement.lang, over, ...chosen, ...jobs.map((job) => job.id + title(job))].join();
  if (key === drawn) return;
  drawn = key;
  const [one, other] = chosen.map((id) => state.jobs.get(id));
  if (!one || !other) {
    fill(byId("pair"), h("p", { class: "note" }, t("chooseTwo"), " ", h("a", { href: "#paint" }, t("paint"))));
    return;
  }
  const picture = (job) => h("figure", {}, h("img", { src: api.jobView(job, 1280), alt: title(job) }), h("figcaption", {}, labelOf(job)));
  const way = (value, word) => h("button", { type: "button", "aria-pressed": String(over === value), onclick: () => ((over = value), draw()) }, t(word));
  const shape = ({ progress }) => progress.width / progress.height;
  const unlike = over && Math.abs(shape(one) / shape(other) - 1) > 0.03;
  fill(byId("pair"), selection(0, jobs), selection(1, jobs), h("div", { class: "bar" },
    h("div", { class: "chips", role: "group", "aria-label": t("compare") }, way(false, "sideBySide"), way(true, "slider"))),
  unlike && h("p", { class: "note" }, t("unlike")), over ? split(api.jobView(one, 1280), api.jobView(other, 1280), t, { start: 50, labels: ["left1", "right1"], name: "compareTwo", hint: "dragTwo" }).element
    : h("div", { class: "both" }, picture(one), picture(other)), differences(one, other));
}

export function drawPair() {
  state.on("jobs", draw);
}
