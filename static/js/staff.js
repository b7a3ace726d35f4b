// Small helps on staff pages: copying numbers, saying which rows were changed, ticking all rows, choosing a colour,
// asking before a step.

// The theme writes the name of a chosen file into the nearest text field, which is there for its own upload fields: in
// our forms that is somebody's number, or nothing at all, and an error.
window.fileInputUpdatePath = () => {};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    const box = Object.assign(document.createElement("textarea"), { value: button.dataset.copy });
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  const label = button.querySelector("[data-copied]");
  if (!label) return;
  label.textContent = label.dataset.copied;
  button.classList.add("k-copied");
  setTimeout(() => {
    label.textContent = "";
    button.classList.remove("k-copied");
  }, 1600);
});

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form?.matches("[data-row-form]")) form.closest("tr")?.classList.add("k-dirty");
  const twin = event.target.dataset.twin && document.getElementById(event.target.dataset.twin);
  if (twin && /^#[0-9a-f]{6}$/i.test(event.target.value)) {
    twin.value = event.target.value;
    twin.dispatchEvent(new CustomEvent("twin", { bubbles: true }));
  }
});

// One box for all of a name, on the page or in its part of a table: it says where they all stand, and sets them.
const tickAll = [...document.querySelectorAll("[data-tick-all]")];
const ticksOf = (all) => [
  ...(all.closest("tbody") ?? document).querySelectorAll(`input[name="${all.dataset.tickAll}"][type=checkbox]`),
];
const lookAtTicks = () => {
  for (const all of tickAll) {
    const boxes = ticksOf(all);
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && !all.checked;
  }
};
document.addEventListener("change", (event) => {
  if (tickAll.includes(event.target)) for (const box of ticksOf(event.target)) box.checked = event.target.checked;
  lookAtTicks();
});
document.addEventListener("htmx:afterSettle", lookAtTicks);
for (const all of tickAll) all.closest("[data-needs-script]").hidden = false;
lookAtTicks();

// A row of chips is wider than a phone: begin where the chosen one is.
for (const chosen of document.querySelectorAll(".k-chips [aria-current=true]")) {
  const row = chosen.parentElement;
  row.scrollLeft = chosen.offsetLeft - row.offsetLeft - (row.clientWidth - chosen.offsetWidth) / 2;
}

// A color that is there to begin with: it takes the field's place without a round trip.
document.addEventListener("click", (event) => {
  const preset = event.target.closest("[data-preset]");
  const field = preset && document.getElementById(preset.dataset.preset);
  if (!field) return;
  event.preventDefault();
  field.value = preset.value;
  const picker = document.querySelector(`[data-twin="${field.id}"]`);
  if (picker) picker.value = preset.value;
  field.dispatchEvent(new CustomEvent("twin", { bubbles: true }));
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A refused row comes back as 422 with its reasons in it: show it.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status !== 422) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});
