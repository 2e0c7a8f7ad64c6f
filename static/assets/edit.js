// Lets the choices follow one another and shows, at each change, what a
// service would receive and what is wrong. Without it the buttons do the same.
(() => {
  const form = document.querySelector("[data-edit]");
  const claims = document.querySelector("[data-claims]"), problem = document.querySelector("[data-problem]");
  const send = (action) => {
    const body = new URLSearchParams(new FormData(form));
    body.set("action", action);
    return fetch(form.getAttribute("action"), { method: "POST", body });
  };
  const preview = async () => {
    const answer = await send("preview");
    if (!answer.ok) return;
    const shown = await answer.json();
    claims.textContent = JSON.stringify(shown.claims, null, 2);
    problem.textContent = shown.problem || "";
  };
  const follow = async (at) => {
    form.setAttribute("aria-busy", "true");
    const page = new DOMParser().parseFromString(await (await send("refresh")).text(), "text/html");
    document.querySelector("[data-fields]").replaceWith(page.querySelector("[data-fields]"));
    document.getElementById(at)?.focus();
    await preview();
    form.removeAttribute("aria-busy");
  };
  form.addEventListener("input", (e) => (e.target.hasAttribute("data-cascade") ? follow(e.target.id) : preview()));
})();
