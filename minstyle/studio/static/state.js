// What is to be painted, and the jobs there are: one place, which tells whoever draws a part of it.

import * as api from "./api.js";

const KEPT = "minstyle-studio";
const heard = { asked: new Set(), jobs: new Set(), progress: new Set(), cell: new Set(), shelf: new Set(), language: new Set() };

const usual = () => ({
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
});

export const asked = usual();

export const jobs = new Map(); // by id, as the server tells them
export const view = { job: null }; // which job is on the easel

export const on = (kind, call) => heard[kind].add(call);
export const tell = (kind, what) => heard[kind].forEach((call) => call(what));

export function change(what) {
  Object.assign(asked, what);
  keep();
  tell("asked");
}

// Changes much, and returns what takes it back.
export function changeAll(what) {
  const before = { ...asked };
  change(what);
  return () => change(before);
}

export const anew = () => changeAll(usual());

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

export const withoutMasks = () => asked.styles.map((style) => ({ ...style, mask: null }));

export const setContent = (picture) => changeAll({ content: picture, contentMask: null, styles: withoutMasks() });

export const has = (picture) => asked.styles.some((style) => style.picture.id === picture.id);

// Where there are regions, a new style has none yet; the others keep theirs.
export const addStyle = (picture) => changeAll({ styles: [...asked.styles, { picture, weight: 1, scale: 1, mask: null }] });

// The jobs that wait, or are painted, in their order.
export const unfinished = () => [...jobs.values()].filter((job) => ["queued", "running"].includes(job.state))
  .sort((a, b) => (b.state === "running") - (a.state === "running") || a.number - b.number);

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
  return changeAll({
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
    else if (!asked.content && !asked.styles.length) localStorage.removeItem(KEPT);
  } catch {
    // a browser that keeps nothing
  }
}

// What this browser asked for last, if it is still there. Whether it asked for anything yet.
export async function restore() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    if (kept && !asked.content) await take(kept);
    return Boolean(kept);
  } catch {
    return false; // a browser that keeps nothing, or a folder without its pictures
  }
}
