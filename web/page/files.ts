/** The ways to give the page a file: the file dialog, dropping and pasting. */
import { element } from "./report.js";

/** Call `open` with every file that the user chooses, drops or pastes. */
export function onFile(open: (file: File) => void): void {
  element<HTMLInputElement>("file").addEventListener("change", ({ target }) => {
    const input = target as HTMLInputElement;
    if (input.files?.[0]) open(input.files[0]);
    input.value = ""; // so that choosing the same file again is a change
  });
  const hint = element("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    hint.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) hint.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    hint.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (file) open(file);
  });
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) open(file);
  });
}
