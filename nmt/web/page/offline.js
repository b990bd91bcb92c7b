// Answers from what is kept of this export, so that the page opens without a network. The page's own files are kept here,
// the large ones by download.js once they are checked. version.js has VERSION, which differs from export to export, and
// FILES.

importScripts("version.js");

const PREFIX = `nmt ${new URL(".", self.location)} `;
const CACHE = PREFIX + self.VERSION;

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(removeOthers().then(() => self.clients.claim())));
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});

async function install() {
  const cache = await caches.open(CACHE);
  await cache.addAll(self.FILES.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting();
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fetch(request);
}

async function removeOthers() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}
