// What can be done with a painting, from the easel and from the gallery.

import * as api from "./api.js";
import { button, byId, dialog, h, tellError, toast } from "./dom.js";
import * as state from "./state.js";
import { use } from "./sources.js";
import { bytes, t, time, title } from "./words.js";

export const attempt = (asked) => asked().catch(tellError);

export const fileName = (job) => `${title(job)} ${job.request.size}`;

export const remove = (job) => confirm(t("sureRemove", { name: title(job) })) && attempt(() => api.remove(job.id));

// Its pictures and settings on the bench, itself on the easel, in the place of what is there.
export const again = (job) => attempt(async () => {
  const undo = await state.take(job.request);
  const before = state.view.job;
  location.hash = "#paint";
  state.show(job.id);
  byId("photo").scrollIntoView({ block: "center" });
  toast(t("takenUp", { name: title(job) }), [t("undo"), () => (undo(), state.show(before))]);
});

export const asPhotograph = (job) => attempt(async () => {
  const before = state.asked.content;
  const picture = await api.uploadPainting(job.id, fileName(job));
  use(picture, "photo");
  byId("photo").scrollIntoView({ block: "center" });
  toast(t("isPhoto"), before && [t("undo"), () => use(before, "photo")]);
});

// Twice its size, from its picture; what that takes is told before it begins.
export function larger(job) {
  const request = { ...job.request, size: Math.min(20000, 2 * job.request.size), start: job.id };
  const told = h("p", { "aria-live": "polite" }, t("estimating"));
  const box = dialog(t("larger"), t("close"), h("p", {}, t("largerHint", { from: job.request.size, to: request.size })), told, h("footer", {}, h("span", {}),
    button("larger", t("paintLarger"), (event) => {
      event.currentTarget.disabled = true;
      box.close();
      attempt(async () => {
        const next = await api.addJob(request);
        state.addJob(next);
        location.hash = `#job/${next.id}`;
      });
    }, { class: "main" })));
  api.estimate(request).then(
    ({ seconds, memory, refused }) => (told.textContent = refused ?? t("estimate", { time: time(seconds), memory: bytes(memory) })),
    () => (told.textContent = t("noEstimate")),
  );
}
