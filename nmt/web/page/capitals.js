// Lines in capitals: translated as their twins in normal case. The twin of nmt/text/capitals.py.

export class Capitals {
  /** @param rules of text.json. */
  constructor(rules) {
    this.lower = new RegExp(rules.lower, "u");
    this.words = new RegExp(rules.words, "u");
    this.firstLetter = new RegExp(rules.firstLetter, "u");
    this.toLower = rules.toLower;
    this.toUpper = rules.toUpper;
  }

  found(source) {
    return !this.lower.test(source) && this.words.test(source);
  }

  toNormalCase(source) {
    const start = this.firstLetter.exec(source)?.[0].length ?? 0;
    return source.slice(0, start) + replaced(source.slice(start), this.toLower).toLowerCase();
  }

  toCapitals(target) {
    return replaced(target, this.toUpper).toUpperCase();
  }
}

function replaced(text, special) {
  return special.reduce((result, [letter, other]) => result.replaceAll(letter, other), text);
}
