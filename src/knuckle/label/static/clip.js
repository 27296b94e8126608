// A clip: its timeline below the image, and the ways from frame to frame.
import { ask, reason, settled } from "./server.js";
import { $, page, say, views } from "./state.js";

const COLOURS = { K: "#60d678", k: "#e2e6ec", b: "#3f8f52", f: "#ffab40", p: "#5b7fb8", "?": "#ff7860", ".": "#2c323b" };
const TALL = "Kk?"; // key frames
let clip = null; // {number, name, frames: a letter each, doubts, times, looked, waiting}
let wanted = null, going = false, asking = 0, reviewed = new Set();

export const isOpen = () => clip !== null;
export const path = (frame) => `/clips/${clip.number}/frames/${frame}`;
export const frame = () => page.current?.frame ?? wanted ?? 0;

export async function openClip(number, openFrame) {
  clip = null; reviewed = new Set();
  const found = await ask(`/clips/${number}`);
  clip = { number, ...found };
  $("timeline").hidden = false;
  $("scrub").max = clip.frames.length - 1;
  views.openFrame = openFrame;
  const todo = clip.frames.indexOf("k");
  await goTo(todo < 0 ? 0 : todo);
  watch();
}

export function close() { clip = null; wanted = null; asking++; $("timeline").hidden = true; }

// Shows a frame. While one is loading, only the last frame that was asked for is remembered.
export async function goTo(number) {
  wanted = Math.max(0, Math.min(number, clip.frames.length - 1));
  showTimeline();
  if (going) return;
  going = true;
  try {
    while (clip && wanted !== null && page.current?.path !== path(wanted)) if (!(await views.openFrame(path(wanted), wanted))) break;
  } finally { going = false; }
}

export const step = (by) => goTo((wanted ?? frame()) + by);

export function toKeyFrame(way) {
  const at = wanted ?? frame(), { frames } = clip;
  for (let number = at + way; number >= 0 && number < frames.length; number += way) if (TALL.includes(frames[number])) return goTo(number);
  say(way > 0 ? "There is no key frame after this one." : "There is no key frame before this one.");
}

// After a key frame: the next one that waits for its labels, else what is left to do.
export async function nextToDo() {
  await refresh();
  if (!clip) return;
  const at = frame(), { frames } = clip, after = frames.indexOf("k", at + 1), todo = after < 0 ? frames.indexOf("k") : after;
  if (todo >= 0 && todo !== at) return goTo(todo);
  if (clip.looked < 1) return say("The tracker still looks at the clip. Then it says which frames to label. Arrows and s choose frames by hand.");
  if (count("pf") || clip.waiting) return say("All key frames are labelled. Press g for the doubtful frames between them, and a to accept the frames of a stretch.");
  say(frames.includes(".") ? "All key frames are labelled. The frames before the first and after the last one stay out of the label file." : "This clip is done. Press n for the next photo or clip.");
}

// The frames between key frames where tracking and interpolation lie apart, the most doubtful first.
export async function toDoubtful() {
  const order = Object.keys(clip.doubts).map(Number).sort((a, b) => clip.doubts[b] - clip.doubts[a]);
  const left = order.filter((number) => !reviewed.has(number));
  if (!left.length) {
    reviewed = new Set();
    return say(order.length ? "These were all doubtful frames. Press g to see them again, or a to accept a stretch." : clip.waiting ? "The frames between are still tracked. Try again in a moment." : "No frame between key frames is doubtful.");
  }
  const said = clip.doubts[left[0]].toFixed(2);
  reviewed.add(left[0]);
  await goTo(left[0]);
  say(`Doubt ${said}: ${left.length} doubtful frame${left.length > 1 ? "s are" : " is"} left. Correct it and press Enter, or press g for the next one.`);
}

export async function setKeyFrame() {
  const at = frame(), isKey = page.current.mark !== "key";
  try {
    await settled();
    await ask(`${path(at)}/key`, "PUT", { key: isKey });
    await refresh();
    await views.openFrame(path(at), at);
    say(isKey ? "This is a key frame now: label it, and press Enter." : "This is no key frame any more.");
  } catch (error) { say(reason(error)); }
}

export async function acceptStretch() {
  const at = frame();
  try {
    await settled();
    const { accepted } = await ask(`${path(at + (clip.frames[at] === "K" ? 1 : 0))}/stretch`, "POST");
    await refresh();
    const left = clip.frames.slice(at).search(/[pf]/), next = left < 0 ? clip.frames.search(/[pf]/) : at + left;
    const said = `${accepted} frame${accepted === 1 ? "" : "s"} accepted.`;
    if (next >= 0) await goTo(next);
    else await views.openFrame(path(at), at);
    say(next >= 0 ? `${said} This is the next stretch.` : `${said} ${clip.frames.includes("k") ? "Press k for the next key frame." : "All stretches of this clip are accepted."}`);
  } catch (error) { say(reason(error)); }
}

// What the server thinks of the frames now.
export async function refresh() {
  if (!clip) return;
  const { number } = clip, asked = ++asking;
  await settled();
  const found = await ask(`/clips/${number}`).catch(() => null);
  if (!found || asked !== asking || clip?.number !== number) return;
  const filled = clip.waiting > 0 && found.waiting === 0;
  Object.assign(clip, found);
  Object.assign(page.clips[number], { keys: count("Kk"), keys_done: count("K"), looked: clip.looked });
  showTimeline(); views.showList();
  if (filled && page.current && page.current.mark !== "key") await views.openFrame(path(frame()), frame(), true);
}

// Asks again while the tracker looks at the clip, or frames are filled.
async function watch() {
  const { number } = clip;
  while (clip?.number === number) {
    await new Promise((resolve) => setTimeout(resolve, 700));
    if (clip?.number === number && (clip.waiting || clip.looked < 1)) await refresh();
  }
}

const count = (letters) => [...clip.frames].filter((letter) => letters.includes(letter)).length;

export function showTimeline() {
  if (!clip) return;
  const at = wanted ?? frame(), bar = $("marks"), { clientWidth: w, clientHeight: h } = bar, pen = bar.getContext("2d");
  $("scrub").value = at;
  bar.width = w * devicePixelRatio; bar.height = h * devicePixelRatio;
  pen.scale(devicePixelRatio, devicePixelRatio);
  const inner = w - 16, wide = inner / Math.max(1, clip.frames.length - 1), place = (k) => 8 + k * wide; // as the thumb of the slider moves
  [...clip.frames].forEach((letter, k) => {
    pen.fillStyle = COLOURS[letter];
    if (!TALL.includes(letter)) pen.fillRect(place(k) - wide / 2, h * 0.4, Math.max(wide, 1), h * 0.45);
  });
  [...clip.frames].forEach((letter, k) => {
    pen.fillStyle = COLOURS[letter];
    if (TALL.includes(letter)) pen.fillRect(place(k) - 1.5, 0, 3, h);
  });
  const keys = `${count("K")} of ${count("Kk")} key frames labelled`, between = `${count("b")} frames between accepted`;
  const rest = [clip.looked < 1 ? `the tracker has looked at ${Math.floor(100 * clip.looked)} %, then key frames appear` : "", clip.waiting ? `${clip.waiting} stretches are tracked` : "", count("f") ? `${count("f")} doubtful` : "", clip.problem ?? ""];
  $("where").textContent = [`Frame ${at + 1} of ${clip.frames.length}, ${(clip.times[at] ?? 0).toFixed(2)} s`, keys, between, ...rest].filter(Boolean).join(" · ");
}

$("scrub").oninput = () => goTo(Number($("scrub").value));
new ResizeObserver(showTimeline).observe($("marks"));
