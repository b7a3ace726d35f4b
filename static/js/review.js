// Keys for whoever decides all day: they work only while the focus is in the panel (WCAG 2.1.4), and a decision's key only
// moves to its button, so that Enter confirms it.
const panel = document.querySelector("[data-review]");
if (panel) {
  if (!location.hash && document.activeElement === document.body) panel.focus({ preventScroll: true });
  panel.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, input:not([type=checkbox])")) return;
    const button = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (!button || button.disabled) return;
    event.preventDefault();
    if (panel.contains(button)) button.focus();
    else button.click();
  });
}
