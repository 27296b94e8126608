// The labelling page: shows one photo or one frame of a clip, changes its labels, saves every change.
import * as clip from "./clip.js";
import { add, canUndo, change, forget, hide, nudge, removeHand, swapSides, toggleMissing, undo } from "./edit.js";
import { ask, reason, settled, unsaved } from "./server.js";
import { draw, dropped, zoomToHand } from "./stage.js";
import { $, ABSENT, note, OUTSIDE, page, say, SHOWS, views, VISIBLE } from "./state.js";

const stage = $("stage");
const trail = []; let at = -1; // the photos and clips in the order in which they were seen
let opening = 0;
const pictures = new Map(), PICTURES = 48; // of frames that were just shown, by path

// The photos and the clips are one list.
const items = () => [...page.photos.map((photo, number) => ({ ...photo, number, kind: "photo" })), ...page.clips.map((one, number) => ({ ...one, number, kind: "clip" }))];
const isDone = (item) => (item.kind === "photo" ? item.accepted || item.doubtful : item.looked === 1 && item.keys_done === item.keys);

async function refresh() {
  page.about = await ask("/photos");
  page.photos = page.about.photos; page.clips = page.about.clips;
  showAgreement();
  for (const [path, labels] of unsaved) keepInOverview(path, labels);
  showList();
}

function keepInOverview(path, { accepted, doubtful, hands }) {
  const number = path.match(/^\/photos\/(\d+)$/)?.[1];
  if (number !== undefined) Object.assign(page.photos[number], { accepted, doubtful, hands: hands.length });
}
views.changed = () => keepInOverview(page.current.path, page.current);
views.saved = () => { if (clip.isOpen()) clip.refresh(); };

// --- from image to image ---

// Shows an image; `again` keeps the chosen hand and the message. False if it cannot be shown.
async function openImage(path, frame, again = false) {
  const asked = ++opening;
  if (!again) {
    say(""); page.shown = "labels"; page.current = null; forget(); dropped();
    if (frame === undefined) Object.assign(page, { zoom: null, point: 0, hand: 0, image: null });
    stage.dataset.photo = stage.dataset.frame = "";
    show();
  }
  try {
    const [labels, picture] = await Promise.all([ask(path), pictureOf(path, frame !== undefined)]);
    if (asked !== opening) return true;
    page.image = picture;
    page.current = { path, frame, ...labels, ...structuredClone(unsaved.get(path)) };
    if (frame === undefined) { page.cross = [labels.width / 2, labels.height / 2]; stage.dataset.photo = path.split("/").at(-1); }
    else stage.dataset.frame = frame;
    page.hand = Math.max(0, Math.min(page.hand, page.current.hands.length - 1));
    show();
    return true;
  } catch (error) {
    if (asked === opening) say(error.refused ? error.message : "The server does not answer. Start it again, then press a key.");
    show();
    return false;
  }
}

async function pictureOf(path, isFrame) {
  const known = pictures.get(path);
  if (known) return known;
  const picture = new Image();
  picture.src = `${path}/image`;
  await picture.decode().catch(() => {});
  if (isFrame) pictures.set(path, picture);
  if (pictures.size > PICTURES) pictures.delete(pictures.keys().next().value);
  return picture;
}

async function open(index) {
  const item = items()[index];
  clip.close(); pictures.clear();
  page.current = null; $("name").textContent = item.name;
  showActions(); showList();
  if (item.kind === "photo") return openImage(`/photos/${item.number}`);
  say("Opening the clip…"); show();
  try { await clip.openClip(item.number, openImage); } catch (error) { say(reason(error)); }
  showActions(); show();
}

function visit(index) { trail.splice(at + 1); trail.push(index); at = trail.length - 1; return open(index); }

// What nobody has done and was not seen yet, and about which the tracker doubts most; clips after the photos.
async function next() {
  if (at < trail.length - 1) return open(trail[++at]);
  page.current = null; stage.dataset.photo = ""; show(); // keys of somebody fast do not reach the photo that is done
  try { await refresh(); } catch { /* the last overview will do */ }
  const left = items().map((item, index) => ({ ...item, index })).filter((item) => !isDone(item) && !item.problem && item.index !== trail[at]);
  const fresh = left.filter((item) => !trail.includes(item.index));
  const rank = (item) => (item.kind === "clip" ? -2 - item.number : item.doubt ?? -1);
  const best = (fresh.length ? fresh : left).sort((a, b) => rank(b) - rank(a))[0];
  if (best) return visit(best.index);
  await (at < 0 ? visit(0) : open(trail[at]));
  say(page.clips.length ? "Everything else is done or flagged. Choose something on the left to change it." : "Every other photo is done or flagged. Choose one on the left to change it.");
}
function previous() { return at > 0 ? open(trail[--at]) : say("This is the first photo of this visit. The list on the left has all photos."); }
const onward = () => (clip.isOpen() ? clip.nextToDo() : next());

