// A picture by the camera of this device: on a phone by its own program, where the page may not look itself.

import { button, dialog, h, toast } from "./dom.js";
import { t } from "./words.js";

export async function openCamera(taken) {
  if (!navigator.mediaDevices?.getUserMedia) {
    const input = h("input", { type: "file", accept: "image/*", capture: "environment", onchange: () => input.files[0] && taken(input.files[0]) });
    input.click();
    return;
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 2560 } } });
  } catch {
    toast(t("noCamera"));
    return;
  }
  const video = h("video", { autoplay: true, muted: true, playsInline: true });
  video.srcObject = stream;
  const box = dialog(t("camera"), t("close"), video, h("footer", {}, button("camera", t("shutter"), () => {
    const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => blob && taken(blob), "image/jpeg", 0.95);
    box.close();
  }, { class: "main" })));
  box.addEventListener("close", () => stream.getTracks().forEach((track) => track.stop()));
}
