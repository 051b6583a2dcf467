// Two pictures in one place, and a slider between them.

import { h } from "./dom.js";

export function split(before, after, t, { start = 0, labels = ["before", "result"], name = "compareSlider", hint = "dragHint" } = {}) {
  const under = h("img", { src: after ?? before, alt: t(labels[1]) });
  const over = h("img", { src: before, alt: t(labels[0]), class: "over" });
  const slider = h("input", { type: "range", min: 0, max: 100, value: start, "aria-label": t(name), title: t(hint) });
  const element = h("div", { class: after ? "split" : "split waiting" }, under, over,
    h("span", { class: "tag left" }, t(labels[0])), h("span", { class: "tag right" }, t(labels[1])), h("span", { class: "line" }), h("span", { class: "knob", "aria-hidden": "true" }, "‹ ›"), slider);
  const place = () => element.style.setProperty("--at", `${slider.value}%`);
  slider.addEventListener("input", place);
  place();
  over.addEventListener("load", () => element.style.setProperty("--ratio", over.naturalWidth / over.naturalHeight));

  let loading = null;
  return {
    element,
    // The next picture takes the place of the one before once it is loaded: nothing flickers.
    show(url) {
      const next = new URL(url, location.href).href;
      if (under.src === next || loading === next) return;
      loading = next;
      const image = new Image();
      image.onload = () => {
        if (loading !== next) return;
        under.src = next;
        element.classList.remove("waiting");
      };
      image.src = next;
    },
  };
}
