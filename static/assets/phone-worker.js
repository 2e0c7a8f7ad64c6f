// Keeps the phone's pages as they were last seen, to show its state offline.
const cache = "pscemu-phone-1";
self.addEventListener("install", (e) => e.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => {
  const url = new URL(e.request.url), stream = /^\/phone\/(stream|state)$/.test(url.pathname);
  if (e.request.method !== "GET" || stream || !(url.pathname.startsWith("/phone") || url.pathname.startsWith("/static/"))) return;
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
