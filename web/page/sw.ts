/**
 * The service worker: caches the page, the runtime and the models, so that the page works offline. The build replaces
 * the two constants by the list of files and its hash.
 */
declare const FILES: readonly string[];
declare const VERSION: string;

const scope = self as unknown as ServiceWorkerGlobalScope;
const PAGE = `knuckle-page-${VERSION}`;
const MODELS = "knuckle-models";
// The page says whether it uses threads; the runtime's other build is cached only when it is requested.
const threads = Number(new URL(scope.location.href).searchParams.get("threads"));
const OTHER_BUILD = threads > 1 ? /litert_wasm_internal/ : /litert_wasm_threaded/;

scope.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const page = await caches.open(PAGE);
      await page.addAll(["./", ...FILES.filter((name) => !OTHER_BUILD.test(name))]);
      await keepDefaultModels();
      await scope.skipWaiting();
    })(),
  );
});

scope.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys())
        if (name.startsWith("knuckle-page-") && name !== PAGE) await caches.delete(name);
      // Firefox settles this promise only once the worker is active, so waiting for it here would wait for ever.
      void scope.clients.claim();
    })(),
  );
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = request.url.slice(scope.registration.scope.length).replace(/[?#].*/, "");
  if (request.method !== "GET" || !request.url.startsWith(scope.registration.scope) || path.startsWith("v1")) return;
  if (path.startsWith("models/")) event.respondWith(model(request, path));
  else if (request.mode === "navigate" || path === "") event.respondWith(newest(request, PAGE, path || "./"));
  else event.respondWith(kept(request));
});

/** Lists and bundle.json come from the network if possible; model files from the cache until bundle.json changes. */
async function model(request: Request, path: string): Promise<Response> {
  if (path.endsWith("/") || path.endsWith(".json")) {
    const before = await (await caches.open(MODELS)).match(request.url);
    const answer = await newest(request, MODELS, request.url);
    if (before && answer.ok && path.endsWith("bundle.json")) await dropIfChanged(before, answer.clone(), request.url);
    return answer;
  }
  const cache = await caches.open(MODELS);
  const there = await cache.match(request.url);
  if (there) return there;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request.url, answer.clone());
  return answer;
}

async function dropIfChanged(before: Response, now: Response, address: string): Promise<void> {
  if ((await before.text()) === (await now.text())) return;
  const [cache, folder] = [await caches.open(MODELS), address.slice(0, address.lastIndexOf("/") + 1)];
  for (const { url } of await cache.keys())
    if (url.startsWith(folder) && !url.endsWith("bundle.json")) await cache.delete(url);
}

/** From the network, or from the cache without one. */
async function newest(request: Request, name: string, key: string): Promise<Response> {
  const cache = await caches.open(name);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(key, answer.clone());
    return answer;
  } catch (error) {
    const there = await cache.match(key);
    if (there) return there;
    throw error;
  }
}

/** From the cache, or from the network; files below assets/ never change, so they are then cached. */
async function kept(request: Request): Promise<Response> {
  const cache = await caches.open(PAGE);
  const there = await cache.match(request.url, { ignoreSearch: true });
  if (!there) {
    const answer = await fetch(request);
    if (answer.status === 200 && request.url.includes("/assets/")) await cache.put(request.url, answer.clone());
    return answer;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  return range ? partOf(there, Number(range[1]), range[2]) : there;
}

/** A part of a file, as video elements request it. */
async function partOf(whole: Response, start: number, last: string): Promise<Response> {
  const blob = await whole.blob();
  const end = last ? Math.min(Number(last) + 1, blob.size) : blob.size;
  const headers = new Headers(whole.headers);
  headers.set("Content-Range", `bytes ${start}-${end - 1}/${blob.size}`);
  headers.set("Content-Length", String(end - start));
  return new Response(blob.slice(start, end), { status: 206, headers });
}

/** A file that bundle.json names. */
interface Named {
  readonly file: string;
}

async function keepDefaultModels(): Promise<void> {
  const cache = await caches.open(MODELS);
  await cache.add("models/");
  const list = (await (await cache.match("models/"))?.json()) as {
    default: string;
    bundles: ({ name: string } & Record<"palm" | "hand", Named> & Record<"palm_int8" | "hand_int8", Named | null>)[];
  };
  const first = list.bundles.find(({ name }) => name === list.default);
  if (!first) return;
  const folder = `models/${first.name}`;
  await cache.add(`${folder}/bundle.json`);
  // The form that the page's tracker takes on the CPU; the others are cached when they are requested.
  for (const { file } of [first.palm_int8 ?? first.palm, first.hand_int8 ?? first.hand])
    if (!(await cache.match(`${folder}/${file}`))) await cache.add(`${folder}/${file}`);
}
