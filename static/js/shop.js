// What makes the shop quicker to use. Every page also works without this file.
(() => {
  const all = (selector) => document.querySelectorAll(selector);
  const first = (selector) => document.querySelector(selector);
  const digitsOf = (text) => text.replace(/\D/g, "");

  const say = (text) => {
    const live = first("#live");
    if (live && text && live.textContent !== text) live.textContent = text;
  };

  // A form is sent once.
  const labels = new Map();

  const busy = (button) => {
    button.setAttribute("aria-busy", "true");
    const label = button.querySelector("[data-busy]");
    if (!label) return;
    labels.set(label, label.textContent);
    label.textContent = label.dataset.busy;
  };

  const ready = () => {
    all("form[data-sent]").forEach((form) => delete form.dataset.sent);
    all("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
    labels.forEach((text, label) => (label.textContent = text));
    labels.clear();
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    if (event.submitter) busy(event.submitter);
    setTimeout(ready, 15000);
  });

  window.addEventListener("pageshow", () => {
    ready();
    // A key names one wish to buy. Coming back to the page is a new wish.
    all("[data-new-key]").forEach((input) => {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      input.value = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    });
    all("[data-phone]").forEach((input) => input.value && groupPhone(input));
    payBar();
  });

  // The pay bar follows the form.
  const fen = (yuan) => Math.round(parseFloat(yuan) * 100);

  const show = (price, amount) => {
    const text = (amount / 100).toFixed(2);
    price.querySelector("[data-yuan]").textContent = text.slice(0, -3);
    price.querySelector("[data-fen]").textContent = text.slice(-3);
  };

  function payBar() {
    const form = first("[data-buy]");
    const chosen = form?.querySelector("[name=sku]:checked");
    if (!chosen) return;
    const quantity = form.querySelector("[data-quantity]");
    const most = Number(chosen.dataset.max) || 1;
    if (quantity) quantity.max = most;
    if (quantity && Number(quantity.value) > most) quantity.value = most;
    const count = Math.max(parseInt(quantity?.value, 10) || 1, 1);
    const account = Array.from(form.querySelectorAll("[data-account]"), (field) =>
      field.tagName === "SELECT" && field.value ? field.selectedOptions[0].text : field.value.trim(),
    );
    const official = fen(chosen.dataset.official) * count;
    const amount = fen(chosen.dataset.price) * count;
    const texts = {
      variant: count > 1 ? `${chosen.dataset.name} × ${count}` : chosen.dataset.name,
      account: account.filter(Boolean).join(" · "),
    };
    form.querySelectorAll("[data-pay]").forEach((slot) => {
      const row = slot.closest("[data-pay-row]");
      const kind = slot.dataset.pay;
      if (kind in texts) slot.textContent = texts[kind];
      else if (kind === "amount") show(slot, amount);
      else show(slot, kind === "official" ? official : official - amount);
      if (row) row.hidden = kind in texts ? !texts[kind] : official <= amount;
    });
  }

  document.addEventListener("input", ({ target }) => {
    if (target.matches("[data-phone]")) groupPhone(target);
    if (target.closest("[data-buy]")) payBar();
    if (target.matches("[data-account]")) first("#account-check")?.replaceChildren();
  });

  // A phone number reads 138 1234 5678.
  function groupPhone(input) {
    const caret = input.selectionStart;
    const atEnd = caret === input.value.length;
    let before = digitsOf(input.value.slice(0, caret)).length;
    let digits = digitsOf(input.value);
    if (digits.length > 11) digits = digits.replace(/^(00)?86/, "");
    digits = digits.slice(0, 11);
    input.value = digits.replace(/^(\d{3})(\d{1,4})?(\d+)?$/, (_, a, b, c) => [a, b, c].filter(Boolean).join(" "));
    before += (before > 3) + (before > 7);
    if (!atEnd) input.setSelectionRange(before, before);
    tellOrigin(input);
  }

  // Whose number it was. Only the first seven digits are sent.
  async function tellOrigin(input) {
    const line = input.closest(".field").querySelector("[data-origin]");
    const [prefix] = digitsOf(input.value).match(/^1[3-9]\d{5}/) || [""];
    if (!line || line.dataset.of === prefix) return;
    line.dataset.of = prefix;
    line.textContent = "";
    if (!prefix) return;
    const reply = await fetch(line.dataset.origin.replace("1300000", prefix)).catch(() => null);
    const told = reply?.ok ? await reply.json() : {};
    if (line.dataset.of !== prefix) return;
    line.textContent = (document.documentElement.lang.startsWith("en") ? told.text_en : told.text) || "";
  }

  // Clicks.
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.hasAttribute("data-print")) window.print();
    if (button.dataset.step) {
      const input = button.parentElement.querySelector("[data-quantity]");
      if (Number(button.dataset.step) > 0) input.stepUp();
      else input.stepDown();
      payBar();
    }
    if (button.dataset.copy) {
      await copy(button.dataset.copy);
      const label = button.querySelector("[data-copied]");
      const text = label.textContent;
      button.focus();
      say(label.dataset.copied);
      if (text === label.dataset.copied) return;
      label.textContent = label.dataset.copied;
      setTimeout(() => (label.textContent = text), 1500);
    }
  });

  first("[data-focus]")?.focus();
})();
