// Counts down, and goes on as soon as the phone has read the code.
(() => {
  const page = document.querySelector("[data-poll]"), left = document.querySelector("[data-left]");
  const until = Date.now() + 1000 * Number(left.textContent);
  setInterval(() => { left.textContent = Math.max(0, Math.ceil((until - Date.now()) / 1000)); }, 250);
  const wait = async () => {
    for (;;) {
      try {
        const { state } = await (await fetch(page.dataset.poll, { cache: "no-store" })).json();
        if (state !== "pending") return location.reload();
      } catch {
        await new Promise((again) => setTimeout(again, 1000));
      }
    }
  };
  wait();
})();
