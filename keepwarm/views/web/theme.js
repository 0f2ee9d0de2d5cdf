// Not a module and in the head: the theme stands before the first paint, so that a dark page never flashes white.
"use strict";
(function () {
  var stored = null;
  try {
    stored = localStorage.getItem("keepwarm.theme");
  } catch (_) {
    // A browser that keeps nothing: the system's theme then.
  }
  if (stored === "dark" || stored === "light") document.documentElement.dataset.theme = stored;
})();
