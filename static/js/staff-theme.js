// Before the first paint: dark or light as it was chosen, or as the system is. The theme's own script takes over then.
(() => {
  let chosen = "auto";
  try {
    chosen = JSON.parse(localStorage.getItem("adminTheme")) || "auto";
  } catch {
    // Storage may be closed or hold something else: the system decides.
  }
  const dark = chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
  document.addEventListener("alpine:init", () => document.documentElement.classList.remove("dark"));
})();
