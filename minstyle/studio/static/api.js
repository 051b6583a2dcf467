// What the page asks of the server. Every refusal is an Error whose message is the server's one line.

async function asked(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, { method, body, headers });
  } catch {
    throw new Error("offline");
  }
  if (answer.status === 204) return null;
  const found = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(found?.detail ?? `${answer.status} ${answer.statusText}`);
  return found;
}

const json = { "content-type": "application/json" };
const post = (path, data) => asked("POST", path, JSON.stringify(data), json);

export const about = () => asked("GET", "/api/about");
export const shelf = () => asked("GET", "/api/pictures");
export const picture = (id) => asked("GET", `/api/pictures/${id}`);
export const crop = (id, part) => post(`/api/pictures/${id}/crop`, part);
export const hide = (id) => asked("DELETE", `/api/pictures/${id}`);
export const jobs = (before) => asked("GET", `/api/jobs?limit=200${before ? `&before=${before}` : ""}`);
export const job = (id) => asked("GET", `/api/jobs/${id}`);
export const addJob = (request) => post("/api/jobs", request);
export const stop = (id) => asked("POST", `/api/jobs/${id}/stop`);
export const goOn = (id) => asked("POST", `/api/jobs/${id}/continue`);
export const remove = (id) => asked("DELETE", `/api/jobs/${id}`);
export const losses = (id) => asked("GET", `/api/jobs/${id}/losses`);
export const estimate = (request) => post("/api/estimates", request);
export const pick = (cells) => post("/api/picks", { cells });
export const forget = (id) => asked("DELETE", `/api/picks/${id}`);

// The file of a mask, pixel for pixel.
export async function maskPixels(id) {
  const bitmap = await createImageBitmap(await (await fetch(`/api/pictures/${id}/file`)).blob());
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height);
}

// The painting of a job, as a picture to paint with.
export async function uploadPainting(id, name) {
  return upload(await (await fetch(jobFile(id, name))).blob(), `${name}.png`);
}

export function upload(blob, name, mask = false) {
  const query = new URLSearchParams({ name: name.slice(-200), mask });
  return asked("POST", `/api/pictures?${query}`, blob, { "content-type": "application/octet-stream" });
}

export const pictureView = (id, side = 320) => `/api/pictures/${id}/view?side=${side}`;
export const cellView = (id, number) => `/api/picks/${id}/${number}`;
export const jobView = (job, side = 320) =>
  `/api/jobs/${job.id}/view?side=${side}&v=${job.state}-${job.progress.pictures}`;
// The least of the server's sizes that fills an element.
export function sideOf(element) {
  const wanted = element.clientWidth * devicePixelRatio;
  return [320, 640, 1280].find((side) => side >= wanted) ?? 1280;
}
export const jobFile = (id, name, inline = false) =>
  `/api/jobs/${id}/file?${new URLSearchParams({ name, ...(inline ? { inline: true } : {}) })}`;

// All that happens. The browser comes again by itself when the server was away; then "hello" comes anew.
export function listen(heard) {
  const source = new EventSource("/api/events");
  for (const kind of ["hello", "job", "progress", "removed", "cell", "trouble"]) {
    source.addEventListener(kind, (event) => heard(JSON.parse(event.data)));
  }
  source.addEventListener("error", () => heard({ event: "away" }));
}
