// Loaded before the first paint: a chosen theme must not flash, and the pages must know that scripts run.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // Storage may be closed in an app's built-in browser; the system's scheme is good enough there.
  const storage = (use) => {
    try {
      return use(localStorage);
    } catch {
      return null;
    }
  };

  const chosen = storage((local) => local.getItem("theme"));
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    root.dataset.theme = theme;
    storage((local) => local.setItem("theme", theme));
  });
})();
