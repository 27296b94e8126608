// For browsers that know no modules: everything else of the page is one.
document.getElementById("loading").textContent =
  "This browser is too old: the page needs Chrome 91, Edge 91, Firefox 89, Safari 16.4 or newer.";
