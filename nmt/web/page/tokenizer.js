// SentencePiece in JavaScript: text -> ids of pieces, the same as the library's: BPE (Sennrich et al. 2016) and unigram
// models (Kudo 2018). The packages of npm either know no normalization table or carry a compiler's megabytes.

import { Normalizer } from "./normalizer.js";

const UNKNOWN_PENALTY = 10;
const [NORMAL, UNKNOWN, CONTROL, USER_DEFINED, , BYTE] = [1, 2, 3, 4, 5, 6];

export class Tokenizer {
  /** @param model of text.json: type, pieces, scores, types, normalizer, unknown (an id). */
  constructor(model) {
    Object.assign(this, model);
    this.ids = new Map();
    this.bytes = new Map();
    this.pieces.forEach((piece, id) => {
      if (this.types[id] === BYTE) this.bytes.set(parseInt(piece.slice(3, 5), 16), id);
      else if (this.types[id] !== CONTROL && this.types[id] !== UNKNOWN) this.ids.set(piece, id);
    });
    this.longest = Math.max(...this.pieces.map((piece) => piece.length));
    this.userDefined = this.pieces.filter((_, id) => this.types[id] === USER_DEFINED)
      .sort((one, other) => other.length - one.length);
    this.normal = new Normalizer(this.normalizer, (text, start) => this.userDefinedAt(text, start));
    // What SentencePiece makes of scores, in its precision: it decides between segmentations that are as likely.
    const bonus = (piece) => Math.fround(0.1 * (new TextEncoder().encode(piece).length - 1));
    this.gains = this.scores.map((score, id) => (this.types[id] === USER_DEFINED ? bonus(this.pieces[id]) : score));
    const normal = this.scores.filter((_, id) => this.types[id] === NORMAL);
    this.unknownGain = Math.fround(normal.reduce((least, score) => Math.min(least, score), 0) - UNKNOWN_PENALTY);
  }

  /** Ids of a line, without BOS and EOS. */
  encode(line) {
    const text = this.normal.normalize(line);
    const pieces = this.type === "bpe" ? this.merged(text) : this.mostLikely(text);
    const ids = [];
    let wasUnknown = false;
    for (const piece of pieces) {
      const id = this.ids.get(piece) ?? this.unknown;
      const isUnknown = id === this.unknown;
      if (isUnknown && this.bytes.size) {
        for (const byte of new TextEncoder().encode(piece)) ids.push(this.bytes.get(byte));
      } else if (!(isUnknown && wasUnknown)) ids.push(id); // unknown characters in a row are one piece
      wasUnknown = isUnknown;
    }
    return ids;
  }

  userDefinedAt(text, start) {
    return this.userDefined.find((piece) => text.startsWith(piece, start)) ?? "";
  }

  /** BPE: the neighbours whose merge has the best score become one piece, the leftmost first, until none can. */
  merged(text) {
    const symbols = [];
    for (let start = 0; start < text.length; ) {
      const fixed = this.userDefinedAt(text, start);
      const piece = fixed || String.fromCodePoint(text.codePointAt(start));
      symbols.push({ piece, fixed: Boolean(fixed), before: symbols.length - 1, behind: symbols.length + 1 });
      start += piece.length;
    }
    if (!symbols.length) return [];
    symbols.at(-1).behind = -1;
    const waiting = new Queue((one, other) => other.score - one.score || one.left - other.left);
    const consider = (left, right) => {
      if (left < 0 || right < 0 || symbols[left].fixed || symbols[right].fixed) return;
      const piece = symbols[left].piece + symbols[right].piece;
      const id = this.ids.get(piece);
      if (id !== undefined) waiting.push({ left, right, piece, score: this.scores[id] });
    };
    for (let right = 1; right < symbols.length; right++) consider(right - 1, right);
    for (let best; (best = waiting.pop()); ) {
      const left = symbols[best.left];
      const right = symbols[best.right];
      // One of both has been merged with another meanwhile.
      if (!left.piece || !right.piece || left.piece.length + right.piece.length !== best.piece.length) continue;
      left.piece = best.piece;
      left.behind = right.behind;
      if (right.behind >= 0) symbols[right.behind].before = best.left;
      right.piece = "";
      consider(left.before, best.left);
      consider(best.left, left.behind);
    }
    return symbols.map((symbol) => symbol.piece).filter(Boolean);
  }

  /** Unigram: the segmentation of the greatest probability, by Viterbi's algorithm. */
  mostLikely(text) {
    const best = Array.from({ length: text.length + 1 }, () => ({ score: 0, start: -1 }));
    for (let start = 0; start < text.length; ) {
      const { score } = best[start];
      const width = text.codePointAt(start) > 0xffff ? 2 : 1;
      const reach = (end, gain) => {
        const reached = Math.fround(score + gain);
        if (best[end].start < 0 || reached > best[end].score) best[end] = { score: reached, start };
      };
      for (let end = start + width; end <= Math.min(text.length, start + this.longest); end++) {
        const id = this.ids.get(text.slice(start, end));
        if (id !== undefined) reach(end, this.gains[id]);
      }
      if (!this.ids.has(text.slice(start, start + width))) reach(start + width, this.unknownGain);
      start += width;
    }
    const pieces = [];
    for (let end = text.length; end > 0; end = best[end].start) pieces.push(text.slice(best[end].start, end));
    return pieces.reverse();
  }
}

/** A binary heap: `pop` gives what comes first. */
class Queue {
  constructor(compare) {
    this.compare = compare;
    this.heap = [];
  }

  push(item) {
    const { heap, compare } = this;
    let place = heap.push(item) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (compare(heap[parent], item) <= 0) break;
      heap[place] = heap[parent];
      place = parent;
    }
    heap[place] = item;
  }

  pop() {
    const { heap, compare } = this;
    const first = heap[0];
    const item = heap.pop();
    if (!heap.length) return first;
    let place = 0;
    for (let child = 1; child < heap.length; child = 2 * place + 1) {
      if (child + 1 < heap.length && compare(heap[child + 1], heap[child]) < 0) child++;
      if (compare(item, heap[child]) <= 0) break;
      heap[place] = heap[child];
      place = child;
    }
    heap[place] = item;
    return first;
  }
}
