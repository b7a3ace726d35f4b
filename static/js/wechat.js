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

  button.addEventListener("click", () => {
    failed.hidden = true;
    if (window.WeixinJSBridge) pay();
    else document.addEventListener("WeixinJSBridgeReady", pay, { once: true });
  });
})();
