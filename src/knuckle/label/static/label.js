// The labelling page: shows one photo, changes its labels, saves every change. Coordinates are image pixels.
const $ = (id) => document.getElementById(id);
const stage = $("stage"), pen = stage.getContext("2d");
const VISIBLE = 0, HIDDEN = 2, OUTSIDE = 3; // the codes of the label files
const GRAB = 14, LENS = 190, ZOOM = 4; // screen pixels, screen pixels, times
let about, photos = [], image = null, current = null; // current: {number, width, height, hands, accepted, doubtful}
let zoom = null; // {x, y, times}: the place of the photo in the middle of the canvas; null shows the whole photo
let hand = 0, point = 0, cross = [0, 0], drag = null, past = [];
const trail = []; let at = -1; // the photos in the order in which they were seen
const SHOWS = ["labels", "before", "after"], compared = new Map(); let shown = "labels"; // what two bundles see, by photo
const unsaved = new Map(); let sending = false; // labels by photo that the server does not have yet

// --- the server ---

async function ask(path, method = "GET", body = undefined) {
  const answer = await fetch(path, { method, body: body && JSON.stringify(body), headers: body && { "Content-Type": "application/json" } });
  const content = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(content.error), { refused: true });
  return content;
}

async function refresh() {
  about = await ask("/photos");
  photos = about.photos;
  showAgreement();
  for (const [number, labels] of unsaved) Object.assign(photos[number], { accepted: labels.accepted, doubtful: labels.doubtful });
  showList();
}

function save() {
  const { number, hands, accepted, doubtful } = current;
  unsaved.set(number, structuredClone({ hands, accepted, doubtful }));
  Object.assign(photos[number], { accepted, doubtful, hands: hands.length });
  showList(); show(); send();
}

