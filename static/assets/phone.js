// Shows new requests at once, without disturbing a code being typed for those
// already on the page, and signs answers with the phone's key.
import { sign } from "./device.js";
const root = new URL("../", import.meta.url).pathname;
const phones = [...document.querySelectorAll("[data-testid=phone]")];
const query = phones.map((p) => "id=" + encodeURIComponent(p.dataset.person)).join("&");

const refresh = async (phone) => {
  const answer = await fetch(phone.dataset.path, { cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-testid=phone]");
  if (!page || page.dataset.device !== phone.dataset.device) return location.reload(); // removed, or replaced
  const list = phone.querySelector("[data-requests]");
  const id = (form) => form.dataset.request;
  const now = new Set([...page.querySelectorAll("[data-request]")].map(id)), there = new Set([...list.children].map(id));
  [...list.children].filter((f) => !now.has(id(f))).forEach((f) => f.remove());
  [...page.querySelectorAll("[data-request]")].filter((f) => !there.has(id(f))).forEach((f) => list.append(f));
  phone.querySelector("[data-none]").hidden = now.size > 0;
  phone.querySelector("[data-history]").replaceWith(page.querySelector("[data-history]"));
  phone.dataset.seen = page.dataset.seen;
};
const note = (text) => phones.forEach((p) => (p.querySelector("[data-note]").textContent = text));
const online = async (waiting) => {
  note("");
  for (const phone of phones) if (waiting[phone.dataset.person] !== phone.dataset.seen) await refresh(phone);
};
const offline = () => note("Hors ligne : dernier état connu.");

// Where there is no stream, a long poll does the same.
const poll = async () => {
  for (let seen = ""; ; ) {
    try {
      const answer = await fetch(root + "phone/state?" + query + "&seen=" + encodeURIComponent(seen), { cache: "no-store" });
      seen = await answer.text();
      await online(JSON.parse(seen));
    } catch {
      offline();
      await new Promise((again) => setTimeout(again, 1000));
    }
  }
};
const listen = () => {
  const stream = new EventSource(root + "phone/stream?" + query);
  stream.onmessage = (e) => online(JSON.parse(e.data));
  stream.onerror = () => {
    offline();
    if (stream.readyState === EventSource.CLOSED) poll();
  };
};
if (phones.length) (window.EventSource ? listen : poll)();

document.addEventListener("submit", async (e) => {
  const form = e.target, phone = form.closest("[data-keyed]");
  if (!phone || !form.dataset.request) return;
  e.preventDefault();
  const answer = e.submitter?.value || "approve";
  const number = answer === "approve" ? form.querySelector("[name=number]:checked")?.value || "" : "";
  const signature = await sign(phone.dataset.device, form.dataset.request, answer, number);
  for (const [name, value] of Object.entries({ answer, signature: signature || "" })) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  HTMLFormElement.prototype.submit.call(form);
});
navigator.serviceWorker?.register(root + "phone/sw.js", { scope: root + "phone" }).catch(() => {});
