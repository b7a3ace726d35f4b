// A drawing of ours as a picture: phones save and send pictures, and the letters of the drawing are only known here.
document.addEventListener("DOMContentLoaded", async () => {
  const button = document.querySelector("[data-png]");
  const shown = button && document.getElementById(button.dataset.png);
  if (!shown) return;
  const drawing = await (await fetch(shown.src)).text();
  const whole = new Image();
  whole.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(drawing)}`;
  await whole.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [whole.naturalWidth, whole.naturalHeight];
  canvas.getContext("2d").drawImage(whole, 0, 0);
  const picture = canvas.toDataURL("image/png");
  // Pressed for long, a phone saves what is shown.
  shown.src = picture;
  button.hidden = false;
  button.addEventListener("click", () => {
    Object.assign(document.createElement("a"), { href: picture, download: shown.dataset.file }).click();
  });
});
