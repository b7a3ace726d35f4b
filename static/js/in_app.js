// Paying inside an app: its browser is asked to open the payment. What it answers proves nothing, so the gateway is asked
// wherever money may have moved.
(() => {
  const button = document.querySelector("[data-app-pay]");
  const failed = document.querySelector("[data-app-failed]");
  if (!button) return;

  const APPS = {
    wechat: {
      bridge: "WeixinJSBridge",
      open: (call, answered) =>
        window.WeixinJSBridge.invoke("getBrandWCPayRequest", call, (answer) => {
          const said = String(answer && answer.err_msg);
          answered(said.endsWith(":ok") ? "ask" : said.endsWith(":cancel") ? "canceled" : "failed");
        }),
    },
    alipay: {
      bridge: "AlipayJSBridge",
      // Paid, under way, lost on the network, unknown: all but 9000 may be paid as well.
      open: (call, answered) =>
        window.AlipayJSBridge.call("tradePay", call, (answer) => {
          const said = String(answer && answer.resultCode);
          answered(/^(9000|8000|6002|6004)$/.test(said) ? "ask" : said === "6001" ? "canceled" : "failed");
        }),
    },
  };
  const app = APPS[button.dataset.app];
  const readied = `${app.bridge}Ready`;

  const pay = () =>
    app.open(JSON.parse(button.dataset.appPay), (end) => {
      if (end === "ask") location.assign(button.dataset.done);
      else failed.hidden = end === "canceled";
    });

  // Whoever has no such browser is told so, instead of waiting for what never comes.
  const READY_MS = 3000;
  let late;
  const ready = () => {
    clearTimeout(late);
    failed.hidden = true;
    pay();
  };

  button.addEventListener("click", () => {
    failed.hidden = true;
    if (window[app.bridge]) return pay();
    document.removeEventListener(readied, ready);
    document.addEventListener(readied, ready, { once: true });
    clearTimeout(late);
    late = setTimeout(() => (failed.hidden = false), READY_MS);
  });
})();
