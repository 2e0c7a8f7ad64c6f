// Tries a call of the control API from its page, with the session of the console.
const address = (form) => {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("input")) {
    if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
    else if (field.value !== "") query.set(field.name, field.value);
  }
  return query.size > 0 ? `${path}?${query}` : path;
};

const shown = async (answer) => {
  const kind = answer.headers.get("Content-Type") ?? "";
  if (kind.startsWith("text/event-stream")) {
    const { value } = await answer.body.getReader().read(); // the first event says how they look
    return new TextDecoder().decode(value);
  }
  const text = await answer.text();
  if (!kind.includes("json")) return text.slice(0, 100000);
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, 100000);
  } catch {
    return text;
  }
};

const attempt = async (event) => {
  event.preventDefault();
  const form = event.target;
  const out = form.nextElementSibling;
  const body = form.elements.body;
  const request = { method: form.dataset.method, headers: {}, cache: "no-store" };
  if (body && body.value.trim() !== "") {
    request.headers["Content-Type"] = body.dataset.kind;
    request.body = body.value;
  }
  out.hidden = false;
  out.textContent = "…";
  try {
    const answer = await fetch(address(form), request);
    out.textContent = `${answer.status} ${answer.statusText}\n${await shown(answer)}`;
  } catch (failure) {
    out.textContent = String(failure);
  }
};

for (const form of document.querySelectorAll("form.try")) {
  form.addEventListener("submit", attempt);
  form.querySelector("button").hidden = false;
}

// A link to an operation or a type opens it.
const open = () => {
  const at = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (at && at.tagName === "DETAILS") at.open = true;
};
addEventListener("hashchange", open);
open();