// --- actions and keys ---

function accept() { change((current) => { current.accepted = true; current.doubtful = false; }); return onward(); }
function acceptNone() { change((current) => { current.hands = []; current.accepted = true; current.doubtful = false; }); return onward(); }
function nextHand() { page.hand = (page.hand + 1) % page.current.hands.length; if (page.zoom) { page.zoom = null; zoomToHand(); } show(); }
function nextPoint(by) { const { length } = page.about.names; page.point = (page.point + length + by) % length; show(); }
function compareNext() { page.shown = SHOWS[(SHOWS.indexOf(page.shown) + 1) % 3]; compareOne(page.current.path); show(); }

const withHand = () => page.current?.hands.length > 0, withImage = () => page.current !== null;
const ofPhoto = () => !clip.isOpen(), ofClip = () => clip.isOpen(), always = () => true;
const ACTIONS = [ // label or labels of photo and clip, keys, where it is shown, when it can be done, what it does
  [["Accept, next photo", "Accept, next key frame"], ["Enter"], always, withHand, accept],
  [["No hand here, next photo", "No hand here, next key frame"], ["0"], always, withImage, acceptNone],
  ["Doubtful: leave it out", ["d"], always, withImage, () => change((current) => { current.doubtful = !current.doubtful; current.accepted = false; })],
  ["Next frame", ["ArrowRight"], ofClip, always, () => clip.step(1)],
  ["Previous frame", ["ArrowLeft"], ofClip, always, () => clip.step(-1)],
  ["Next key frame", ["k"], ofClip, always, () => clip.toKeyFrame(1)],
  ["Previous key frame", ["j"], ofClip, always, () => clip.toKeyFrame(-1)],
  ["Key frame, or not", ["s"], ofClip, withImage, clip.setKeyFrame],
  ["Accept the frames between", ["a"], ofClip, always, clip.acceptStretch],
  ["Next doubtful frame", ["g"], ofClip, always, clip.toDoubtful],
  ["Next photo", ["ArrowRight", "n"], ofPhoto, always, next],
  ["Previous photo", ["ArrowLeft", "p"], ofPhoto, always, previous],
  ["Next photo or clip", ["n"], ofClip, always, next],
  ["Previous photo or clip", ["p"], ofClip, always, previous],
  ["Undo", ["u", "z"], always, canUndo, undo],
  ["Zoom to the hand, or out", ["f"], always, withImage, zoomToHand],
  ["Next hand", ["h"], always, withHand, nextHand],
  ["Next point", ["."], always, withHand, () => nextPoint(1)],
  ["Previous point", [","], always, withHand, () => nextPoint(-1)],
  ["Point hidden or visible", ["v"], always, withHand, hide],
  ["Point missing from the hand, or at the cross", ["m"], always, withHand, toggleMissing],
  ["Swap left and right", ["x"], always, withHand, swapSides],
  ["Delete the hand", ["Delete", "Backspace"], always, withHand, removeHand],
  ["Labels, before, after", ["c"], () => page.about?.compares, withImage, compareNext],
  ["Add a hand at the cross", ["b"], always, withImage, () => add(page.cross)],
];
const SHOWN = { ArrowRight: "→", ArrowLeft: "←", Delete: "Del" };
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

for (const [, keys, , , run] of ACTIONS) {
  const button = document.createElement("button"), key = document.createElement("kbd");
  key.textContent = SHOWN[keys[0]] ?? keys[0];
  button.append(document.createElement("span"), key);
  button.onclick = () => { run(); stage.focus(); };
  $("actions").append(button);
}

addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT") return;
  if (event.target.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")) return;
  const way = MOVES[event.key];
  if (event.shiftKey && way && page.current) { event.preventDefault(); const step = event.altKey ? 10 : 1; return nudge(way[0] * step, way[1] * step); }
  if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
  const action = ACTIONS.find(([, keys, isShown]) => keys.includes(event.key) && isShown());
  if (action) { event.preventDefault(); if (action[3]()) action[4](); }
});

// --- what stands beside the image ---

function showActions() {
  [...$("actions").children].forEach((button, k) => {
    const [label, , isShown] = ACTIONS[k];
    button.hidden = !isShown();
    button.firstChild.textContent = typeof label === "string" ? label : label[clip.isOpen() ? 1 : 0];
  });
}

function stateOf(current) {
  if (!current) return "Loading…";
  if (current.doubtful) return "Doubtful: not in the label file";
  const hands = current.hands.length ? "" : ": no hand";
  if (current.mark === "key") return current.accepted ? `Key frame, accepted${hands}` : "Key frame, not accepted yet";
  if (current.mark === "between") return `Between key frames, accepted${hands}`;
  if (current.frame !== undefined) return current.doubt === null ? "No key frame: this is what the tracker sees" : `Filled from the key frames around it, doubt ${current.doubt.toFixed(2)}`;
  return current.accepted ? `Accepted${hands}` : "Not accepted yet";
}

