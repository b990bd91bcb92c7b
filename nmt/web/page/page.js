// Wires the page: what the person types, what the worker translates, and what is shown.

import { copy } from "./clipboard.js";

const PAUSE = 200; // milliseconds behind a key before a translation begins
const MOST_KEPT = 2000; // translated lines, so that a change in one does not translate the others again
const FAULTS = { repetition: "repeats itself", length: "has an unlikely length", coverage: "leaves parts out" };

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const megabytes = (bytes) => number.format(Math.round(bytes / 1e5) / 10);
const percent = (share) => `${Math.round(100 * share)} %`;

const pageKept = keepPage();
const known = new Map(); // translations by search and line
let worker = null;
let waiting = null; // the timer of what was typed last
let wanted = 0; // the number of the text that is being translated
let results = []; // of its lines, as far as they are there
let ready = false;

// ---- loading

function start() {
  $("again").hidden = true;
  worker = new Worker("worker.js", { type: "module" });
  worker.addEventListener("message", ({ data }) => handlers[data.kind](data));
  worker.addEventListener("error", () => fail("This browser cannot run the translator"));
}

/** Where there are service workers, over HTTPS and on localhost, the page opens without a network, too. */
async function keepPage() {
  try {
    await navigator.serviceWorker.register("offline.js");
    return await navigator.serviceWorker.ready;
  } catch {
    return null; // such as in private windows: the page works while it is open
  }
}

const handlers = {
  progress({ loaded, total }) {
    $("progress").hidden = false;
    $("progress").max = total;
    $("progress").value = loaded;
    say(`Downloading ${megabytes(loaded)} of ${megabytes(total)} MB`);
  },

  ready({ languages, beamSize, total, kept }) {
    ready = true;
    $("progress").hidden = true;
    const names = new Intl.DisplayNames("en", { type: "language" });
    $("languages").textContent = `${names.of(languages.source)} to ${names.of(languages.target)}`;
    $("text").lang = languages.source;
    $("output").lang = languages.target;
    fillSearch(beamSize);
    say(`Ready (${megabytes(total)} MB)`);
    if (kept) pageKept.then((found) => ($("offline").hidden = !found));
    refresh();
  },

  line({ request, place, result, key }) {
    if (known.size >= MOST_KEPT) known.delete(known.keys().next().value);
    known.set(key, result);
    if (request !== wanted) return;
    results[place] = result;
    show();
  },

  failed({ message }) {
    fail(message);
  },
};

function fail(message) {
  worker?.terminate();
  worker = null;
  ready = false;
  $("progress").hidden = true;
  $("output").removeAttribute("aria-busy");
  say(`${message}.${$("text").value ? " Your text stays here." : ""}`, { wrong: true });
  $("again").hidden = false;
}

function fillSearch(beamSize) {
  if ($("beam").options.length) return;
  $("search").hidden = false;
  const choices = [["Fast", 1], ...(beamSize > 1 ? [["Thorough", beamSize]] : [])];
  $("beam").replaceChildren(...choices.map(([name, size]) => new Option(name, size)));
  $("beam").value = String(beamSize);
}

// ---- translating

function refresh() {
  if (!ready) return;
  wanted++;
  const lines = $("text").value.split("\n");
  const beamSize = Number($("beam").value);
  const keys = lines.map((line) => `${beamSize}\n${line}`);
  results = keys.map((key) => known.get(key));
  const missing = lines.flatMap((line, place) => (results[place] ? [] : [{ line, place, key: keys[place] }]));
  worker.postMessage({ request: wanted, beamSize, lines: missing });
  $("output").setAttribute("aria-busy", "true");
  show();
}

function show() {
  const isEmpty = !$("text").value.trim();
  $("output").replaceChildren(...(isEmpty ? [] : results.map(row)));
  const isDone = !results.includes(undefined);
  if (isDone) $("output").removeAttribute("aria-busy");
  $("copy").disabled = isEmpty || !isDone;
  showConfidence(isEmpty ? [] : results.filter((result) => result?.text && result.confidence !== null));
  if (!isDone || isEmpty) return;
  const faulty = results.flatMap(({ faults }, place) => faults.map((fault) => `Line ${place + 1} ${FAULTS[fault]}.`));
  say(faulty.join(" "));
}

function row(result) {
  const row = document.createElement("div");
  row.className = "row";
  row.dir = "auto";
  if (result?.text) {
    const line = document.createElement("span");
    line.className = result.faults.length ? "line fault" : "line";
    line.textContent = result.text;
    if (result.confidence !== null) line.style.setProperty("--doubt", 1 - result.confidence);
    row.append(line);
  }
  return row;
}

function showConfidence(lines) {
  const confidences = lines.map((line) => line.confidence);
  const mean = confidences.reduce((sum, each) => sum + each, 0) / confidences.length;
  $("scale").hidden = !confidences.length;
  $("confidence").textContent = confidences.length ? `Confidence ${percent(mean)}` : "";
}

// ---- what the person does

function say(text, { wrong = false } = {}) {
  $("status").textContent = text;
  $("status").classList.toggle("error", wrong);
}

function typed() {
  const { length } = [...$("text").value];
  $("count").textContent = `${number.format(length)} characters`;
  $("clear").hidden = !length;
  clearTimeout(waiting);
  waiting = setTimeout(refresh, PAUSE);
}

$("text").addEventListener("input", typed);
$("beam").addEventListener("change", refresh);
$("again").addEventListener("click", start);
$("clear").addEventListener("click", () => {
  $("text").value = "";
  typed();
  $("text").focus();
});
$("copy").addEventListener("click", async () => {
  try {
    await copy(results.map((result) => result.text).join("\n"));
    $("copy").textContent = "Copied";
  } catch {
    $("copy").textContent = "Not allowed";
  }
  setTimeout(() => ($("copy").textContent = "Copy"), 2000);
});
typed();
start();
