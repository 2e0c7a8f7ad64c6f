// Goes on when every service's logout page has loaded, or after three seconds.
(() => {
  const next = document.querySelector("[data-testid=logout-continue]");
  if (!next) return;
  const frames = [...document.querySelectorAll("[data-frames] iframe")];
  const loaded = Promise.all(frames.map((f) => new Promise((done) => f.addEventListener("load", done))));
  const late = new Promise((done) => setTimeout(done, 3000));
  Promise.race([loaded, late]).then(() => location.replace(next.href));
})();
