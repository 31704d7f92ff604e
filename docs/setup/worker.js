// Keeps the page for when there is no network. VERSION is a digest of FILES, which a test checks:
// with every change all files are fetched anew, and serve once no page of before is open any more,
// so that none is mixed with others.

const VERSION = "1b23442fe8108df2";
const FILES = [
  "./",
  "app.js",
  "connection.js",
  "core/code.js",
  "core/conversation.js",
  "core/frames.js",
  "core/noise.js",
  "core/octets.js",
  "core/session.js",
  "core/x25519.js",
  "icon.svg",
  "link.js",
  "model.js",
  "parts.css",
  "style.css",
  "texts.js",
  "texts/en-causes.js",
  "texts/en.js",
  "texts/nb-causes.js",
  "texts/nb.js",
  "texts/sv-causes.js",
  "texts/sv.js",
  "view/broker.js",
  "view/dom.js",
  "view/fields.js",
  "view/form.js",
  "view/kinds.js",
  "view/lamp.js",
  "view/report.js",
  "view/start.js",
  "view/status.js",
  "view/steps.js",
  "view/wifi.js",
];
const PREFIX = "sensed-setup-";
const NAME = PREFIX + VERSION;

async function keep() {
  const cache = await caches.open(NAME);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
}

async function forgetOld() {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request) {
  const cache = await caches.open(NAME);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOld()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const isOurs = request.url.startsWith(self.registration.scope);
  if (request.method === "GET" && isOurs) event.respondWith(answer(request));
});
