// The pictures that go in: the photograph, the styles with their sliders, and the shelf of those used before.

import * as api from "./api.js";
import { openCamera } from "./camera.js";
import { openCrop } from "./crop.js";
import { byId, fill, h, icon, iconButton, named, once, say, tellError, toast } from "./dom.js";
import { flatMask, openMasks, withoutStyle } from "./masks.js";
import * as state from "./state.js";
import { known, language, t } from "./words.js";

let shelf = [];
const reading = { photo: 0, style: 0 };
const refused = { photo: "", style: "" }; // what was wrong with the last file for a place

// Without a slot the photograph comes first, then styles.
export const placeOf = (slot) => slot ?? (state.asked.content || reading.photo ? "style" : "photo");

// Files by drop, paste or choice.
export async function takeFiles(files, slot, pasted = false) {
  if (byId("paint").hidden) location.hash = "#paint";
  for (const file of files) {
    const place = placeOf(slot);
    const name = file.name && !(pasted && file.name === "image.png") ? file.name : `${t("pasted")}.png`;
    const picture = await takeBlob(file, name, place);
    if (picture && pasted && place === "style") {
      toast(t("pastedAsStyle"), [t("asPhoto"), () => {
        state.change({ styles: state.asked.styles.filter((style) => style.picture.id !== picture.id) });
        use(picture, "photo");
      }]);
    }
    if (place === "photo") slot = "style";
  }
}

export async function takeBlob(blob, name, place) {
  reading[place] += 1;
  refused[place] = "";
  draw();
  say(t("reading"));
  try {
    const picture = await api.upload(blob, name);
    use(picture, place);
    return picture;
  } catch (error) {
    tellError(error);
    if (error.message !== "offline") refused[place] = error.message;
    return null;
  } finally {
    reading[place] -= 1;
    draw();
  }
}

export function use(picture, place) {
  known(picture);
  if (place === "photo") {
    const masked = state.asked.contentMask !== null && state.asked.content.id !== picture.id;
    const undo = state.setContent(picture);
    if (masked) toast(t("regionsGone"), [t("undo"), undo]);
  } else if (state.has(picture)) toast(t("alreadyThere", { name: picture.name }));
  else state.addStyle(picture);
}

function chooser(place, label) {
  const input = h("input", {
    type: "file", accept: "image/*,.tif,.tiff,.heic,.avif", class: "unseen", multiple: place === "style", tabIndex: -1,
    "aria-hidden": "true", onchange: () => takeFiles([...input.files], place),
  });
  const zone = h("div", { class: "zone" },
    h("button", { type: "button", class: "choose", onclick: once(() => input.click()) },
      icon("add"), h("strong", {}, t(label)), h("span", {}, reading[place] ? t("reading") : t("orChoose")),
      refused[place] && h("span", { class: "refused" }, refused[place])),
    input, place === "photo" && iconButton("camera", t("camera"), once(() => openCamera((blob) => takeBlob(blob, `${t("copy")}.jpg`, place))), { class: "corner" }));
  if (reading[place]) zone.classList.add("busy");
  return zone;
}

function card(picture, place, mask, actions, ...more) {
  return h("figure", { class: "source", "data-picture": picture.id },
    h("img", { src: api.pictureView(picture.id, place === "photo" ? 640 : 320), alt: picture.name, draggable: false, width: picture.width, height: picture.height }),
    mask && h("img", { src: api.pictureView(mask, 320), alt: "", class: "masked" }),
    h("figcaption", {}, h("span", { class: "name" }, picture.name), h("span", {}, `${picture.width} x ${picture.height}`)),
    h("div", { class: "actions" }, actions), ...more);
}

function drawPhoto() {
  const { content, contentMask } = state.asked;
  if (!content) return fill(byId("photo"), chooser("photo", "dropPhoto"), photosBefore());
  const masked = contentMask !== null;
  const lacking = masked && state.asked.styles.some((style) => style.mask === null);
  fill(byId("photo"), card(content, "photo", contentMask, [
    iconButton("crop", t("crop"), () => openCrop(content, (picture) => use(picture, "photo")), { title: t("hints", "crop") }),
    state.ready() && iconButton("brush", t("mask"), openMasks, { class: masked ? "on" : "", title: t("hints", "mask") }),
    iconButton("close", t("removeIt"), () => {
      const undo = state.setContent(null);
      toast(t("removed", { name: content.name }), [t("undo"), undo]);
    }),
  ]), masked && h("p", { class: "note" }, `${t("masksOn")}${lacking ? ` ${t("masksLack")}` : ""}`), photosBefore());
}

// From 1 / 2^most to 2^most.
function slider(word, value, most, oninput, words) {
  const input = h("input", {
    type: "range", min: -100 * most, max: 100 * most, step: 20, value: Math.round(100 * Math.log2(value)), "aria-label": t(word),
    oninput: () => oninput(2 ** (Number(input.value) / 100)),
  });
  return h("label", { class: "slide" }, named(t(word), t("hints", word)), input, h("small", {}, h("span", {}, words[0]), h("span", {}, words[1])));
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
    return card(picture, "style", null, [
      iconButton("crop", own(t("crop")), () => openCrop(picture, async (cut) => {
        known(cut);
        set(i, { picture: cut, mask: style.mask && (await flatMask(i, cut)) });
      })),
      iconButton("close", own(t("removeIt")), once(async () => {
        try {
          const undo = state.changeAll(await withoutStyle(i));
          toast(t("removed", { name: picture.name }), [t("undo"), undo]);
        } catch (error) {
          tellError(error);
        }
      })),
    ], h("div", { class: "slides" },
      styles.length > 1 && slider("weight", style.weight, 3, (weight) => set(i, { weight }), [t("less"), t("more1")]),
      slider("strokes", style.scale, 2, (scale) => set(i, { scale }), [t("finer"), t("coarser")])));
  });
  fill(byId("styles"), cards, styles.length < 8 && chooser("style", styles.length ? "addStyle" : "dropStyle"));
}

function strip(title, pictures, place) {
  if (!pictures.length) return null;
  return h("div", { class: "shelf" }, h("h3", {}, title), h("ul", {}, pictures.slice(0, 24).map((picture) => h("li", {},
    h("button", {
      type: "button", class: "thumb", onclick: () => use(picture, place), title: `${picture.name}. ${t("hideByKey")}`, "aria-keyshortcuts": "Delete",
      onkeydown: (event) => event.key === "Delete" && hide(picture),
    }, h("img", { src: api.pictureView(picture.id, 160), alt: picture.name, loading: "lazy" })),
    iconButton("close", `${t("hideIt")}: ${picture.name}`, () => hide(picture), { class: "tiny", tabIndex: -1 }))))); // by keyboard: Delete
}

async function hide(picture) {
  await api.hide(picture.id).catch(tellError);
  loadShelf();
}

const photosBefore = () => strip(t("shelfPhotos"), shelf.filter((picture) => picture.as_content && picture.id !== state.asked.content?.id), "photo");

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

let drawn = "";

// While a slider is held its card must stay; and nothing changes under a pointer that is pressed for no reason.
function draw() {
  const { content, contentMask, styles } = state.asked;
  const key = JSON.stringify([language(), content, contentMask, styles, shelf, reading, refused]);
  if (key === drawn) return;
  if (document.activeElement?.closest?.("#styles .slides") && state.asked.styles.length === byId("styles").querySelectorAll(".source").length) return;
  drawn = key;
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
