// Regions, painted with a brush: a colour of the photograph takes its style from the same colour of the paintings.

import * as api from "./api.js";
import { button, dialog, fill, h, toast } from "./dom.js";
import * as state from "./state.js";
import { t } from "./words.js";

const COLOURS = [[255, 70, 60], [50, 120, 255], [255, 200, 30], [40, 190, 110], [200, 80, 230], [30, 200, 220], [240, 130, 40], [150, 150, 150]];
const SIDE = 480; // pixels of the longer side of a mask
const UNDOS = 30;

// Which pixel has which colour. A style begins with its own colour everywhere, the photograph with the first.
class Board {
  constructor(picture, first) {
    const factor = SIDE / Math.max(picture.width, picture.height);
    this.picture = picture;
    this.first = first;
    this.width = Math.max(1, Math.round(picture.width * factor));
    this.height = Math.max(1, Math.round(picture.height * factor));
    this.labels = new Uint8Array(this.width * this.height).fill(first);
    this.before = [];
    this.image = new Image();
    this.image.src = api.pictureView(picture.id, 640);
  }

  begin() {
    this.before.push(this.labels.slice());
    if (this.before.length > UNDOS) this.before.shift();
  }

  undo() {
    this.labels = this.before.pop() ?? this.labels;
  }

  // A disc at (x, y), in pixels of the mask.
  dab(x, y, radius, label) {
    for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(this.height - 1, y + radius); row += 1) {
      const half = Math.sqrt(radius * radius - (row - y) ** 2);
      const from = row * this.width + Math.max(0, Math.ceil(x - half));
      const to = row * this.width + Math.min(this.width - 1, Math.floor(x + half));
      if (to >= from) this.labels.fill(label, from, to + 1);
    }
  }

  stroke(from, to, radius, label) {
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / Math.max(1, radius / 2)));
    for (let i = 0; i <= steps; i += 1) {
      this.dab(from.x + ((to.x - from.x) * i) / steps, from.y + ((to.y - from.y) * i) / steps, radius, label);
    }
  }

  colours() {
    return new Set(this.labels);
  }

  pixels(opacity) {
    const data = new ImageData(this.width, this.height);
    this.labels.forEach((label, i) => data.data.set([...COLOURS[label], opacity], 4 * i));
    return data;
  }

  async upload() {
    const canvas = h("canvas", { width: this.width, height: this.height });
    canvas.getContext("2d").putImageData(this.pixels(255), 0, 0);
    const blob = await new Promise((made) => canvas.toBlob(made, "image/png"));
    return (await api.upload(blob, `${this.picture.name} mask.png`, true)).id;
  }
}

let boards = []; // kept while the pictures stay, to paint on

function boardsOf() {
  const pictures = [state.asked.content, ...state.asked.styles.map((style) => style.picture)];
  if (boards.map((board) => board.picture.id).join() !== pictures.map((picture) => picture.id).join()) {
    boards = pictures.map((picture, i) => new Board(picture, Math.max(0, i - 1)));
  }
  return boards;
}

async function save(box) {
  const [content, ...styles] = boards;
  const served = new Set(styles.flatMap((board) => [...board.colours()]));
  const lost = [...content.colours()].find((label) => !served.has(label));
  if (lost !== undefined) return toast(t("unserved", { n: lost + 1 }));
  try {
    const [contentMask, ...masks] = await Promise.all(boards.map((board) => board.upload()));
    state.change({ contentMask, styles: state.asked.styles.map((style, i) => ({ ...style, mask: masks[i] })) });
    return box.close();
  } catch (error) {
    return toast(error.message);
  }
}

export function openMasks() {
  const all = boardsOf();
  const many = Math.min(COLOURS.length, Math.max(2, all.length - 1));
  let [board, label, radius] = [all[0], Math.min(1, many - 1), 24];
  const at = { x: 0, y: 0 };
  const canvas = h("canvas", { class: "board", tabIndex: 0, role: "img" });
  const tabs = h("div", { class: "chips", role: "group", "aria-label": t("mask") });
  const palette = h("div", { class: "palette", role: "group", "aria-label": t("colours") });

  function draw(cursor = false) {
    const context = canvas.getContext("2d");
    const overlay = h("canvas", { width: board.width, height: board.height });
    overlay.getContext("2d").putImageData(board.pixels(255), 0, 0);
    context.globalAlpha = 1;
    context.drawImage(board.image, 0, 0, board.width, board.height);
    context.globalAlpha = 0.5;
    context.drawImage(overlay, 0, 0);
    if (!cursor) return;
    context.globalAlpha = 1;
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    context.beginPath();
    context.arc(at.x, at.y, radius, 0, 7);
    context.stroke();
  }

  function open(next) {
    board = next;
    [canvas.width, canvas.height] = [board.width, board.height];
    [at.x, at.y] = [board.width / 2, board.height / 2];
    canvas.setAttribute("aria-label", t("canvasOf", { name: board.picture.name }));
    fill(tabs, all.map((other, i) => h("button", { type: "button", "aria-pressed": String(other === board), onclick: () => open(other) },
      i ? `${t("style")}: ${other.picture.name}` : t("photograph"))));
    board.image.decode().then(() => draw(), () => draw());
  }

  function drawPalette() {
    fill(palette, COLOURS.slice(0, many).map((colour, i) => {
      const swatch = h("button", {
        type: "button", class: "swatch", "aria-pressed": String(i === label), "aria-label": t("region", { n: i + 1 }),
        onclick: () => {
          label = i;
          drawPalette();
        },
      }, all[i + 1] && h("img", { src: api.pictureView(all[i + 1].picture.id, 160), alt: "" }));
      swatch.style.setProperty("--colour", `rgb(${colour})`);
      return swatch;
    }));
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * board.width, y: ((event.clientY - box.top) / box.height) * board.height };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    board.begin();
    Object.assign(at, place(event));
    board.dab(at.x, at.y, radius, label);
    draw(true);
  });
  canvas.addEventListener("pointermove", (event) => {
    const next = place(event);
    if (event.buttons && canvas.hasPointerCapture(event.pointerId)) board.stroke(at, next, radius, label);
    Object.assign(at, next);
    draw(true);
  });
  canvas.addEventListener("pointerleave", () => draw());
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
    if (by) {
      at.x = Math.min(board.width, Math.max(0, at.x + by[0]));
      at.y = Math.min(board.height, Math.max(0, at.y + by[1]));
    } else if (event.key === " ") {
      board.begin();
      board.dab(at.x, at.y, radius, label);
    } else return;
    event.preventDefault();
    draw(true);
  });

  const size = h("input", { type: "range", min: 3, max: 90, value: radius, "aria-label": t("brush"), oninput: () => (radius = Number(size.value)) });
  drawPalette();
  const box = dialog(t("mask"), t("close"), h("p", { class: "note" }, t("maskHint")), tabs, canvas,
    h("div", { class: "tools" }, palette, h("label", { class: "slide" }, h("span", {}, t("brush")), size),
      button("undo", t("undo"), () => (board.undo(), draw())),
      button("remove", t("clear"), () => (board.begin(), board.labels.fill(board.first), draw()))),
    h("footer", {}, button(null, t("noMasks"), () => {
      boards = [];
      state.change({ contentMask: null, styles: state.asked.styles.map((style) => ({ ...style, mask: null })) });
      box.close();
    }), button("brush", t("useMasks"), () => save(box), { class: "main" })));
  open(board);
}
