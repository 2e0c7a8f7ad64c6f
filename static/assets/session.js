// Answers "is the session still the one you know?" (OIDC Session Management
// §3.3). A message is "<client_id> <session_state>"; the answer is unchanged,
// changed or error. Which origins may ask for which client the server decides.
(() => {
  const { cookie, init } = document.body.dataset;
  const allowed = new Map();

  const mayAsk = (client, origin) => {
    const key = client + " " + origin;
    if (!allowed.has(key)) {
      const query = new URLSearchParams({ client_id: client, origin });
      allowed.set(key, fetch(init + "?" + query).then((r) => r.status === 204, () => false));
    }
    return allowed.get(key);
  };

  const current = () => {
    const found = document.cookie.split("; ").find((c) => c.startsWith(cookie + "="));
    return found ? found.slice(cookie.length + 1) : "";
  };

  const hash = async (text) => {
    const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return btoa(String.fromCharCode(...new Uint8Array(sum))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  addEventListener("message", async (event) => {
    const [client, state, rest] = String(event.data).split(" ");
    let answer = "error";
    if (client && state && rest === undefined && (await mayAsk(client, event.origin))) {
      answer = (await hash(state)) === current() ? "unchanged" : "changed";
    }
    event.source.postMessage(answer, event.origin);
  });
})();
