// Fetches the large files, with progress, and checks that each is what was exported.

/**
 * @param files: {path, size, sha256} each. version: of the export. progress: called with the number of bytes so far.
 * @returns {contents by file name, kept: whether all are there the next time without a network}
 */
export async function download({ files, version }, progress) {
  // offline.js keeps the rest of the page there.
  const cache = await self.caches?.open(`nmt ${new URL(".", self.location)} ${version}`);
  const contents = {};
  let loaded = 0;
  let kept = cache !== undefined;
  for (const file of files) {
    const stored = await cache?.match(file.path);
    const content = await read(file, stored, (length) => progress((loaded += length)));
    await check(file, content);
    if (!stored) kept &&= await keep(cache, file, content);
    contents[file.path.split("/").at(-1)] = content;
  }
  return { contents, kept };
}

/** Whether there is room for a file. */
async function keep(cache, { path }, content) {
  try {
    await cache.put(path, new Response(content));
    return true;
  } catch {
    return false;
  }
}

async function read({ path, size }, response, progress) {
  try {
    response ??= await fetch(path, { cache: "no-cache" });
  } catch {
    throw new Error("The translator could not be downloaded: there is no connection to the server of this page");
  }
  if (!response.ok) throw new Error(`The translator could not be downloaded: ${path}: ${response.status}`);
  const content = new Uint8Array(size);
  let place = 0;
  for (let reader = response.body.getReader(), part; !(part = await reader.read()).done; ) {
    if (place + part.value.length > size) throw damaged(path);
    content.set(part.value, place);
    place += part.value.length;
    progress(part.value.length);
  }
  if (place !== size) throw damaged(path);
  return content;
}

/** Browsers compute checksums only over HTTPS or on localhost; elsewhere the size has to do. */
async function check({ path, sha256 }, content) {
  if (!crypto.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  if (Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") !== sha256) throw damaged(path);
}

function damaged(path) {
  return new Error(`${path} is damaged, or of another export than this page`);
}
