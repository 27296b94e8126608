// The canvas: draws the image with its hands, moves points, adds hands. Coordinates are image pixels.
import { add, change, moved } from "./edit.js";
import { $, HIDDEN, OUTSIDE, page, views } from "./state.js";

const stage = $("stage"), pen = stage.getContext("2d");
const GRAB = 14, LENS = 190, ZOOM = 4; // screen pixels, screen pixels, times
let drag = null; // {from, to, found, before}: a point that is dragged, or a box that is drawn

export function dropped() { drag = null; }

// --- the pointer ---

function place() { // how the image lies in the canvas: scale and corner, screen pixels
  const { clientWidth: w, clientHeight: h } = stage;
  const whole = Math.min((w - 48) / page.current.width, (h - 48) / page.current.height);
  if (!page.zoom) return { scale: whole, x: (w - page.current.width * whole) / 2, y: (h - page.current.height * whole) / 2 };
  const scale = whole * page.zoom.times;
  return { scale, x: w / 2 - (page.zoom.x + 0.5) * scale, y: h / 2 - (page.zoom.y + 0.5) * scale };
}
export function zoomToHand() { // and back to the whole image
  const known = page.current.hands[page.hand]?.landmarks?.filter((p) => p[0] !== null) ?? [];
  if (page.zoom || !known.length) page.zoom = null;
  else {
    const xs = known.map((p) => p[0]), ys = known.map((p) => p[1]), [left, top] = [Math.min(...xs), Math.min(...ys)];
    const width = Math.max(...xs) - left, height = Math.max(...ys) - top;
    const times = 0.6 * Math.min(page.current.width / width, page.current.height / height);
    page.zoom = { x: left + width / 2, y: top + height / 2, times: Math.max(1, Math.min(times, 20)) };
  }
  draw();
}
stage.addEventListener("wheel", (event) => { // the place under the pointer stays where it is
  if (!page.current) return;
  event.preventDefault();
  const [px, py] = under(event), { scale } = place(), { clientWidth: w, clientHeight: h } = stage;
  const times = Math.max(1, Math.min(20, (page.zoom?.times ?? 1) * Math.exp(-event.deltaY / 400)));
  if (times === 1) { page.zoom = null; return draw(); }
  const box = stage.getBoundingClientRect(), next = (scale / (page.zoom?.times ?? 1)) * times;
  page.zoom = { times, x: px + (w / 2 - (event.clientX - box.left)) / next, y: py + (h / 2 - (event.clientY - box.top)) / next };
  draw();
}, { passive: false });
function under(event) {
  const box = stage.getBoundingClientRect(), { scale, x, y } = place();
  return [(event.clientX - box.left - x) / scale - 0.5, (event.clientY - box.top - y) / scale - 0.5];
}
function nearest([x, y]) {
  let best = null, least = GRAB / place().scale;
  page.current.hands.forEach((one, k) => one.landmarks?.forEach((p, j) => {
    const away = Math.hypot(p[0] - x, p[1] - y) - (k === page.hand ? 1 : 0);
    if (p[0] !== null && away < least) { least = away; best = [k, j]; }
  }));
  return best;
}
stage.onpointerdown = (event) => {
  if (!page.current || event.button) return;
  stage.setPointerCapture(event.pointerId);
  page.cross = under(event);
  const found = nearest(page.cross);
  drag = { from: page.cross, to: page.cross, found };
  if (found) { [page.hand, page.point] = found; drag.before = [...page.current.hands[page.hand].landmarks[page.point]]; }
  views.show();
};
stage.onpointermove = (event) => {
  if (!page.current) return;
  page.cross = under(event);
  if (drag) {
    drag.to = page.cross;
    if (drag.found) { const p = page.current.hands[page.hand].landmarks[page.point]; p[0] = drag.before[0] + page.cross[0] - drag.from[0]; p[1] = drag.before[1] + page.cross[1] - drag.from[1]; }
  }
  draw();
};
stage.onpointerup = () => {
  if (!drag || !page.current) return;
  const { from, to, found, before } = drag;
  drag = null;
  const far = Math.hypot(to[0] - from[0], to[1] - from[1]) * place().scale;
  if (found) {
    const p = page.current.hands[page.hand].landmarks[page.point], now = [p[0], p[1]];
    [p[0], p[1]] = before; // so that undo has the place before the drag
    if (far > 0.5) change(() => { moved(page.current.hands[page.hand]); [p[0], p[1]] = now; });
    return draw();
  }
  if (far > 8) return add([Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])]);
  const inside = page.current.hands.findIndex(({ landmarks }) => {
    const xs = landmarks?.map((p) => p[0]).filter((v) => v !== null) ?? [], ys = landmarks?.map((p) => p[1]).filter((v) => v !== null) ?? [];
    return from[0] >= Math.min(...xs) && from[0] <= Math.max(...xs) && from[1] >= Math.min(...ys) && from[1] <= Math.max(...ys);
  });
  if (inside < 0) return add(from);
  page.hand = inside; views.show();
};
stage.onpointercancel = () => { if (drag?.found) page.current.hands[page.hand].landmarks[page.point].splice(0, 2, drag.before[0], drag.before[1]); drag = null; draw(); };

// --- drawing ---

