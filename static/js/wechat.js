// Paying inside WeChat: its browser is asked to open the payment. What it answers proves nothing, so the gateway is asked
// where "ok" leads.
(() => {
  const button = document.querySelector("[data-wechat-pay]");
  const failed = document.querySelector("[data-wechat-failed]");
  if (!button) return;

  const pay = () =>
    window.WeixinJSBridge.invoke("getBrandWCPayRequest", JSON.parse(button.dataset.wechatPay), (answer) => {
      const said = String(answer && answer.err_msg);
      if (said.endsWith(":ok")) location.assign(button.dataset.done);
      else failed.hidden = said.endsWith(":cancel");
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
    if (window.WeixinJSBridge) return pay();
    document.removeEventListener("WeixinJSBridgeReady", ready);
    document.addEventListener("WeixinJSBridgeReady", ready, { once: true });
    clearTimeout(late);
    late = setTimeout(() => (failed.hidden = false), READY_MS);
  });
})();
