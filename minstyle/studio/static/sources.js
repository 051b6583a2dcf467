// The pictures that go in: the photograph, the styles with their sliders, and the shelf of those used before.

import * as api from "./api.js";
import { openCamera } from "./camera.js";
import { openCrop } from "./crop.js";
import { byId, button, fill, h, icon, iconButton, say, toast } from "./dom.js";
import { openMasks } from "./masks.js";
import * as state from "./state.js";
import { known, t } from "./words.js";

let shelf = [];
const reading = { photo: 0, style: 0 };

// Files by drop, paste or choice; without a slot the photograph comes first, then styles.
export async function takeFiles(files, slot) {
  location.hash = "#paint";
  for (const file of files) {
    const place = slot ?? (state.asked.content || reading.photo ? "style" : "photo");
    await takeBlob(file, file.name || "pasted.png", place);
    if (place === "photo") slot = "style";
  }
}

export async function takeBlob(blob, name, place) {
  reading[place] += 1;
  draw();
  say(t("reading"));
  try {
    use(await api.upload(blob, name), place);
  } catch (error) {
    toast(error.message === "offline" ? t("offline") : error.message);
  } finally {
    reading[place] -= 1;
    draw();
  }
}

function use(picture, place) {
  known(picture);
  if (place === "photo") state.setContent(picture);
  else state.addStyle(picture);
}

function chooser(place, label) {
  const input = h("input", {
    type: "file", accept: "image/*,.tif,.tiff,.heic,.avif", class: "unseen", multiple: place === "style", tabIndex: -1,
    "aria-hidden": "true", onchange: () => takeFiles([...input.files], place),
  });
  const zone = h("div", { class: "zone", "data-slot": place },
    h("button", { type: "button", class: "choose", onclick: () => input.click() },
      icon("add"), h("strong", {}, t(label)), h("span", {}, reading[place] ? t("reading") : t("orChoose"))),
    input, place === "photo" && iconButton("camera", t("camera"), () => openCamera((blob) => takeBlob(blob, `${t("copy")}.jpg`, place)), { class: "corner" }));
  if (reading[place]) zone.classList.add("busy");
  return zone;
}

function card(picture, place, actions, ...more) {
  return h("figure", { class: "source", "data-slot": place, "data-picture": picture.id },
    h("img", { src: api.pictureView(picture.id, place === "photo" ? 640 : 320), alt: picture.name, draggable: false }),
    h("figcaption", {}, h("span", { class: "name" }, picture.name), h("span", {}, `${picture.width} x ${picture.height}`)),
    h("div", { class: "actions" }, actions), ...more);
}

function drawPhoto() {
  const { content, contentMask } = state.asked;
  if (!content) return fill(byId("photo"), chooser("photo", "dropPhoto"), photosBefore());
  const masked = contentMask !== null;
  fill(byId("photo"), card(content, "photo", [
    iconButton("crop", t("crop"), () => openCrop(content, (picture) => use(picture, "photo"))),
    state.ready() && iconButton("brush", t("mask"), openMasks, { class: masked ? "on" : "" }),
    iconButton("close", t("removeIt"), () => state.setContent(null)),
  ]), masked && h("p", { class: "note" }, t("masksOn")));
}

function slider(label, value, low, high, oninput, words) {
  const log = (x) => Math.round(100 * Math.log2(x));
  const input = h("input", {
    type: "range", min: log(low), max: log(high), value: log(value), "aria-label": label,
    oninput: () => oninput(2 ** (Number(input.value) / 100)),
  });
  return h("label", { class: "slide" }, h("span", {}, label), input, words && h("small", {}, h("span", {}, words[0]), h("span", {}, words[1])));
}

function drawStyles() {
  const { styles } = state.asked;
  const set = (i, what) => {
    styles[i] = { ...styles[i], ...what };
    state.change({ styles });
  };
  const cards = styles.map((style, i) => {
    const { picture } = style;
    const own = (label) => `${label}: ${picture.name}`;
    return card(picture, "style", [
      iconButton("crop", own(t("crop")), () => openCrop(picture, (cut) => {
        known(cut);
        set(i, { picture: cut, mask: null });
        state.change({ contentMask: null, styles: styles.map((other) => ({ ...other, mask: null })) });
      })),
      iconButton("close", own(t("removeIt")), () => {
        const left = styles.filter((_, j) => j !== i).map((other) => ({ ...other, mask: null }));
        state.change({ styles: left, contentMask: null });
      }),
    ], h("div", { class: "slides" },
      styles.length > 1 && slider(t("weight"), style.weight, 0.1, 10, (weight) => set(i, { weight })),
      slider(t("strokes"), style.scale, 0.25, 4, (scale) => set(i, { scale }), [t("finer"), t("coarser")])));
  });
  fill(byId("styles"), cards, styles.length < 8 && chooser("style", styles.length ? "addStyle" : "dropStyle"));
}

function strip(title, pictures, place) {
  if (!pictures.length) return null;
  return h("div", { class: "shelf" }, h("h3", {}, title), h("ul", {}, pictures.slice(0, 24).map((picture) => h("li", {},
    h("button", { type: "button", class: "thumb", onclick: () => use(picture, place), title: picture.name },
      h("img", { src: api.pictureView(picture.id, 160), alt: picture.name, loading: "lazy" })),
    iconButton("close", `${t("hideIt")}: ${picture.name}`, async () => {
      await api.hide(picture.id).catch((error) => toast(error.message));
      loadShelf();
    }, { class: "tiny" })))));
}

const photosBefore = () => strip(t("shelfPhotos"), shelf.filter((picture) => picture.as_content), "photo");

function drawShelf() {
  const inUse = new Set(state.asked.styles.map((style) => style.picture.id));
  fill(byId("shelf"), strip(t("shelf"), shelf.filter((picture) => picture.as_style && !inUse.has(picture.id)), "style"));
}

async function loadShelf() {
  shelf = await api.shelf().catch(() => shelf);
  shelf.forEach(known);
  draw();
  state.tell("jobs"); // their titles
}

// While a slider is held its card must stay.
function draw() {
  if (document.activeElement?.closest?.("#styles .slides") && state.asked.styles.length === byId("styles").querySelectorAll(".source").length) return;
  drawPhoto();
  drawStyles();
  drawShelf();
}

export function drawSources() {
  state.on("asked", draw);
  state.on("shelf", loadShelf);
  draw();
  loadShelf();
}
