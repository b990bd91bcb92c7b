// Where sentences end: the twin of nmt/text/sentences.py, with its patterns.

import { everywhere, substitution, whole } from "./patterns.js";
import { Spans } from "./protection.js";

export class Sentences {
  /** @param rules of text.json. */
  constructor(rules) {
    this.spans = new Spans(rules.protection);
    this.reserved = everywhere(rules.reserved);
    this.isEmoji = whole(rules.emoji);
    this.substitute = substitution(rules.substitutions);
    Object.assign(this, { emojiSpan: rules.emojiSpan, span: rules.span, cut: rules.cut });
  }

  /** {texts, spaces}: texts[0] + spaces[0] + texts[1] + ... is the line. */
  split(line) {
    const parts = this.spans.parts(line.replace(this.reserved, "\ufffd"));
    const mark = (span) => (this.isEmoji.test(span) ? this.emojiSpan : this.span);
    const marked = this.substitute(parts.map((part, place) => (place % 2 ? mark(part) : part)).join(""));
    const text = marked.split(this.span).map((outside, place) => outside + (parts[2 * place + 1] ?? "")).join("");
    const cut = text.split(this.cut);
    return { texts: cut.filter((_, place) => place % 2 === 0), spaces: cut.filter((_, place) => place % 2) };
  }
}
