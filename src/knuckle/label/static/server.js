// Asks the server, and keeps every change until the server has it.
import { note, page, views } from "./state.js";

const GONE = "The server does not answer. Start it again, then try again.";
export const unsaved = new Map(); // labels by path that the server does not have yet
let sending = false;

export async function ask(path, method = "GET", body = undefined) {
  const answer = await fetch(path, { method, body: body && JSON.stringify(body), headers: body && { "Content-Type": "application/json" } });
  const content = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(content.error), { refused: true });
  return content;
}

export const reason = (error) => (error.refused ? error.message : GONE);

export function keep(path, labels) { unsaved.set(path, structuredClone(labels)); send(); }

// One request at a time. If the server is gone, the labels wait here and are sent when it is back.
async function send() {
  if (sending) return;
  sending = true;
  while (unsaved.size) {
    const [path, labels] = unsaved.entries().next().value;
    note("Saving…");
    try {
      await ask(path, "PUT", labels);
      if (unsaved.get(path) === labels) unsaved.delete(path);
    } catch (error) {
      note(`Not saved: ${error.refused ? error.message : "the server does not answer; keep this page open"}`, true);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  sending = false;
  note(`All changes saved in ${page.about.out}`);
  views.saved();
}

// Waits until the server has every change.
export async function settled() { while (unsaved.size || sending) await new Promise((resolve) => setTimeout(resolve, 30)); }

addEventListener("beforeunload", (event) => { if (unsaved.size) event.preventDefault(); });
