// Runs only in browsers without JavaScript modules, which the rest of the page needs.
document.getElementById("loading").textContent =
  "This browser is too old. The page needs Chrome or Edge 91, Firefox 105, Safari 16.4 or newer.";
