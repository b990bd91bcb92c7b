// SentencePiece in JavaScript: ids of pieces -> text.

import { Normalizer } from "./normalizer.js";

const SPACE = "\u2581"; // SentencePiece's mark before each word
const [UNKNOWN, CONTROL, BYTE] = [2, 3, 6];
const UNKNOWN_TEXT = " \u2047 ";

export class Detokenizer {
  /** @param model of text.json: pieces, types, denormalizer. */
  constructor({ pieces, types, denormalizer }) {
    this.pieces = pieces;
    this.types = types;
    this.denormalizer = denormalizer && new Normalizer(denormalizer);
  }

  decode(ids) {
    let text = "";
    let bytes = [];
    const flush = () => {
      text += textOf(bytes);
      bytes = [];
    };
    for (const id of ids) {
      const piece = this.pieces[id];
      if (this.types[id] === BYTE) {
        bytes.push(parseInt(piece.slice(3, 5), 16)); // <0x41>
        continue;
      }
      flush();
      if (this.types[id] === UNKNOWN) text += UNKNOWN_TEXT;
      else if (this.types[id] !== CONTROL) text += (text ? piece : piece.replace(SPACE, "")).replaceAll(SPACE, " ");
    }
    flush();
    return this.denormalizer ? this.denormalizer.normalize(text) : text;
  }
}

/** UTF-8 -> text; each byte that is none of it is U+FFFD. */
function textOf(bytes) {
  let text = "";
  for (let place = 0; place < bytes.length; ) {
    const first = bytes[place];
    const width = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    try {
      text += new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
        .decode(new Uint8Array(bytes.slice(place, place + width)));
      place += width;
    } catch {
      text += "\ufffd";
      place += 1;
    }
  }
  return text;
}