// One request at a time. If the server is gone, the labels wait here and are sent when it is back.
async function send() {
  if (sending) return;
  sending = true;
  while (unsaved.size) {
    const [number, labels] = unsaved.entries().next().value;
    note("Saving…");
    try {
      await ask(`/photos/${number}`, "PUT", labels);
      if (unsaved.get(number) === labels) unsaved.delete(number);
    } catch (error) {
      note(`Not saved: ${error.refused ? error.message : "the server does not answer; keep this page open"}`, true);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  sending = false;
  note(`All changes saved in ${about.out}`);
}

function note(text, bad = false) { $("saved").textContent = text; $("saved").classList.toggle("bad", bad); }
function say(text) { $("message").textContent = text; $("message").hidden = !text; }
addEventListener("beforeunload", (event) => { if (unsaved.size) event.preventDefault(); });

// --- from photo to photo ---

async function open(number) {
  const asked = ++opening;
  say(""); shown = "labels"; zoom = null; image = current = null; point = hand = 0; past = []; drag = null;
  stage.dataset.photo = "";
  $("name").textContent = photos[number].name; show(); showList(number);
  try {
    const picture = new Image();
    picture.src = `/photos/${number}/image`;
    const [labels] = await Promise.all([ask(`/photos/${number}`), picture.decode().catch(() => {})]);
    if (asked !== opening) return;
    image = picture;
    current = { number, ...labels, ...structuredClone(unsaved.get(number)) };
    cross = [labels.width / 2, labels.height / 2];
    stage.dataset.photo = number;
  } catch (error) {
    if (asked === opening) say(error.refused ? error.message : "The server does not answer. Start it again, then press a key.");
  }
  show(); showList(number);
}
let opening = 0;

function visit(number) { trail.splice(at + 1); trail.push(number); at = trail.length - 1; return open(number); }

// The photo that nobody has done, that was not seen yet, and about which the views of the tracker disagree most.
async function next() {
  if (at < trail.length - 1) return open(trail[++at]);
  current = null; stage.dataset.photo = ""; show(); // keys of somebody fast do not reach the photo that is done
  try { await refresh(); } catch { /* the last overview will do */ }
  const open_ = photos.map((photo, number) => ({ ...photo, number })).filter((photo) => !photo.accepted && !photo.doubtful && !photo.problem && photo.number !== trail[at]);
  const fresh = open_.filter((photo) => !trail.includes(photo.number));
  const best = (fresh.length ? fresh : open_).sort((a, b) => (b.doubt ?? -1) - (a.doubt ?? -1))[0];
  if (best) return visit(best.number);
  await (at < 0 ? visit(0) : open(trail[at]));
  say("Every other photo is done or flagged. Choose one on the left to change it.");
}
function previous() { return at > 0 ? open(trail[--at]) : say("This is the first photo of this visit. The list on the left has all photos."); }

// --- changes ---

function change(edit) {
  past.push(structuredClone({ hands: current.hands, accepted: current.accepted, doubtful: current.doubtful, hand }));
  edit();
  hand = Math.max(0, Math.min(hand, current.hands.length - 1));
  save();
}
function undo() { const before = past.pop(); if (before) { ({ hand } = before); delete before.hand; Object.assign(current, before); save(); } }
function codes() { return (current.hands[hand].visibility ??= Array(21).fill(null)); }
// The metric landmarks and boxes of the tracker do not belong to corrected points.
function moved(one) {
  delete one.world; delete one.box; delete one.palm;
  one.corrected = [...new Set([...(one.corrected ?? []), point])].sort((a, b) => a - b);
}
function nudge(dx, dy) {
  const target = current.hands[hand]?.landmarks?.[point];
  if (!target || target[0] === null) { cross = [cross[0] + dx, cross[1] + dy]; return draw(); }
  change(() => { moved(current.hands[hand]); target[0] += dx; target[1] += dy; });
}
function accept() { change(() => { current.accepted = true; current.doubtful = false; }); return next(); }
async function add(place) {
  const { number } = current;
  say("Looking at this place…");
  try {
    const answer = await ask(`/photos/${number}/hand`, "POST", { place });
    if (current?.number !== number) return;
    say(answer.seen ? "" : "The network sees no hand here. Drag the points of this one into place.");
    change(() => { current.hands.push(answer.hand); hand = current.hands.length - 1; point = 0; current.accepted = false; });
    hand = current.hands.length - 1; show();
  } catch (error) { say(error.refused ? error.message : "The server does not answer. Start it again, then try again."); }
}

const withHand = () => current?.hands.length > 0, withPhoto = () => current !== null;
const ACTIONS = [ // label, keys, when it can be done, what it does
  ["Accept, next photo", ["Enter"], withHand, accept],
  ["No hand here, next photo", ["0"], withPhoto, () => { change(() => { current.hands = []; current.accepted = true; current.doubtful = false; }); return next(); }],
  ["Doubtful: leave it out", ["d"], withPhoto, () => change(() => { current.doubtful = !current.doubtful; current.accepted = false; })],
  ["Next photo", ["ArrowRight", "n"], () => true, next],
  ["Previous photo", ["ArrowLeft", "p"], () => true, previous],
  ["Undo", ["u", "z"], () => past.length > 0, undo],
  ["Zoom to the hand, or out", ["f"], withPhoto, zoomToHand],
  ["Next hand", ["h"], withHand, () => { hand = (hand + 1) % current.hands.length; if (zoom) { zoom = null; zoomToHand(); } show(); }],
  ["Next point", ["."], withHand, () => { point = (point + 1) % 21; show(); }],
  ["Previous point", [","], withHand, () => { point = (point + 20) % 21; show(); }],
  ["Point hidden or visible", ["v"], withHand, () => change(() => { codes()[point] = codes()[point] === VISIBLE ? HIDDEN : VISIBLE; })],
  ["Swap left and right", ["x"], withHand, () => change(() => { const one = current.hands[hand]; one.handedness = one.handedness === "Left" ? "Right" : "Left"; delete one.world; })],
  ["Delete the hand", ["Delete", "Backspace"], withHand, () => change(() => { current.hands.splice(hand, 1); current.accepted = false; })],
  ["Labels, before, after", ["c"], () => withPhoto() && about.compares, () => { shown = SHOWS[(SHOWS.indexOf(shown) + 1) % 3]; compareOne(current.number); show(); }],
  ["Add a hand at the cross", ["b"], withPhoto, () => add(cross)],
];
const SHOWN = { ArrowRight: "→", ArrowLeft: "←", Delete: "Del" };
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

for (const [label, keys, , run] of ACTIONS) {
  const button = document.createElement("button");
  const key = document.createElement("kbd");
  key.textContent = SHOWN[keys[0]] ?? keys[0];
  button.append(label, key);
  button.onclick = () => { run(); stage.focus(); };
  $("actions").append(button);
}
const help = document.createElement("p");
help.innerHTML = "<kbd>Shift</kbd> and arrows move the point by 1 pixel, with <kbd>Alt</kbd> by 10. Without a hand they move the cross.";
$("actions").after(help);

addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT") return;
  if (event.target.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")) return;
  const way = MOVES[event.key];
  if (event.shiftKey && way && current) { event.preventDefault(); const step = event.altKey ? 10 : 1; return nudge(way[0] * step, way[1] * step); }
  if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
  const action = ACTIONS.find(([, keys]) => keys.includes(event.key));
  if (action) { event.preventDefault(); if (action[2]()) action[3](); }
});

// --- the pointer ---

function place() { // how the photo lies in the canvas: scale and corner, screen pixels
  const { clientWidth: w, clientHeight: h } = stage;
  const whole = Math.min((w - 48) / current.width, (h - 48) / current.height);
  if (!zoom) return { scale: whole, x: (w - current.width * whole) / 2, y: (h - current.height * whole) / 2 };
  const scale = whole * zoom.times;
  return { scale, x: w / 2 - (zoom.x + 0.5) * scale, y: h / 2 - (zoom.y + 0.5) * scale };
}
function zoomToHand() { // and back to the whole photo
  const known = current.hands[hand]?.landmarks?.filter((p) => p[0] !== null) ?? [];
  if (zoom || !known.length) zoom = null;
  else {
    const xs = known.map((p) => p[0]), ys = known.map((p) => p[1]), [left, top] = [Math.min(...xs), Math.min(...ys)];
    const width = Math.max(...xs) - left, height = Math.max(...ys) - top;
    const times = 0.6 * Math.min(current.width / width, current.height / height);
    zoom = { x: left + width / 2, y: top + height / 2, times: Math.max(1, Math.min(times, 20)) };
  }
  draw();
}
stage.addEventListener("wheel", (event) => { // the place under the pointer stays where it is
  if (!current) return;
  event.preventDefault();
  const [px, py] = under(event), { scale } = place(), { clientWidth: w, clientHeight: h } = stage;
  const times = Math.max(1, Math.min(20, (zoom?.times ?? 1) * Math.exp(-event.deltaY / 400)));
  if (times === 1) { zoom = null; return draw(); }
  const box = stage.getBoundingClientRect(), next = (scale / (zoom?.times ?? 1)) * times;
  zoom = { times, x: px + (w / 2 - (event.clientX - box.left)) / next, y: py + (h / 2 - (event.clientY - box.top)) / next };
  draw();
}, { passive: false });
function under(event) {
  const box = stage.getBoundingClientRect(), { scale, x, y } = place();
  return [(event.clientX - box.left - x) / scale - 0.5, (event.clientY - box.top - y) / scale - 0.5];
}
function nearest([x, y]) {
  let best = null, least = GRAB / place().scale;
  current.hands.forEach((one, k) => one.landmarks?.forEach((p, j) => {
    const away = Math.hypot(p[0] - x, p[1] - y) - (k === hand ? 1 : 0);
    if (p[0] !== null && away < least) { least = away; best = [k, j]; }
  }));
  return best;
}
stage.onpointerdown = (event) => {
  if (!current || event.button) return;
  stage.setPointerCapture(event.pointerId);
  cross = under(event);
  const found = nearest(cross);
  drag = { from: cross, to: cross, found };
  if (found) { [hand, point] = found; drag.before = [...current.hands[hand].landmarks[point]]; }
  show();
};
stage.onpointermove = (event) => {
  if (!current) return;
  cross = under(event);
  if (drag) {
    drag.to = cross;
    if (drag.found) { const p = current.hands[hand].landmarks[point]; p[0] = drag.before[0] + cross[0] - drag.from[0]; p[1] = drag.before[1] + cross[1] - drag.from[1]; }
  }
  draw();
};
stage.onpointerup = () => {
  if (!drag || !current) return;
  const { from, to, found, before } = drag;
  drag = null;
  const far = Math.hypot(to[0] - from[0], to[1] - from[1]) * place().scale;
  if (found) {
    const p = current.hands[hand].landmarks[point], now = [p[0], p[1]];
    [p[0], p[1]] = before; // so that undo has the place before the drag
    if (far > 0.5) change(() => { moved(current.hands[hand]); [p[0], p[1]] = now; });
    return draw();
  }
  if (far > 8) return add([Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])]);
  const inside = current.hands.findIndex(({ landmarks }) => {
    const xs = landmarks?.map((p) => p[0]).filter((v) => v !== null) ?? [], ys = landmarks?.map((p) => p[1]).filter((v) => v !== null) ?? [];
    return from[0] >= Math.min(...xs) && from[0] <= Math.max(...xs) && from[1] >= Math.min(...ys) && from[1] <= Math.max(...ys);
  });
  if (inside < 0) return add(from);
  hand = inside; show();
};
stage.onpointercancel = () => { if (drag?.found) current.hands[hand].landmarks[point].splice(0, 2, drag.before[0], drag.before[1]); drag = null; draw(); };

