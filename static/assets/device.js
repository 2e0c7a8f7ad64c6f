// The keys of the phones in this browser. A key is made at activation and
// never leaves: what is kept can sign, and cannot be read.
const open = () => new Promise((done, failed) => {
  const r = indexedDB.open("pscemu-phones", 1);
  r.onupgradeneeded = () => r.result.createObjectStore("phones", { keyPath: "device" });
  r.onsuccess = () => done(r.result);
  r.onerror = () => failed(r.error);
});
const run = async (mode, what) => {
  const db = await open();
  try {
    return await new Promise((done, failed) => {
      const r = what(db.transaction("phones", mode).objectStore("phones"));
      r.onsuccess = () => done(r.result);
      r.onerror = () => failed(r.error);
    });
  } finally {
    db.close();
  }
};
const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));

export const phones = () => run("readonly", (s) => s.getAll());
export const keep = (phone) => run("readwrite", (s) => s.put(phone));
export const forget = (device) => run("readwrite", (s) => s.delete(device));

export const makeKey = () => crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
export const publicKey = async (pair) => base64(await crypto.subtle.exportKey("spki", pair.publicKey));

// sign is the device's answer to a request; null when its key is not here.
export const sign = async (device, request, answer, number) => {
  const phone = await run("readonly", (s) => s.get(device));
  if (!phone) return null;
  const text = new TextEncoder().encode(["pscemu e-CPS", request, answer, number].join("\n"));
  return base64(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, phone.key, text));
};
