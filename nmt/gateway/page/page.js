// Wires the page: what the person does, what is asked, and what is shown.

import { readAddress, writeAddress } from "./address.js";
import { Asking } from "./asking.js";
import { copy } from "./clipboard.js";
import { readGlossary } from "./glossary.js";
import { Languages } from "./languages.js";
import { Reading, percent } from "./reading.js";
import { Failure, fetchLanguages, fetchSettings, translate, translateFile } from "./server.js";

const ALTERNATIVES = 3;
// Details of a line grow with the square of its length; texts above this sum of squares are translated without.
const MOST_DETAILS = 2_000_000;
const KEY = "nmt-api-key"; // in the session's storage: forgotten with the tab

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

const languages = new Languages($("source"), $("target"), $("swap"));
const reading = new Reading({
  output: $("output"), mirror: $("mirror"), reads: $("reads"), box: $("attention"), map: $("attention-map"),
  note: $("attention-note"), turn: $("attention-turn"), place: $("attention-place"), before: $("attention-before"),
  after: $("attention-after"), legend: $("attention-legend"),
});
const asking = new Asking(refresh, showFailure);

let settings = null; // of GET /frontend/settings
let translated = ""; // what is shown

// ---- asking

async function refresh(signal) {
  if (!settings) await begin(signal);
  const text = $("text").value;
  const problem = problemWith(text);
  if (!text.trim() || problem) {
    if (!text.trim()) show("", {});
    $("output").removeAttribute("aria-busy");
    return say(problem, { wrong: Boolean(problem) });
  }
  $("output").setAttribute("aria-busy", "true");
  const answer = await translate(requestOf(text), signal);
  show(text, answer);
  say(answer.detectedLanguage ? `Detected language: ${languages.nameOf(languages.read)}` : "");
}

async function begin(signal) {
  const [found, known] = await Promise.all([fetchSettings(signal), fetchLanguages(signal)]);
  const asked = readAddress();
  languages.fill(known, { source: found.language.source.code, target: found.language.target.code });
  languages.choose(asked.source, asked.target);
  $("key-form").hidden = !(found.apiKeys || found.keyRequired);
  $("glossary").hidden = !found.glossary;
  if (!found.glossary) $("glossary-note").textContent = "The models of this server take no glossary.";
  $("file").accept = found.supportedFilesFormat.join(",");
  $("file-label").textContent = `File (${found.supportedFilesFormat.join(", ")})`;
  $("file-box").hidden = !found.filesTranslation;
  settings = found;
  count();
}

/** What the person has to change before anything is asked; empty where nothing. */
function problemWith(text) {
  if (settings.keyRequired && !$("key").value) return "Enter an API key: this server asks for one.";
  const over = lengthOf(text) - settings.charLimit;
  const { wrong } = readGlossary($("glossary").value);
  if (wrong) return `Line ${wrong} of the glossary is not of the form: source = target`;
  if (over > 0) return `The text is too long by ${number.format(over)} characters. Shorten it to translate it.`;
  return "";
}

function requestOf(text) {
  const { terms } = readGlossary($("glossary").value);
  const cost = text.split("\n").reduce((sum, line) => sum + line.length ** 2, 0);
  return {
    q: text,
    source: languages.source,
    target: languages.target,
    details: cost <= MOST_DETAILS,
    ...($("alternatives").open ? { alternatives: ALTERNATIVES } : {}),
    ...(terms.length ? { glossary: terms } : {}),
    ...($("key").value ? { api_key: $("key").value } : {}),
  };
}

// ---- showing

function show(text, { translatedText = "", details, alternatives = [], detectedLanguage }) {
  translated = translatedText;
  languages.detected = detectedLanguage?.language ?? null;
  $("text").lang = languages.read ?? "";
  reading.show(text, translatedText, details?.[0] ?? [], { source: languages.read, target: languages.target });
  showConfidence(reading.confidences);
  $("alternatives-list").replaceChildren(...alternatives.map(alternative));
  $("alternatives-note").hidden = alternatives.length > 0;
  $("alternatives-note").textContent = text && $("alternatives").open
    ? "There are no other translations of this text." : "Other translations of the whole text appear here.";
  $("copy").disabled = !translatedText;
  $("output").removeAttribute("aria-busy");
  remember();
}

function alternative(text) {
  const item = document.createElement("li");
  const words = document.createElement("span");
  words.textContent = text;
  words.dir = "auto";
  words.lang = languages.target;
  item.append(words, copyButton(() => text));
  return item;
}