// --- drawing ---

function draw() {
  const ratio = devicePixelRatio, { clientWidth: w, clientHeight: h } = stage;
  stage.width = w * ratio; stage.height = h * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (!current || !image) return;
  const where = place();
  drawScene(where, false);
  const p = current.hands[hand]?.landmarks?.[point];
  if (p && p[0] !== null) drawLens(p, where, w, h);
}

function drawScene({ scale, x, y }, lens) {
  pen.imageSmoothingEnabled = !lens;
  pen.drawImage(image, x, y, current.width * scale, current.height * scale);
  const on = (p) => [x + (p[0] + 0.5) * scale, y + (p[1] + 0.5) * scale];
  const other = shown !== "labels" && compared.get(current.number)?.[shown];
  for (const points of other ? other.hands : []) for (const [a, b, colour] of about.bones) {
    pen.globalAlpha = 1; pen.lineWidth = lens ? 1.5 : 3; pen.strokeStyle = colour;
    pen.beginPath(); pen.moveTo(...on(points[a])); pen.lineTo(...on(points[b])); pen.stroke();
  }
  if (other) return (pen.globalAlpha = 1);
  current.hands.forEach((one, k) => {
    if (!one.landmarks) return;
    const known = (j) => one.landmarks[j][0] !== null, hidden = (j) => [1, HIDDEN, OUTSIDE].includes(one.visibility?.[j]);
    pen.globalAlpha = k === hand ? 1 : 0.6;
    const xs = one.landmarks.filter((p) => p[0] !== null).map((p) => p[0]), span = (Math.max(...xs) - Math.min(...xs)) * scale;
    const dot = lens ? 3 : Math.max(2, Math.min(k === hand ? 5 : 4, span / 22)); // small hands are not hidden by their points
    for (const [a, b, colour] of about.bones) {
      if (!known(a) || !known(b)) continue;
      pen.beginPath(); pen.moveTo(...on(one.landmarks[a])); pen.lineTo(...on(one.landmarks[b]));
      pen.setLineDash(hidden(a) || hidden(b) ? [5, 4] : []);
      pen.lineWidth = lens ? 1.5 : Math.min(dot * 0.6, k === hand ? 3 : 2); pen.strokeStyle = colour; pen.stroke();
    }
    pen.setLineDash([]);
    one.landmarks.forEach((p, j) => {
      if (!known(j)) return;
      pen.beginPath(); pen.arc(...on(p), dot, 0, 7);
      pen.fillStyle = hidden(j) ? "#14171c" : about.joints[j]; pen.strokeStyle = hidden(j) ? about.joints[j] : "#14171c";
      pen.lineWidth = hidden(j) ? dot / 2 : Math.min(1.5, dot / 3); pen.fill(); pen.stroke();
      if (k === hand && j === point) { pen.beginPath(); pen.arc(...on(p), 9, 0, 7); pen.strokeStyle = "#fff"; pen.lineWidth = 2; pen.stroke(); }
    });
    const top = one.landmarks.filter((p) => p[0] !== null).reduce((a, b) => (a[1] < b[1] ? a : b)), [tx, ty] = on(top);
    const text = one.handedness ?? "side unknown";
    pen.font = "600 14px system-ui"; pen.textAlign = "center"; pen.lineWidth = 4; pen.strokeStyle = "#14171c"; pen.fillStyle = "#fff";
    if (!lens) { const up = Math.max(18, ty - 14); pen.strokeText(text, tx, up); pen.fillText(text, tx, up); }
    pen.globalAlpha = 1;
  });
  if (lens) return;
  const [cx, cy] = on(cross);
  pen.strokeStyle = "#ffffffa0"; pen.lineWidth = 1; pen.beginPath();
  pen.moveTo(cx - 9, cy); pen.lineTo(cx + 9, cy); pen.moveTo(cx, cy - 9); pen.lineTo(cx, cy + 9); pen.stroke();
  if (drag && !drag.found) { const [fx, fy] = on(drag.from); pen.setLineDash([6, 4]); pen.strokeRect(fx, fy, cx - fx, cy - fy); pen.setLineDash([]); }
}

