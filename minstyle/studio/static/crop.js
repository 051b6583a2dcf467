// The part of a picture that is kept: a frame to drag, by pointer or keyboard. The server cuts the file itself.

import * as api from "./api.js";
import { button, dialog, fill, h, tellError } from "./dom.js";
import { t, wordsOf } from "./words.js";

const SMALLEST = 0.05;
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

export function openCrop(picture, done) {
  const part = { left: 0.1, top: 0.1, right: 0.9, bottom: 0.9 };
  let aspect = 0; // width / height, 0 for any
  const frame = h("div", { class: "frame", tabIndex: 0, role: "group", "aria-label": t("frame") },
    ["lt", "rt", "lb", "rb"].map((corner) => h("span", { class: `corner-${corner}`, "data-corner": corner })));
  const stage = h("div", { class: "crop" }, h("img", { src: api.pictureView(picture.id, 1280), alt: picture.name }), frame);
  const told = h("output", {});

  function show() {
    frame.style.left = `${100 * part.left}%`;
    frame.style.top = `${100 * part.top}%`;
    frame.style.width = `${100 * (part.right - part.left)}%`;
    frame.style.height = `${100 * (part.bottom - part.top)}%`;
    told.textContent = `${Math.round((part.right - part.left) * picture.width)} x ${Math.round((part.bottom - part.top) * picture.height)}`;
  }

  function keepAspect() {
    if (!aspect) return;
    const ratio = (aspect * picture.height) / picture.width; // in parts of the picture
    let [width, height] = [part.right - part.left, part.bottom - part.top];
    if (width / height > ratio) width = height * ratio;
    else height = width / ratio;
    part.right = part.left + width;
    part.bottom = part.top + height;
  }

  function move(x, y) {
    const [width, height] = [part.right - part.left, part.bottom - part.top];
    part.left = clamp(part.left + x, 0, 1 - width);
    part.top = clamp(part.top + y, 0, 1 - height);
    part.right = part.left + width;
    part.bottom = part.top + height;
    show();
  }

  function resize(corner, x, y) {
    if (corner[0] === "l") part.left = clamp(part.left + x, 0, part.right - SMALLEST);
    else part.right = clamp(part.right + x, part.left + SMALLEST, 1);
    if (corner[1] === "t") part.top = clamp(part.top + y, 0, part.bottom - SMALLEST);
    else part.bottom = clamp(part.bottom + y, part.top + SMALLEST, 1);
    keepAspect();
    show();
  }

  stage.addEventListener("pointerdown", (event) => {
    let corner = event.target.dataset.corner;
    frame.setPointerCapture(event.pointerId);
    if (event.target === stage) { // outside the frame: a new one, from here
      const box = stage.getBoundingClientRect();
      part.left = clamp((event.clientX - box.left) / box.width, 0, 1 - SMALLEST);
      part.top = clamp((event.clientY - box.top) / box.height, 0, 1 - SMALLEST);
      [part.right, part.bottom] = [part.left + SMALLEST, part.top + SMALLEST];
      corner = "rb";
    }
    let [x, y] = [event.clientX, event.clientY];
    const moved = (next) => {
      const [width, height] = [stage.clientWidth, stage.clientHeight];
      const by = [(next.clientX - x) / width, (next.clientY - y) / height];
      [x, y] = [next.clientX, next.clientY];
      if (corner) resize(corner, ...by);
      else move(...by);
    };
    frame.addEventListener("pointermove", moved);
    frame.addEventListener("lostpointercapture", () => frame.removeEventListener("pointermove", moved), { once: true });
  });
  frame.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] }[event.key];
    if (!by) return;
    event.preventDefault();
    if (event.shiftKey) resize("rb", ...by);
    else move(...by);
  });

  const aspects = h("div", { class: "chips", role: "group" });
  const drawAspects = () => fill(aspects, Object.entries(wordsOf("aspects")).sort((a, b) => a[0] - b[0]).map(([value, word]) =>
    h("button", {
      type: "button", "aria-pressed": String(aspect === Number(value)),
      onclick: () => {
        aspect = Number(value);
        keepAspect();
        show();
        drawAspects();
      },
    }, word)));
  drawAspects();
  show();
  const cut = button("crop", t("cropIt"), async () => {
    cut.disabled = true; // until the server has cut the file
    try {
      await done(await api.crop(picture.id, part));
      box.close();
    } catch (error) {
      tellError(error);
    }
    cut.disabled = false;
  }, { class: "main" });
  const box = dialog(t("crop"), t("close"), h("p", { class: "note" }, t("cropHint"), h("span", { class: "by-keys" }, ` ${t("cropKeys")}`)), stage,
    h("footer", {}, aspects, told, cut));
  frame.focus();
}
