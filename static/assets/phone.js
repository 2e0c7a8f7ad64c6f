// Shows new requests at once, without disturbing a code being typed for the
// ones already on the page.
const phone = document.querySelector("[data-testid=phone]");
async function listen() {
  for (;;) {
    try {
      const answer = await fetch(phone.dataset.state + "?seen=" + encodeURIComponent(phone.dataset.seen), { cache: "no-store" });
      if (answer.ok) {
        await answer.json();
        return location.replace(phone.dataset.state.replace(/\/state$/, ""));
      }
    } catch {}
    await new Promise((again) => setTimeout(again, 1000));
  }
}
listen();
