// Goes on as soon as the phone has answered.
const page = document.querySelector("[data-state][data-next]");
async function wait() {
  for (;;) {
    try {
      const answer = await fetch(page.dataset.state, { cache: "no-store" });
      const { state } = await answer.json();
      if (state !== "pending") return location.replace(page.dataset.next);
    } catch {
      await new Promise((again) => setTimeout(again, 1000));
    }
  }
}
wait();