function show() {
  [...$("actions").children].forEach((button, k) => { button.disabled = !ACTIONS[k][3](); });
  const { current, about } = page, one = current?.hands[page.hand];
  $("state").textContent = stateOf(current);
  const code = one?.visibility?.[page.point], seen = code === VISIBLE ? "visible" : code === OUTSIDE ? "outside" : code === ABSENT ? "missing from this hand" : code == null ? "visibility unknown" : "hidden";
  if (about) showCompared();
  $("selected").textContent = one ? `Hand ${page.hand + 1} of ${current.hands.length}, ${one.handedness ?? "side unknown"}: ${about.names[page.point]}, ${seen}` : current ? "No hand is labelled." : "";
  clip.showTimeline();
  draw();
}

function showAgreement() {
  const found = page.about.agreement;
  $("agreement").hidden = !found;
  if (!found) return;
  const points = found.median === undefined ? "" : ` Points are ${found.median} % of the palm apart (worst tenth: ${found.tenth} %), and ${Math.round(100 * found.same_side)} % of the sides are the same.`;
  $("agreement").textContent = `Two people labelled ${found.photos} of these images: ${found.hands} hands both, ${found.alone} only one.${points}`;
}

function showList() {
  const all = items(), done = all.filter((item) => (item.kind === "photo" ? item.accepted : isDone(item))).length;
  $("progress").max = all.length; $("progress").value = done;
  $("count").textContent = `${done} of ${all.length} done`;
  $("list").replaceChildren(...all.map((item, index) => {
    const entry = document.createElement("li"), button = document.createElement("button"), name = document.createElement("span"), mark = document.createElement("span");
    name.textContent = button.title = item.name;
    const progress = item.kind === "clip" ? (item.looked < 1 ? `${Math.floor(100 * item.looked)} %` : `${item.keys_done}/${item.keys}`) : item.doubtful ? "?" : item.accepted ? "✓" : item.doubt === null ? "" : item.doubt.toFixed(2);
    mark.textContent = item.problem ? "unreadable" : item.kind === "clip" && isDone(item) ? "✓" : progress;
    mark.title = item.problem ?? (item.kind === "clip" ? "key frames that are labelled, of all" : "✓ done, ? doubtful; a number: how far the views of the tracker disagree");
    if (item.kind === "clip") button.className = "clip";
    if (index === trail[at]) button.setAttribute("aria-current", "true");
    button.onclick = () => { visit(index); stage.focus(); };
    button.append(name, mark); entry.append(button);
    return entry;
  }));
  $("list").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
Object.assign(views, { show, showList });

// --- before and after ---

async function compareOne(path) {
  if (page.compared.has(path) || !page.about.compares) return;
  const answer = await ask(`${path}/comparison`).catch(() => null);
  if (!answer) return;
  page.compared.set(path, answer);
  showCompared(); draw();
}

function showCompared() {
  const counted = [...page.compared.values()].filter((one) => one.counts);
  const median = (values) => (values.length ? values.sort((a, b) => a - b)[values.length >> 1].toFixed(2) : "–");
  const middle = (name) => {
    const all = (what) => counted.flatMap((one) => one[name][what]), missed = counted.reduce((sum, one) => sum + one[name].missed, 0);
    return `${median(all("errors"))} % of the palm, ${median(all("moved"))} % at the points that were moved, ${missed} missed`;
  };
  const own = page.current && page.compared.get(page.current.path);
  const here = own ? ` This image${own.counts ? "" : " (trained on)"}: ${own.before.errors.join(", ") || "–"} before, ${own.after.errors.join(", ") || "–"} after.` : "";
  $("compared").hidden = !page.about.compares;
  $("compared").textContent = `Shown: ${page.shown}. Median error on ${counted.length} ${page.about.held_out ? "held-out" : "accepted"} images: ${middle("before")} before; ${middle("after")} after.${here}`;
}

async function compareAll() {
  if (!page.about.compares) return;
  const { images } = await ask("/comparable").catch(() => ({ images: [] }));
  for (const path of images) await compareOne(path);
  $("compared").dataset.done = "true";
}

// --- download ---

$("download").onchange = async () => {
  const name = $("download").value;
  $("download").value = ""; stage.focus();
  await settled();
  const answer = await fetch(`/labels/${name}`).catch(() => null);
  if (!answer?.ok) return say(answer ? (await answer.json()).error : "The server does not answer. Start it again, then try again.");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = answer.headers.get("Content-Disposition")?.match(/filename="?([^"]+)"?/)?.[1] ?? name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

await refresh();
compareAll();
for (const [name, title] of Object.entries(page.about.formats)) $("download").append(new Option(title, name));
note(`Changes are saved in ${page.about.out}`);
showActions();
await next();
stage.focus();
