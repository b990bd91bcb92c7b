// Long sentences -> chunks of pieces: the twin of nmt/text/splitter.py.

export class Splitter {
  /** @param rules of text.json: the ids of the pieces that start or end something; limit: of pieces. */
  constructor(rules, limit) {
    this.limit = limit;
    for (const [name, ids] of Object.entries(rules)) this[name] = new Set(ids);
  }

  /** Chunks of a line's ids; no pieces, no chunks. */
  split(ids) {
    const quality = ids.map((id, place) => this.quality(id, ids[place + 1]));
    const chunks = [];
    let start = 0;
    while (ids.length - start > this.limit) {
      const remaining = ids.length - start;
      const fair = Math.ceil(remaining / Math.ceil(remaining / this.limit));
      let [best, cut] = [-Infinity, 0];
      for (let place = 0; place < this.limit; place++) {
        const found = quality[start + place];
        // Sentences first, fair words, other words, then any fair place; of each the last one.
        const kind = found === 2 ? 3 : place < fair ? 2 * found : found - 1;
        if (kind * this.limit + place > best) [best, cut] = [kind * this.limit + place, place + 1];
      }
      chunks.push(ids.slice(start, start + cut));
      start += cut;
    }
    if (start < ids.length) chunks.push(ids.slice(start));
    return chunks;
  }

  /** How good a cut behind a piece is: 2 = a sentence ends, 1 = a word does, 0 = neither. */
  quality(id, next) {
    const nextUnspaced = this.startsUnspaced.has(next);
    const nextStarts = this.startsWord.has(next);
    if (this.fullStop.has(id) || (this.endsSentence.has(id) && (nextStarts || nextUnspaced))) return 2;
    return nextStarts || (this.endsClause.has(id) && nextUnspaced) ? 1 : 0;
  }
}
