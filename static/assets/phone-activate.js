// Makes the phone's key, and keeps it in this browser.
import { keep, makeKey, publicKey } from "./device.js";
const root = new URL("../", import.meta.url).pathname;
const form = document.querySelector("[data-activate]"), note = document.querySelector("[data-note]");
form?.addEventListener("submit", async (e) => {
  e.preventDefault();
  const pair = await makeKey(), body = new URLSearchParams(new FormData(form));
  body.set("key", await publicKey(pair));
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
  const said = await answer.json();
  if (!answer.ok) {
    note.textContent = [said.title, said.remedy].filter(Boolean).join(" — ");
    note.dataset.code = said.code;
    note.dataset.testid = "error";
    return;
  }
  await keep({ device: said.device, person: said.national_id, name: form.dataset.name, key: pair.privateKey });
  location.assign(root + "phone/" + encodeURIComponent(said.national_id));
});
