// Asks the gateway, and says what went wrong in words for the person at the page.

/** Why there is no answer. `wait`: seconds after which asking again may help; null where it may not. */
export class Failure extends Error {
  constructor(message, wait = null) {
    super(message);
    this.wait = wait;
  }
}

const PASSING = [429, 502, 503, 504]; // statuses that go away by themselves

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
    if (response.ok) return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (response?.ok) throw new Failure("The answer of the server cannot be read.");
    throw new Failure(navigator.onLine ? "The server does not answer." : "You are offline.", 0);
  }
  const told = await response.json().then((body) => body.error, () => null);
  const wait = PASSING.includes(response.status) ? Number(response.headers.get("Retry-After")) || 0 : null;
  throw new Failure(told ? sentence(told) : `The server answers with an error (status ${response.status}).`, wait);
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

export const fetchSettings = (signal) => call("frontend/settings", { signal });
export const fetchLanguages = (signal) => call("languages", { signal });

export function translate(fields, signal) {
  const headers = { "Content-Type": "application/json" };
  return call("translate", { method: "POST", headers, body: JSON.stringify(fields), signal });
}

/** The address of the translated file. */
export async function translateFile(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) body.append(name, value);
  const { translatedFileUrl } = await call("translate_file", { method: "POST", body });
  // Only its path below this page: a proxy may know the server by another name.
  return new URL(translatedFileUrl).pathname.split("/").slice(-2).join("/");
}
