// Regions, painted with a brush: a colour of the photograph takes its style from the same colour of the paintings.

import * as api from "./api.js";
import { button, dialog, fill, h, tellError, toast } from "./dom.js";
import * as state from "./state.js";
import { t, wordsOf } from "./words.js";

const COLOURS = [[255, 70, 60], [50, 120, 255], [255, 200, 30], [40, 190, 110], [200, 80, 230], [30, 200, 220], [240, 130, 40], [150, 150, 150]];
const SIDE = 480; // pixels of the longer side of a mask
const UNDOS = 30;

// Which pixel has which colour: as a mask says, or all ``own``.
class Board {
  constructor(picture, own, mask, pixels) {
    const factor = SIDE / Math.max(picture.width, picture.height);
    this.picture = picture;
    this.own = own;
    this.mask = mask; // the id of what it was read from, or saved as
    this.width = pixels?.width ?? Math.max(1, Math.round(picture.width * factor));
    this.height = pixels?.height ?? Math.max(1, Math.round(picture.height * factor));
    this.labels = pixels ? labelsOf(pixels.data) : new Uint8Array(this.width * this.height).fill(own);
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

  // Its mask's id, of a mask that is uploaded where it was painted on since.
  async upload() {
    const canvas = h("canvas", { width: this.width, height: this.height });
    canvas.getContext("2d").putImageData(this.pixels(255), 0, 0);
    const blob = await new Promise((made) => canvas.toBlob(made, "image/png"));
    return (await api.upload(blob, `${this.picture.name} mask.png`, true)).id;
  }
}

const labelsOf = (data) => Uint8Array.from({ length: data.length / 4 }, (_, i) => {
  const found = COLOURS.findIndex((colour) => colour.every((value, channel) => value === data[4 * i + channel]));
  return Math.max(0, found);
});

const most = (labels) => {
  const counts = new Uint32Array(COLOURS.length);
  for (const label of labels) counts[label] += 1;
  return counts.indexOf(Math.max(...counts));
};

let boards = []; // those that were painted on last: what was not used yet is not lost

// A board for the photograph, and one for each style: of its mask, or of a colour that none has yet.
async function load() {
  const { content, contentMask, styles } = state.asked;
  const wanted = [{ picture: content, mask: contentMask }, ...styles];
  const kept = wanted.map(({ picture, mask }, i) => boards.find((board) => board.picture.id === picture.id && board.mask === mask && Boolean(i) === board.isStyle));
  const pixels = await Promise.all(wanted.map(({ mask }, i) => (!kept[i] && mask ? api.maskPixels(mask) : null)));
  const used = new Set(wanted.map((_, i) => (i && kept[i] ? kept[i].own : i && pixels[i] ? most(labelsOf(pixels[i].data)) : -1)));
  const free = () => COLOURS.findIndex((_, label) => !used.has(label));
  boards = wanted.map(({ picture, mask }, i) => {
    if (kept[i]) return kept[i];
    const own = i === 0 ? 0 : pixels[i] ? most(labelsOf(pixels[i].data)) : free();
    if (i) used.add(own);
    return Object.assign(new Board(picture, own, mask, pixels[i]), { isStyle: i > 0 });
  });
  if (!contentMask && !kept[0] && styles.length) {
    boards[0].own = boards[1].own;
    boards[0].labels.fill(boards[1].own);
  }
  return boards;
}

const servedBy = (styles) => new Set(styles.flatMap((board) => [...board.colours()]));

// Masks of boards, for a style whose colours are nowhere in the photograph none: it has no place.
async function masksOf(content, styles) {
  const placed = content.colours();
  const upload = async (board) => (board.mask = await board.upload());
  const with_ = (board) => [...board.colours()].some((label) => placed.has(label));
  const [contentMask, ...masks] = await Promise.all([content, ...styles].map((board, i) => (!i || with_(board) ? upload(board) : null)));
  return { contentMask, masks };
}

// What is asked for without a style: where it was, the first of the others is now.
export async function withoutStyle(i) {
  const { contentMask, styles } = state.asked;
  const left = styles.filter((_, j) => j !== i);
  if (!contentMask || styles[i].mask === null) return { styles: left };
  const [content, ...all] = await load();
  const others = all.filter((_, j) => j !== i);
  const served = servedBy(others);
  if (!left.length || others.length < 2 && served.size < 2) return { contentMask: null, styles: state.withoutMasks().filter((_, j) => j !== i) };
  const first = (others.find((board) => [...board.colours()].some((label) => content.colours().has(label))) ?? others[0]).own;
  boards = []; // read again, also after an undo
  content.labels = content.labels.map((label) => (served.has(label) ? label : first));
  const { contentMask: mask, masks } = await masksOf(content, others);
  return { contentMask: mask, styles: left.map((style, j) => ({ ...style, mask: masks[j] })) };
}

// The mask of a style of which another part is taken: all of it has its own colour.
export async function flatMask(i, picture) {
  const all = await load();
  return new Board(picture, all[i + 1].own, null).upload();
}

async function save(box) {
  const [content, ...styles] = boards;
  const served = servedBy(styles);
  const lost = [...content.colours()].find((label) => !served.has(label));
  if (lost !== undefined) return toast(t("unserved", { colour: wordsOf("paints")[lost] }));
  try {
    const { contentMask, masks } = await masksOf(content, styles);
    state.change({ contentMask, styles: state.asked.styles.map((style, i) => ({ ...style, mask: masks[i] })) });
    return box.close();
  } catch (error) {
    return tellError(error);
  }
}

export async function openMasks() {
  const all = await load().catch((error) => tellError(error));
  if (!all) return;
  // A colour for each style; one style may have two, for parts of it.
  const owns = all.slice(1).map((board) => board.own);
  const offered = [...new Set([...owns, ...all.flatMap((board) => [...board.colours()]), ...(owns.length < 2 ? [0, 1] : [])])];
  let [board, label, radius] = [all[0], offered[1], 24];
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
    fill(palette, offered.map((i) => {
      const colour = COLOURS[i];
      const owner = all.slice(1).find((other) => other.own === i);
      const name = wordsOf("paints")[i] + (owner ? `: ${owner.picture.name}` : "");
      const swatch = h("button", {
        type: "button", class: "swatch", "aria-pressed": String(i === label), "aria-label": name, title: name,
        onclick: () => {
          label = i;
          drawPalette();
        },
      }, owner && h("img", { src: api.pictureView(owner.picture.id, 160), alt: "" }));
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
  const box = dialog(t("mask"), t("close"), h("p", { class: "note" }, t(owns.length > 1 ? "maskHint" : "maskHintOne")), tabs, canvas,
    h("div", { class: "tools" }, palette, h("label", { class: "slide" }, h("span", {}, t("brush")), size, h("small", {}, h("span", {}, t("smaller")), h("span", {}, t("coarser")))),
      button("undo", t("undo"), () => (board.undo(), draw())),
      button("remove", t("clear"), () => (board.begin(), board.labels.fill(board === all[0] ? owns[0] : board.own), draw()))),
    h("footer", {}, button(null, t("noMasks"), () => {
      boards = [];
      const undo = state.changeAll({ contentMask: null, styles: state.withoutMasks() });
      box.close();
      toast(t("regionsGone"), [t("undo"), undo]);
    }), button("brush", t("useMasks"), () => save(box), { class: "main" })));
  open(board);
}