export function draw() {
  const ratio = devicePixelRatio, { clientWidth: w, clientHeight: h } = stage;
  stage.width = w * ratio; stage.height = h * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (!page.current || !page.image) return;
  const where = place();
  drawScene(where, false);
  const p = page.current.hands[page.hand]?.landmarks?.[page.point];
  if (p && p[0] !== null) drawLens(p, where, w, h);
}

function drawScene({ scale, x, y }, lens) {
  pen.imageSmoothingEnabled = !lens;
  pen.drawImage(page.image, x, y, page.current.width * scale, page.current.height * scale);
  const on = (p) => [x + (p[0] + 0.5) * scale, y + (p[1] + 0.5) * scale];
  const other = page.shown !== "labels" && page.compared.get(page.current.path)?.[page.shown];
  for (const points of other ? other.hands : []) for (const [a, b, colour] of page.about.bones) {
    if (points[a]?.[0] == null || points[b]?.[0] == null) continue;
    pen.globalAlpha = 1; pen.lineWidth = lens ? 1.5 : 3; pen.strokeStyle = colour;
    pen.beginPath(); pen.moveTo(...on(points[a])); pen.lineTo(...on(points[b])); pen.stroke();
  }
  if (other) return (pen.globalAlpha = 1);
  page.current.hands.forEach((one, k) => {
    if (!one.landmarks) return;
    const known = (j) => one.landmarks[j][0] !== null, hidden = (j) => [1, HIDDEN, OUTSIDE].includes(one.visibility?.[j]);
    pen.globalAlpha = k === page.hand ? 1 : 0.6;
    const xs = one.landmarks.filter((p) => p[0] !== null).map((p) => p[0]), span = (Math.max(...xs) - Math.min(...xs)) * scale;
    const dot = lens ? 3 : Math.max(2, Math.min(k === page.hand ? 5 : 4, span / 22)); // small hands are not hidden by their points
    for (const [a, b, colour] of page.about.bones) {
      if (!known(a) || !known(b)) continue;
      pen.beginPath(); pen.moveTo(...on(one.landmarks[a])); pen.lineTo(...on(one.landmarks[b]));
      pen.setLineDash(hidden(a) || hidden(b) ? [5, 4] : []);
      pen.lineWidth = lens ? 1.5 : Math.min(dot * 0.6, k === page.hand ? 3 : 2); pen.strokeStyle = colour; pen.stroke();
    }
    pen.setLineDash([]);
    one.landmarks.forEach((p, j) => {
      if (!known(j)) return;
      pen.beginPath(); pen.arc(...on(p), dot, 0, 7);
      pen.fillStyle = hidden(j) ? "#14171c" : page.about.joints[j]; pen.strokeStyle = hidden(j) ? page.about.joints[j] : "#14171c";
      pen.lineWidth = hidden(j) ? dot / 2 : Math.min(1.5, dot / 3); pen.fill(); pen.stroke();
      if (k === page.hand && j === page.point) { pen.beginPath(); pen.arc(...on(p), 9, 0, 7); pen.strokeStyle = "#fff"; pen.lineWidth = 2; pen.stroke(); }
    });
    const top = one.landmarks.filter((p) => p[0] !== null).reduce((a, b) => (a[1] < b[1] ? a : b)), [tx, ty] = on(top);
    const text = one.handedness ?? "side unknown";
    pen.font = "600 14px system-ui"; pen.textAlign = "center"; pen.lineWidth = 4; pen.strokeStyle = "#14171c"; pen.fillStyle = "#fff";
    if (!lens) { const up = Math.max(18, ty - 14); pen.strokeText(text, tx, up); pen.fillText(text, tx, up); }
    pen.globalAlpha = 1;
  });
  if (lens) return;
  const [cx, cy] = on(page.cross);
  pen.strokeStyle = "#ffffffa0"; pen.lineWidth = 1; pen.beginPath();
  pen.moveTo(cx - 9, cy); pen.lineTo(cx + 9, cy); pen.moveTo(cx, cy - 9); pen.lineTo(cx, cy + 9); pen.stroke();
  if (drag && !drag.found) { const [fx, fy] = on(drag.from); pen.setLineDash([6, 4]); pen.strokeRect(fx, fy, cx - fx, cy - fy); pen.setLineDash([]); }
}

// The magnifier around the chosen point, in the corner that is farthest from it.
function drawLens(p, { scale, x, y }, w, h) {
  const sx = x + (p[0] + 0.5) * scale, sy = y + (p[1] + 0.5) * scale, r = Math.min(LENS, 0.4 * Math.min(w, h)) / 2;
  const lx = sx < w / 2 ? w - r - 10 : r + 10, ly = sy < h / 2 ? h - r - 10 : r + 10;
  pen.save();
  pen.beginPath(); pen.arc(lx, ly, r, 0, 7); pen.clip();
  pen.fillStyle = "#0c0e11"; pen.fillRect(lx - r, ly - r, 2 * r, 2 * r);
  const big = scale * ZOOM;
  drawScene({ scale: big, x: lx - (p[0] + 0.5) * big, y: ly - (p[1] + 0.5) * big }, true);
  pen.restore();
  pen.beginPath(); pen.arc(lx, ly, r, 0, 7); pen.strokeStyle = "#fff"; pen.lineWidth = 2; pen.stroke();
}

new ResizeObserver(draw).observe(stage);
views.draw = draw;
