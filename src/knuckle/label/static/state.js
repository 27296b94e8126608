// What the modules of the page share. Coordinates are image pixels.
export const $ = (id) => document.getElementById(id);
export const VISIBLE = 0, HIDDEN = 2, OUTSIDE = 3, ABSENT = 4; // the codes of the label files
export const SHOWS = ["labels", "before", "after"];
export const page = {
  about: null, // what the server says about the session
  photos: [], clips: [], // their overviews
  current: null, // the image: {path, width, height, hands, accepted, doubtful}, and of a frame {frame, mark, doubt}
  image: null, // its picture
  hand: 0, point: 0, cross: [0, 0],
  zoom: null, // {x, y, times}: the place of the image in the middle of the canvas; null shows the whole image
  shown: "labels", compared: new Map(), // what two bundles see, by path
};
// What a module calls of those that import it.
export const views = { show() {}, showList() {}, draw() {}, changed() {}, saved() {} };

export function say(text) { $("message").textContent = text; $("message").hidden = !text; }
export function note(text, bad = false) { $("saved").textContent = text; $("saved").classList.toggle("bad", bad); }
