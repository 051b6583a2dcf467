// What is to be painted, and the jobs there are: one place, which tells whoever draws a part of it.

import * as api from "./api.js";

const KEPT = "minstyle-studio";
const heard = { asked: new Set(), jobs: new Set(), progress: new Set(), cell: new Set(), shelf: new Set(), language: new Set() };

export const asked = {
  content: null, // pictures as the server tells them
  styles: [], // { picture, weight, scale, mask }
  contentMask: null,
  strength: 1,
  effort: 1,
  size: 512,
  color: "auto",
  recipe: "fine",
  network: "auto",
  format: "png",
  keep_metadata: false,
  seed: 0,
  more: {}, // settings of the recipe that no slider has
};

export const jobs = new Map(); // by id, as the server tells them
export const view = { job: null }; // which job is on the easel

export const on = (kind, call) => heard[kind].add(call);
export const tell = (kind, what) => heard[kind].forEach((call) => call(what));

export function change(what) {
  Object.assign(asked, what);
  keep();
  tell("asked");
}

export const newest = () => [...jobs.values()].sort((a, b) => b.number - a.number);
export const shownJob = () => jobs.get(view.job) ?? null;

// A job as the answer to its post tells it: an event may have told more of it before.
export function addJob(job) {
  if (!jobs.has(job.id)) jobs.set(job.id, job);
  show(job.id);
}

export function show(id) {
  view.job = id;
  tell("jobs");
}

export function setContent(picture) {
  change({ content: picture, contentMask: null, styles: asked.styles.map((style) => ({ ...style, mask: null })) });
}

export function addStyle(picture) {
  if (asked.styles.some((style) => style.picture.id === picture.id)) return;
  const styles = asked.styles.map((style) => ({ ...style, mask: null }));
  change({ contentMask: null, styles: [...styles, { picture, weight: 1, scale: 1, mask: null }] });
}

export function request(changes = {}) {
  const given = { ...asked, ...changes };
  const settings = { ...given.more };
  if (given.color !== "auto") settings.color = given.color;
  if (given.seed) settings.seed = given.seed;
  return {
    content: given.content.id,
    content_mask: given.contentMask,
    styles: given.styles.map(({ picture, weight, scale, mask }) => ({ picture: picture.id, weight, scale, mask })),
    recipe: given.recipe,
    size: given.size,
    strength: given.strength,
    effort: given.effort,
    network: given.network,
    format: given.format,
    keep_metadata: given.keep_metadata,
    settings,
  };
}

export const ready = () => Boolean(asked.content && asked.styles.length);

// The pictures and settings of a job, or of the last visit, to go on from.
export async function take(from) {
  const [content, ...pictures] = await Promise.all(
    [from.content, ...from.styles.map((style) => style.picture)].map((id) => api.picture(id)),
  );
  const { color = "auto", seed = 0, ...more } = from.settings;
  change({
    ...from,
    content,
    contentMask: from.content_mask,
    styles: from.styles.map((style, i) => ({ ...style, picture: pictures[i] })),
    color,
    seed,
    more,
  });
}

function keep() {
  try {
    if (ready()) localStorage.setItem(KEPT, JSON.stringify(request()));
  } catch {
    // a browser that keeps nothing
  }
}

// What this browser asked for last, or else what anybody did: nobody need choose the same pictures again.
export async function restore(latest) {
  let kept = null;
  try {
    kept = JSON.parse(localStorage.getItem(KEPT));
  } catch {
    // a browser that keeps nothing
  }
  for (const request of [kept, latest]) {
    try {
      if (request && !asked.content) return await take(request);
    } catch {
      // a folder without its pictures
    }
  }
  return undefined;
}