// The magnifier around the chosen point, in the corner that is farthest from it.
function drawLens(p, { scale, x, y }, w, h) {
  const sx = x + (p[0] + 0.5) * scale, sy = y + (p[1] + 0.5) * scale, r = LENS / 2;
  const lx = sx < w / 2 ? w - r - 10 : r + 10, ly = sy < h / 2 ? h - r - 10 : r + 10;
  pen.save();
  pen.beginPath(); pen.arc(lx, ly, r, 0, 7); pen.clip();
  pen.fillStyle = "#0c0e11"; pen.fillRect(lx - r, ly - r, LENS, LENS);
  const big = scale * ZOOM;
  drawScene({ scale: big, x: lx - (p[0] + 0.5) * big, y: ly - (p[1] + 0.5) * big }, true);
  pen.restore();
  pen.beginPath(); pen.arc(lx, ly, r, 0, 7); pen.strokeStyle = "#fff"; pen.lineWidth = 2; pen.stroke();
}

function show() {
  [...$("actions").children].forEach((button, k) => { button.disabled = !ACTIONS[k][2](); });
  const one = current?.hands[hand];
  $("state").textContent = !current ? "Loading…" : current.accepted ? (current.hands.length ? "Accepted" : "Accepted: no hand") : current.doubtful ? "Doubtful: not in the label file" : "Not accepted yet";
  const code = one?.visibility?.[point], seen = code === VISIBLE ? "visible" : code === OUTSIDE ? "outside" : code == null ? "visibility unknown" : "hidden";
  if (about) showCompared();
  $("selected").textContent = one ? `Hand ${hand + 1} of ${current.hands.length}, ${one.handedness ?? "side unknown"}: ${about.names[point]}, ${seen}` : current ? "No hand is labelled." : "";
  draw();
}

