// Shows, at each change, what a service would receive, and what is wrong.
(() => {
  const form = document.querySelector("[data-edit]");
  const claims = document.querySelector("[data-claims]"), problem = document.querySelector("[data-problem]");
  form.addEventListener("input", async () => {
    const body = new URLSearchParams(new FormData(form));
    body.set("action", "preview");
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body });
    if (!answer.ok) return;
    const preview = await answer.json();
    claims.textContent = JSON.stringify(preview.claims, null, 2);
    problem.textContent = preview.problem || "";
  });
})();
