// Keeps the phone's pages as they were last seen, to show its state offline.
const root = new URL("../", location.href).pathname;
const cache = "pscemu-phone-1";
self.addEventListener("install", (e) => e.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => {
  const path = new URL(e.request.url).pathname, below = path.startsWith(root) ? path.slice(root.length) : "";
  if (e.request.method !== "GET" || /^phone\/(stream|state)$/.test(below) || !/^(phone|static\/)/.test(below)) return;
  e.respondWith((async () => {
    const kept = await caches.open(cache);
    try {
      const answer = await fetch(e.request);
      if (answer.ok && !answer.redirected) await kept.put(e.request, answer.clone());
      return answer;
    } catch (failure) {
      const last = await kept.match(e.request);
      if (last) return last;
      throw failure;
    }
  })());
});
