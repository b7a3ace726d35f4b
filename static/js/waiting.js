// Pages on which somebody waits: clocks that run on the server's time, and questions that stop when nobody is looking.
(() => {
  const all = (selector) => document.querySelectorAll(selector);
  const first = (selector) => document.querySelector(selector);

  const say = (text) => {
    const live = first("#live");
    if (live && text && live.textContent !== text) live.textContent = text;
  };

  // Clocks run on the server's time: what is left when the page is made, less what has passed since.
  const clocks = new WeakMap();

  const runClocks = () =>
    all("[data-seconds]").forEach((clock) => {
      const started = clocks.get(clock) || { at: Date.now(), last: Infinity };
      clocks.set(clock, started);
      const passed = Math.floor((Date.now() - started.at) / 1000);
      const up = clock.hasAttribute("data-up");
      const seconds = Math.max(0, Number(clock.dataset.seconds) + (up ? passed : -passed));
      clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (up) return;
      clock.parentElement.toggleAttribute("data-soon", seconds <= 60);
      for (const mark of [300, 60])
        if (started.last > mark && seconds <= mark && started.last !== Infinity) say(clock.getAttribute(`data-say-${mark}`));
      if (seconds === 0 && started.last > 0) document.body.dispatchEvent(new Event("poll"));
      started.last = seconds;
    });

  // Pages that wait ask again: quickly at first, never while nobody is looking. `data-pause` is the longest pause.
  let asked = 0;
  let timer;

  const ask = () => {
    clearTimeout(timer);
    const waiting = first('[hx-trigger^="poll"]');
    if (!waiting) return;
    if (document.visibilityState === "visible") {
      asked += 1;
      document.body.dispatchEvent(new Event("poll"));
    }
    const pause = asked < 15 ? 2000 : asked < 45 ? 4000 : 10000;
    timer = setTimeout(ask, Math.min(pause, waiting.dataset.pause || pause));
  };

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    asked = Math.min(asked, 15);
    ask();
  });

  const network = (broken) => all("[data-network]").forEach((note) => (note.hidden = !broken));
  ["htmx:sendError", "htmx:timeout", "htmx:responseError"].forEach((name) =>
    document.addEventListener(name, () => network(true)),
  );
  document.addEventListener("htmx:afterRequest", (event) => event.detail.successful && network(false));
  document.addEventListener("htmx:afterSettle", () => {
    const news = first("[data-announce]");
    if (news) say(news.textContent.trim());
  });

  if (first("[data-seconds]")) {
    runClocks();
    setInterval(runClocks, 1000);
  }
  timer = setTimeout(ask, 2000);
})();
