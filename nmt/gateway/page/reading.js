// The translation, word by word: what each read is shown in the source text, said in a line, and drawn as a map.

import { LINE_ENDS, linesOf, partsOf, readLine } from "./words.js";

const SHOWN = 0.05; // the least weight that is shown or named
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

export class Reading {
  #elements;
  #lines = []; // {source, target, details, sources, targets, weights, parts} of each line that is not blank
  #sourceText = "";
  #outdated = false; // whether the person's text is not #sourceText any more
  #words = new Map(); // element -> [line, word]
  #page = 0; // of the map's parts

  /** @param elements output, mirror, reads, and of the map: box, map, note, legend, turn, place, before, after */
  constructor(elements) {
    this.#elements = elements;
    const { output, before, after } = elements;
    output.addEventListener("pointerover", (event) => this.#point(event.target));
    output.addEventListener("focusin", (event) => this.#point(event.target));
    output.addEventListener("pointerleave", () => this.#point(document.activeElement));
    output.addEventListener("focusout", () => this.#point(null));
    output.addEventListener("keydown", (event) => this.#walk(event));
    elements.box.addEventListener("toggle", () => this.#draw());
    before.addEventListener("click", () => this.#turn(-1));
    after.addEventListener("click", () => this.#turn(1));
  }

  /** @param details of the gateway, one for each line that is not blank; empty where there are none */
  show(sourceText, text, details, languages) {
    const sources = linesOf(sourceText);
    const targets = linesOf(text);
    const known = details.length === sources.length && details.length === targets.length;
    this.#lines = targets.map((target, i) => ({
      target,
      ...(known ? { source: sources[i], confidence: details[i].confidence } : {}),
      ...readLine(known ? sources[i].text : "", target.text, known ? details[i] : NOTHING, languages),
    }));
    this.#sourceText = sourceText;
    this.mirror(sourceText);
    this.#page = 0;
    this.#write(text, languages.target);
    this.#point(null);
    this.#draw();
  }

  /** The text as it is now. While it is not the translated one, nothing is marked in it. */
  mirror(text) {
    this.#outdated = text !== this.#sourceText;
    this.#elements.mirror.textContent = `${text}\n`;
    this.#say("");
  }

  get confidences() {
    return this.#lines.map((line) => line.confidence ?? null);
  }

  // ---- the translation

  #write(text, language) {
    const { output } = this.#elements;
    this.#words.clear();
    output.lang = language ?? "";
    output.replaceChildren(rowOf(""));
    let end = 0;
    for (const [i, { target }] of this.#lines.entries()) {
      this.#space(text.slice(end, target.start));
      output.lastChild.append(this.#lineOf(i));
      end = target.start + target.text.length;
    }
    this.#space(text.slice(end));
    if (this.#words.size) output.tabIndex = 0;
    else output.removeAttribute("tabindex");
  }

  /** White space behind what is written already; each of its line ends begins a row. */
  #space(text) {
    const [rest, ...more] = text.split(LINE_ENDS).filter((_, i) => i % 2 === 0);
    this.#elements.output.lastChild.append(rest);
    this.#elements.output.append(...more.map(rowOf));
  }

  #lineOf(i) {
    const { target, targets, confidence } = this.#lines[i];
    const line = document.createElement("span");
    line.className = "line";
    if (confidence != null) line.style.setProperty("--doubt", Math.min(Math.max(1 - confidence, 0), 1));
    let end = 0;
    for (const [j, word] of targets.entries()) {
      const span = document.createElement("span");
      span.className = "word";
      span.tabIndex = -1;
      span.textContent = word.text;
      this.#words.set(span, [i, j]);
      line.append(target.text.slice(end, word.start), span);
      end = word.end;
    }
    line.append(target.text.slice(end));
    return line;
  }

  #walk(event) {
    const { output } = this.#elements;
    const words = [...this.#words.keys()];
    const now = words.indexOf(document.activeElement);
    let next;
    if (event.key in STEPS) {
      const rightToLeft = getComputedStyle(words[Math.max(now, 0)].parentElement).direction === "rtl";
      next = now < 0 ? 0 : now + STEPS[event.key] * (rightToLeft ? -1 : 1);
    } else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = words.length - 1;
    if (event.key === "Escape" && now >= 0) output.focus();
    else if (words[next] && !event.ctrlKey && !event.metaKey && !event.altKey) words[next].focus();
    else return;
    event.preventDefault();
  }

  // ---- what a word read

  #point(element) {
    for (const each of this.#elements.output.querySelectorAll(".now")) each.classList.remove("now");
    const [i, j] = this.#words.get(element) ?? [];
    const line = this.#lines[i];
    this.#mark(line, j);
    if (!line?.weights[j]?.length) return this.#say("");
    element.classList.add("now");
    const read = line.sources
      .map((source, k) => ({ text: source.text, weight: line.weights[j][k] }))
      .filter(({ weight }) => weight >= SHOWN)
      .sort((one, other) => other.weight - one.weight);
    const named = read.map(({ text, weight }) => `${text} (${percent(weight)})`).join(", ");
    this.#say(`${line.targets[j].text} ← ${named || "no word in particular"}`);
    if (this.#elements.box.open) this.#turnTo(i, j);
  }

  #say(text) {
    this.#elements.reads.textContent = text;
  }

  /** Shades the words in the mirror of the source text. */
  #mark(line, j) {
    if (this.#outdated) return;
    const parts = [];
    let end = 0;
    for (const [k, { start, end: next }] of line?.sources.entries() ?? []) {
      const weight = line.weights[j][k];
      if (weight < SHOWN) continue;
      const mark = document.createElement("mark");
      mark.style.setProperty("--weight", weight);
      mark.textContent = this.#sourceText.slice(line.source.start + start, line.source.start + next);
      parts.push(this.#sourceText.slice(end, line.source.start + start), mark);
      end = line.source.start + next;
    }
    this.#elements.mirror.replaceChildren(...parts, `${this.#sourceText.slice(end)}\n`);
  }

  // ---- the map

  get #parts() {
    return this.#lines.flatMap((line, i) => (line.sources.length ? partsOf(line).map((part) => ({ ...part, i })) : []));
  }

  #turn(step) {
    this.#page += step;
    this.#draw();
  }

  #turnTo(i, j) {
    const page = this.#parts.findIndex(({ i: line, targets: [from, to] }) => line === i && from <= j && j < to);
    if (page < 0 || page === this.#page) return;
    this.#page = page;
    this.#draw();
  }

  #draw() {
    const { box, map, note, legend, turn, place, before, after } = this.#elements;
    if (!box.open) return;
    const parts = this.#parts;
    note.hidden = parts.length > 0;
    note.textContent = this.#lines.length
      ? "For this text, nothing is known about which words read which."
      : "A map of which source words each word of the translation read appears here.";
    map.hidden = legend.hidden = !parts.length;
    turn.hidden = parts.length < 2;
    place.textContent = `${this.#page + 1} of ${parts.length}`;
    before.disabled = this.#page === 0;
    after.disabled = this.#page >= parts.length - 1;
    map.replaceChildren();
    if (parts.length) map.append(tableOf(this.#lines[parts[this.#page].i], parts[this.#page]));
  }
}

/** A line of the translation, which may be blank; its direction is that of its own text. */
function rowOf(text) {
  const row = document.createElement("div");
  row.dir = "auto";
  row.className = "row";
  row.append(text);
  return row;
}

const NOTHING = { sourcePieces: [], targetPieces: [], alignment: [] };

export function percent(weight) {
  return `${Math.round(100 * weight)} %`;
}

/** A row for each word of the translation, a column for each source word. Percentages are there for who hears it. */
function tableOf({ sources, targets, weights }, { targets: [from, to], sources: [start, end] }) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  head.append(document.createElement("td"), ...sources.slice(start, end).map(({ text }) => heading("col", text)));
  const body = table.createTBody();
  for (let j = from; j < to; j++) {
    const row = body.insertRow();
    row.append(heading("row", targets[j].text));
    for (let k = start; k < end; k++) {
      const cell = row.insertCell();
      const weight = weights[j][k];
      cell.style.setProperty("--weight", weight);
      if (weight < SHOWN) continue;
      cell.title = `${targets[j].text} ← ${sources[k].text}: ${percent(weight)}`;
      const told = document.createElement("span");
      told.className = "unseen";
      told.textContent = percent(weight);
      cell.append(told);
    }
  }
  return table;
}

function heading(scope, text) {
  const cell = document.createElement("th");
  const word = document.createElement("bdi");
  word.textContent = text;
  cell.scope = scope;
  cell.append(word);
  return cell;
}
