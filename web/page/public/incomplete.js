// Tells when a script or style sheet of the page does not arrive, because then the page itself cannot.
addEventListener(
  "error",
  ({ target }) => {
    if (!(target instanceof HTMLScriptElement || target instanceof HTMLLinkElement)) return;
    document.getElementById("loading").hidden = true;
    document.getElementById("incomplete").hidden = false;
  },
  true,
);
