// SentencePiece's normalization: a table of replacements, longest match first, and white space.
// The table is a double-array trie over UTF-8 bytes (Aoe 1989), as the model file has it.

const SPACE = "\u2581";

export class Normalizer {
  /**
   * @param rules of text.json: table (base64; "" = no replacements), addDummyPrefix, removeExtraWhitespaces,
   *   escapeWhitespaces.
   * @param untouched (text, start) -> what starts there and stays as it is, "" = nothing.
   */
  constructor(rules, untouched = () => "") {
    Object.assign(this, rules, { untouched });
    const bytes = Uint8Array.from(atob(rules.table), (character) => character.charCodeAt(0));
    if (!bytes.length) return;
    const size = new DataView(bytes.buffer).getUint32(0, true);
    const units = new DataView(bytes.buffer, 4, size);
    this.units = Uint32Array.from({ length: size / 4 }, (_, place) => units.getUint32(4 * place, true));
    this.replacements = bytes.subarray(4 + size);
  }

  normalize(line) {
    const text = line.toWellFormed();
    const space = this.escapeWhitespaces ? SPACE : " ";
    let normal = "";
    let behindSpace = this.removeExtraWhitespaces;
    for (let place = 0; place < text.length; ) {
      let [part, width] = this.replaced(text, place);
      place += width;
      if (behindSpace) part = part.replace(/^ +/, "");
      normal += part.replaceAll(" ", space);
      if (part) behindSpace = this.removeExtraWhitespaces && part.endsWith(" ");
    }
    if (this.removeExtraWhitespaces) while (normal.endsWith(space)) normal = normal.slice(0, -space.length);
    return normal && this.addDummyPrefix ? space + normal : normal;
  }

  /** What becomes of the text at a place, and of how much of it. */
  replaced(text, place) {
    const untouched = this.untouched(text, place);
    if (untouched) return [untouched, untouched.length];
    const [width, replacement] = this.units ? this.longestMatch(text, place) : [0];
    if (width) return [replacement, width];
    const character = String.fromCodePoint(text.codePointAt(place));
    return [character, character.length];
  }

  longestMatch(text, place) {
    const first = this.units[0];
    let node = offset(first);
    let found = [0];
    for (let end = place; end < text.length; ) {
      const code = text.codePointAt(end);
      end += code > 0xffff ? 2 : 1;
      for (const byte of utf8(code)) {
        node ^= byte;
        const unit = this.units[node];
        if (((unit & 0x800000ff) >>> 0) !== byte) return found;
        node ^= offset(unit);
        if ((unit >>> 8) & 1) found = [end - place, this.replacement(this.units[node] & 0x7fffffff)];
      }
    }
    return found;
  }

  replacement(start) {
    return new TextDecoder("utf-8", { ignoreBOM: true })
      .decode(this.replacements.subarray(start, this.replacements.indexOf(0, start)));
  }
}

function offset(unit) {
  return (unit >>> 10) << ((unit & 512) >>> 6);
}

function utf8(code) {
  if (code < 0x80) return [code];
  if (code < 0x800) return [0xc0 | (code >> 6), 0x80 | (code & 63)];
  if (code < 0x10000) return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
  return [0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
}
