// Changes to the labels of the image that is shown. Each is saved at once, and can be undone until another image is shown.
import { ask, keep, reason } from "./server.js";
import { ABSENT, HIDDEN, page, say, views, VISIBLE } from "./state.js";

let past = [];

export function forget() { past = []; }
export const canUndo = () => past.length > 0;

export function change(edit) {
  const { current } = page;
  past.push(structuredClone({ hands: current.hands, accepted: current.accepted, doubtful: current.doubtful, hand: page.hand }));
  if (current.mark !== undefined && current.mark !== "key") Object.assign(current, { mark: "key", accepted: false }); // a person's own now
  edit(current);
  page.hand = Math.max(0, Math.min(page.hand, current.hands.length - 1));
  save();
}

export function undo() {
  const before = past.pop();
  if (!before) return;
  page.hand = before.hand; delete before.hand;
  Object.assign(page.current, before);
  save();
}

function save() {
  const { path, hands, accepted, doubtful } = page.current;
  keep(path, { hands, accepted, doubtful });
  views.changed(path);
  views.showList(); views.show();
}

// The metric landmarks and boxes of the tracker do not belong to corrected points.
export function moved(one) {
  delete one.world; delete one.box; delete one.palm;
  one.corrected = [...new Set([...(one.corrected ?? []), page.point])].sort((a, b) => a - b);
}

export function nudge(dx, dy) {
  const target = page.current.hands[page.hand]?.landmarks?.[page.point];
  if (!target || target[0] === null) { page.cross = [page.cross[0] + dx, page.cross[1] + dy]; return views.draw(); }
  change(() => { moved(page.current.hands[page.hand]); target[0] += dx; target[1] += dy; });
}

const codesOf = (one) => (one.visibility ??= Array(page.about.names.length).fill(null));

export function hide() {
  change(({ hands }) => {
    const codes = codesOf(hands[page.hand]);
    codes[page.point] = codes[page.point] === VISIBLE ? HIDDEN : VISIBLE;
  });
}

// A point that the hand does not have, such as the tip of a missing finger; again, and it is at the cross.
export function toggleMissing() {
  change(({ hands }) => {
    const one = hands[page.hand], target = one.landmarks[page.point], isBack = target[0] === null;
    codesOf(one)[page.point] = isBack ? VISIBLE : ABSENT;
    moved(one);
    target.fill(isBack ? 0 : null);
    if (isBack) target.splice(0, 2, ...page.cross);
  });
}

export function swapSides() {
  change(({ hands }) => { const one = hands[page.hand]; one.handedness = one.handedness === "Left" ? "Right" : "Left"; delete one.world; });
}

export function removeHand() { change((current) => { current.hands.splice(page.hand, 1); current.accepted = false; }); }

// Adds the hand that the network sees at a click x, y or in a box x0, y0, x1, y1.
export async function add(place) {
  const { path } = page.current;
  say("Looking at this place…");
  try {
    const answer = await ask(`${path}/hand`, "POST", { place });
    if (page.current?.path !== path) return;
    say(answer.seen ? "" : "The network sees no hand here. Drag the points of this one into place.");
    change((current) => { current.hands.push(answer.hand); current.accepted = false; });
    page.hand = page.current.hands.length - 1; page.point = 0; views.show();
  } catch (error) { say(reason(error)); }
}