function showAgreement() {
  const found = about.agreement;
  $("agreement").hidden = !found;
  if (!found) return;
  const points = found.median === undefined ? "" : ` Points are ${found.median} % of the palm apart (worst tenth: ${found.tenth} %), and ${Math.round(100 * found.same_side)} % of the sides are the same.`;
  $("agreement").textContent = `Two people labelled ${found.photos} of these photos: ${found.hands} hands both, ${found.alone} only one.${points}`;
}

function showList(chosen = current?.number) {
  const done = photos.filter((photo) => photo.accepted).length;
  $("progress").max = photos.length; $("progress").value = done;
  $("count").textContent = `${done} of ${photos.length} done`;
  $("list").replaceChildren(...photos.map((photo, number) => {
    const item = document.createElement("li"), button = document.createElement("button"), name = document.createElement("span"), mark = document.createElement("span");
    name.textContent = button.title = photo.name;
    mark.textContent = photo.problem ? "unreadable" : photo.doubtful ? "?" : photo.accepted ? "✓" : photo.doubt === null ? "" : photo.doubt.toFixed(2);
    mark.title = "✓ done, ? doubtful; a number: how far the views of the tracker disagree";
    if (number === chosen) button.setAttribute("aria-current", "true");
    button.onclick = () => { visit(number); stage.focus(); };
    button.append(name, mark); item.append(button);
    return item;
  }));
  $("list").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
}

// --- before and after ---

async function compareOne(number) {
  if (compared.has(number) || !photos[number].accepted) return;
  const answer = await ask(`/photos/${number}/comparison`).catch(() => null);
  if (!answer) return;
  compared.set(number, answer);
  showCompared(); draw();
}

function showCompared() {
  const counted = [...compared.values()].filter((one) => one.counts);
  const middle = (name) => {
    const errors = counted.flatMap((one) => one[name].errors).sort((a, b) => a - b), missed = counted.reduce((sum, one) => sum + one[name].missed, 0);
    return `${errors.length ? errors[errors.length >> 1].toFixed(2) : "–"} % of the palm, ${missed} missed`;
  };
  const own = current && compared.get(current.number);
  const here = own ? ` This photo${own.counts ? "" : " (trained on)"}: ${own.before.errors.join(", ") || "–"} before, ${own.after.errors.join(", ") || "–"} after.` : "";
  $("compared").hidden = !about.compares;
  $("compared").textContent = `Shown: ${shown}. Median error on ${counted.length} ${about.held_out ? "held-out" : "accepted"} photos: ${middle("before")} before; ${middle("after")} after.${here}`;
}

// --- download ---

$("download").onchange = async () => {
  const name = $("download").value;
  $("download").value = ""; stage.focus();
  const answer = await fetch(`/labels/${name}`).catch(() => null);
  if (!answer?.ok) return say(answer ? (await answer.json()).error : "The server does not answer. Start it again, then try again.");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = answer.headers.get("Content-Disposition")?.match(/filename="?([^"]+)"?/)?.[1] ?? name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

new ResizeObserver(draw).observe(stage);
await refresh();
(async () => { if (about.compares) for (let number = 0; number < photos.length; number++) await compareOne(number); })();
for (const [name, title] of Object.entries(about.formats)) $("download").append(new Option(title, name));
note(`Changes are saved in ${about.out}`);
await next();
stage.focus();
