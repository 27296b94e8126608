/** Keys that work wherever the focus is, unless the focused element needs them itself. */

/** Call the action of a key, as in `KeyboardEvent.key` in lower case. An action that does not apply now gives false. */
export function onKeys(actions: Readonly<Record<string, () => unknown>>): void {
  document.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    const action = Object.hasOwn(actions, key) ? actions[key] : undefined;
    if (!action || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (needs(event.target as Element, key)) return;
    if (action() !== false) event.preventDefault();
  });
}

/** Fields take letters and arrows, and everything that can be pressed takes the space key. */
function needs(target: Element, key: string): boolean {
  const isPressed = target.matches("button, a, summary, input[type=checkbox]");
  if (isPressed) return key === " ";
  return target.matches("input, select, textarea, [contenteditable]");
}