function showConfidence(confidences) {
  const known = confidences.filter((each) => each !== null);
  $("scale").hidden = !known.length;
  const lowest = Math.min(...known);
  const mean = known.reduce((sum, each) => sum + each, 0) / known.length;
  $("confidence").textContent = !known.length ? "" : `Confidence ${percent(mean)}`
    + (known.length > 1 ? `, lowest ${percent(lowest)} in line ${confidences.indexOf(lowest) + 1}` : "");
}

function showFailure(failure, wait) {
  $("output").removeAttribute("aria-busy");
  const safe = $("text").value ? " Your text stays here." : "";
  const next = wait === null ? "" : ` Trying again in ${wait} s.`;
  say(`${failure.message}${safe}${next}`, { wrong: true, again: true });
}

function say(text, { wrong = false, again = false } = {}) {
  $("status").textContent = text;
  $("status").classList.toggle("error", wrong);
  $("again").hidden = !again;
}

function count() {
  const length = lengthOf($("text").value);
  const limit = settings ? ` / ${number.format(settings.charLimit)}` : "";
  const over = settings !== null && length > settings.charLimit;
  $("count").textContent = `${number.format(length)}${limit} characters`;
  $("count").classList.toggle("error", over);
  $("text").setAttribute("aria-invalid", over);
  $("clear").hidden = !length;
}

/** In code points, as the server counts. */
function lengthOf(text) {
  return [...text].length;
}

function remember() {
  if (!settings) return; // the address is still to be read
  writeAddress({ ...languages.pair, text: $("keep").checked ? $("text").value : null });
}

// ---- what the person does

function typed() {
  reading.mirror($("text").value);
  count();
  remember();
  asking.after(settings?.frontendTimeout ?? 0);
}

function changed() {
  remember();
  asking.after(0);
}

function copyButton(text, button = document.createElement("button")) {
  button.type = "button";
  button.ariaLive = "polite";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await copy(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return button;
}

async function sendFile() {
  const [file] = $("file").files;
  $("file-result").hidden = true;
  $("file-send").disabled = true;
  $("file-status").textContent = `Translating ${file.name} …`;
  $("file-status").classList.remove("error");
  try {
    const fields = { file, source: languages.source, target: languages.target, api_key: $("key").value };
    $("file-link").href = await translateFile(fields);
    $("file-link").textContent = `Download the translation of ${file.name}`;
    $("file-status").textContent = `${file.name} is translated.`;
    $("file-result").hidden = false;
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    $("file-status").textContent = `${file.name} is not translated. ${failure.message}`;
    $("file-status").classList.add("error");
  } finally {
    $("file-send").disabled = false;
  }
}

function openAddress() {
  const { source, target, text } = readAddress();
  if (settings) languages.choose(source, target);
  if (text !== null) {
    $("text").value = text;
    $("keep").checked = true;
  }
  typed();
}

$("text").addEventListener("input", typed);
for (const id of ["source", "target"]) $(id).addEventListener("change", changed);
$("swap").addEventListener("click", () => {
  languages.swap();
  if (translated) $("text").value = translated;
  typed();
  $("text").focus();
});
$("clear").addEventListener("click", () => {
  $("text").value = "";
  typed();
  $("text").focus();
});
copyButton(() => translated, $("copy"));
$("again").addEventListener("click", () => asking.after(0));
$("alternatives").addEventListener("toggle", () => {
  if ($("alternatives").open && translated) asking.after(0);
});
$("glossary").addEventListener("input", () => {
  const { wrong } = readGlossary($("glossary").value);
  $("glossary-error").textContent = wrong ? `Line ${wrong} is not of the form: source = target` : "";
  asking.after(settings.frontendTimeout);
});
$("file").addEventListener("change", () => ($("file-send").disabled = !$("file").files.length));
$("file-send").addEventListener("click", sendFile);
$("key").value = sessionStorage.getItem(KEY) ?? "";
$("key-form").addEventListener("submit", (event) => event.preventDefault());
$("key").addEventListener("input", () => {
  sessionStorage.setItem(KEY, $("key").value);
  asking.after(settings.frontendTimeout);
});
$("keep").addEventListener("change", remember);
window.addEventListener("online", () => asking.after(0));
window.addEventListener("offline", () => asking.after(0)); // a server on this machine still answers
window.addEventListener("hashchange", openAddress);
openAddress();
