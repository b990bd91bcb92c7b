// Lines in, translations out: the text work around a search. The twin of nmt/translation/translator.py.

import { Capitals } from "./capitals.js";
import { confidence, features } from "./confidence.js";
import { Detokenizer } from "./detokenizer.js";
import { guardedSearch } from "./guard.js";
import { substitution, whole } from "./patterns.js";
import { Protection } from "./protection.js";
import { Sentences } from "./sentences.js";
import { Splitter } from "./splitter.js";
import { Tokenizer } from "./tokenizer.js";

const EOS = 3;

export class Translator {
  /** @param model: see search.js; rules: text.json. */
  constructor(model, rules) {
    this.model = model;
    this.search = { ...rules.search, withWeights: rules.calibration !== null };
    this.source = new Tokenizer(rules.source);
    this.target = new Detokenizer(rules.target);
    this.protection = new Protection(rules.protection, rules.spaces, substitution(rules.invisible));
    this.sentences = rules.sentences && new Sentences(rules.sentences);
    this.capitals = rules.capitals && new Capitals(rules.capitals);
    this.splitter = new Splitter(rules.splitter, rules.search.maxSourceLength);
    this.calibration = rules.calibration;
    this.blank = whole(rules.blank);
  }

  /**
   * Translates a line.
   * @param beamSize: 1 is greedy; undefined = as the run says.
   * @returns {text, score, confidence (null where the run has no calibration), faults}
   */
  async translate(line, { beamSize = this.search.beamSize } = {}) {
    const { texts, spaces } = this.sentences ? this.sentences.split(line) : { texts: [line], spaces: [] };
    const options = { ...this.search, beamSize, nBest: 1 };
    const sentences = [];
    for (const text of texts) sentences.push(await this.translateSentence(text, options));
    const chunks = sentences.flatMap((sentence) => sentence.chunks);
    const text = sentences.map((sentence, place) => sentence.text + (spaces[place] ?? "")).join("");
    return {
      text: !chunks.length && this.blank.test(text) ? "" : text,
      score: chunks.reduce((sum, chunk) => sum + chunk.score, 0),
      confidence: this.calibration && confidence(this.calibration, chunks),
      faults: [...new Set(chunks.flatMap((chunk) => chunk.faults))],
    };
  }

  async translateSentence(original, options) {
    const { text, spans } = this.protection.hide(original);
    if (this.protection.isCopied(text)) return { text: original, chunks: [] };
    const inCapitals = this.capitals?.found(text) ?? false;
    const ids = this.source.encode(inCapitals ? this.capitals.toNormalCase(text) : text);
    const chunks = [];
    for (const part of this.splitter.split(ids)) chunks.push(await this.translateChunk([...part, EOS], options));
    const written = this.target.decode(chunks.flatMap((chunk) => chunk.ids));
    return {
      text: this.protection.reveal(inCapitals ? this.capitals.toCapitals(written) : written, spans, text),
      chunks,
    };
  }

  async translateChunk(source, options) {
    const { hypotheses, faults } = await guardedSearch(this.model, source, options, this.protection.numSymbols);
    const [best] = hypotheses;
    return {
      ids: best.tokens.slice(0, -1),
      score: best.score,
      features: this.calibration && features(source, best),
      length: source.length - 1,
      faults,
    };
  }
}
