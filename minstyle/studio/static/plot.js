// The loss, step by step: a line for each size, on a logarithmic axis, for losses of different sizes do not compare.

import { h, named } from "./dom.js";
import { t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 120];

function line(points) {
  const element = document.createElementNS(SVG, "polyline");
  element.setAttribute("points", points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
  element.setAttribute("vector-effect", "non-scaling-stroke");
  return element;
}

export function lossPlot() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const element = h("figure", { class: "plot", hidden: true }, h("figcaption", {}, named(t("loss"), t("hints", "loss"))), svg);
  let points = []; // [evaluation, stage, loss]

  function draw() {
    const stages = [...new Set(points.map((point) => point[1]))];
    const last = points.filter((point) => point[1] === stages.at(-1));
    element.hidden = points.length < 2;
    if (element.hidden) return;
    const most = points.at(-1)[0];
    svg.replaceChildren(...stages.map((stage) => {
      const own = points.filter((point) => point[1] === stage);
      const logs = own.map((point) => Math.log(Math.max(point[2], 1e-12)));
      const [low, high] = [Math.min(...logs), Math.max(...logs)];
      return line(own.map((point, i) => [(point[0] / most) * WIDTH, 6 + (HEIGHT - 12) * (1 - (logs[i] - low) / (high - low || 1))]));
    }));
    const fall = 100 * (1 - last.at(-1)[2] / last[0][2]);
    svg.setAttribute("aria-label", t("lossFell", { percent: fall.toFixed(0) }));
  }

  return {
    element,
    set({ evaluation, stage, loss }) {
      const known = evaluation.map((number, i) => [number, stage[i], loss[i]]);
      points = [...known, ...points.filter((point) => point[0] > (evaluation.at(-1) ?? 0))];
      draw();
    },
    add(evaluation, stage, loss) {
      if (evaluation <= (points.at(-1)?.[0] ?? 0)) return;
      points.push([evaluation, stage, loss]);
      draw();
    },
  };
}
