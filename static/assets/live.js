// Keeps a list as it is now: each event of the journal has it fetched again.
const root = new URL("../", import.meta.url).pathname;
let fetching = false, again = false;
const refresh = async () => {
  if (fetching) return (again = true);
  fetching = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const what of ["[data-live] table", "[data-live] .part"]) {
      document.querySelector(what).replaceWith(page.querySelector(what));
    }
  } finally {
    fetching = false;
    if (again) {
      again = false;
      refresh();
    }
  }
};
new EventSource(root + "logins/stream").onmessage = refresh;
