// Lists the phones of this browser, and reads QR codes where the browser can.
import { phones } from "./device.js";
const root = new URL("../", import.meta.url).pathname;
const list = document.querySelector("[data-phones]"), side = document.querySelector("[data-side]");
const all = await phones();
document.querySelector("[data-none]").hidden = all.length > 0;
for (const phone of all) {
  const item = document.createElement("li"), link = document.createElement("a");
  link.href = root + "phone/" + encodeURIComponent(phone.person);
  link.textContent = phone.name + " — " + phone.person;
  item.append(link);
  list.append(item);
}
side.href += "?" + all.map((p) => "id=" + encodeURIComponent(p.person)).join("&");
side.hidden = all.length < 2;

const scan = document.querySelector("[data-scan]"), camera = document.querySelector("[data-camera]");
scan.hidden = !("BarcodeDetector" in window && navigator.mediaDevices);
scan.addEventListener("click", async () => {
  camera.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  camera.hidden = false;
  await camera.play();
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  for (;;) {
    const [found] = await detector.detect(camera);
    if (found) return location.assign(root + "phone/activate?qr=" + encodeURIComponent(found.rawValue));
    await new Promise(requestAnimationFrame);
  }
});
navigator.serviceWorker?.register(root + "phone/sw.js", { scope: root + "phone" }).catch(() => {});
