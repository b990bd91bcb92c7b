// Protected spans as symbols, and put back into the translation with the white space that they had: the twin of
// nmt/text/protection.py and nmt/text/span_spaces.py.

import { everywhere, split, substitution, whole } from "./patterns.js";

/** Finds spans. */
export class Spans {
  /** @param rules of text.json. */
  constructor({ spans, mark }) {
    this.pattern = spans && everywhere(spans);
    this.mark = mark;
  }

  /** Outside, span, outside, ..., outside. */
  parts(line) {
    return this.pattern ? split(line.replaceAll(this.mark, " "), this.pattern) : [line];
  }
}

export class Protection {
  /** @param rules, spaces, visible: of text.json; visible removes what is invisible outside of spans. */
  constructor(rules, spaces, visible) {
    this.visible = visible;
    this.protects = rules.spans !== null;
    this.symbols = rules.symbols;
    this.spans = new Spans(rules);
    if (!this.protects) return;
    this.separateWords = substitution([rules.wordBehind]);
    this.withoutJoints = substitution([[rules.joint, ""]]);
    this.onlySpans = whole(rules.onlySpans);
    this.translated = whole(rules.translated);
    this.symbol = everywhere(`[${rules.symbols.join("")}]`);
    this.spaces = new Spaces(spaces);
  }

  get numSymbols() {
    return this.protects ? this.symbols.length : 0;
  }

  /** A source line with symbols for its spans, and the spans in order. */
  hide(line) {
    const parts = this.spans.parts(line);
    const spans = parts.filter((_, place) => place % 2);
    const text = parts
      .map((part, place) => (place % 2 ? this.symbols[((place - 1) / 2) % this.symbols.length] : this.visible(part)))
      .join("");
    return { text: this.protects ? this.separateWords(text) : text, spans };
  }

  /** Whether a source as `hide` gives it has nothing but spans and white space: it is its own translation. */
  isCopied(source) {
    return this.protects && this.onlySpans.test(source);
  }

  /** A translation with the spans of its source in the places of the symbols. */
  reveal(text, spans, source) {
    if (!this.protects) return text;
    const parts = split(this.withoutJoints(text), this.symbol);
    if (!spans.length) return parts.join("");
    const sourceParts = split(this.withoutJoints(source), this.symbol);
    const seen = new Map();
    const numbers = parts.filter((_, place) => place % 2).map((symbol) => {
      const earlier = seen.get(symbol) ?? 0;
      seen.set(symbol, earlier + 1);
      return earlier * this.symbols.length + this.symbols.indexOf(symbol);
    });
    const keepsSpaces = numbers.map((number) => (this.translated.test(spans[number]) ? null : number));
    const outside = (all) => all.filter((_, place) => place % 2 === 0);
    const gaps = this.spaces.copied(outside(sourceParts), outside(parts), keepsSpaces);
    return gaps.map((gap, place) => gap + (place < numbers.length ? spans[numbers[place]] : "")).join("");
  }
}

/** White space at the edges of spans. */
class Spaces {
  constructor({ begins, ends, leading, trailing }) {
    this.begins = new RegExp(begins, "u");
    this.ends = new RegExp(ends, "u");
    this.leading = new RegExp(leading, "u");
    this.trailing = new RegExp(trailing, "u");
  }

  /**
   * The gaps of a translation with the white space of the source, where both have the same kind of neighbour.
   * @param source, target: gaps, one more than there are spans.
   * @param numbers: which span of the source each of the translation is; null = one whose white space stays.
   */
  copied(source, target, numbers) {
    const gaps = (texts) => texts.map((text, place) => this.gap(text, place === 0 || place === texts.length - 1));
    const ofSource = gaps(source);
    return gaps(target).map((gap, place) => {
      const previous = place ? numbers[place - 1] : null;
      const following = numbers[place] ?? null;
      let [before, behind] = [null, null];
      if (previous !== null && gap.first && gap.first === ofSource[previous + 1].first) {
        before = ofSource[previous + 1].before;
      }
      if (following !== null && gap.last && gap.last === ofSource[following].last) behind = ofSource[following].behind;
      if (gap.core) return (before ?? gap.before) + gap.core + (behind ?? gap.behind);
      return before ?? behind ?? target[place];
    });
  }

  gap(text, edge) {
    const rest = text.replace(this.leading, "");
    const core = rest.replace(this.trailing, "");
    const before = text.slice(0, text.length - rest.length);
    if (!core) return { before: text, core, behind: text, first: edge ? "" : "span", last: edge ? "" : "span" };
    const first = this.begins.test(core) ? "w" : "";
    const last = this.ends.test(core) ? "w" : [...core].at(-1);
    return { before, core, behind: rest.slice(core.length), first, last };
  }
}
