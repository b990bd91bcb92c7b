// The two selects, and the button that swaps them.

const AUTO = "auto";

export class Languages {
  #known = new Map();
  #detected = null;
  #previous = null; // the source before it was changed
  #source;
  #target;
  #swap;

  constructor(source, target, swap) {
    this.#source = source;
    this.#target = target;
    this.#swap = swap;
    source.addEventListener("change", () => this.#sourceChanged());
    target.addEventListener("change", () => this.#update());
  }

  /** @param known of GET /languages */
  fill(known, usual) {
    this.#known = new Map(known.map((each) => [each.code, each]));
    const sources = known.filter((each) => each.targets.length);
    this.#source.replaceChildren(new Option("Detect language", AUTO), ...sources.map(option));
    this.choose(usual.source, usual.target);
  }

  /** Those of the two that can be chosen. */
  choose(source, target) {
    if (source === AUTO || this.#known.get(source)?.targets.length) this.#source.value = source;
    this.#fillTargets(target, this.#target.value);
    this.detected = null;
  }

  get source() {
    return this.#source.value;
  }

  get target() {
    return this.#target.value;
  }

  get pair() {
    return { source: this.source, target: this.target };
  }

  /** The source, as far as it is known; null before it is detected. */
  get read() {
    return this.source === AUTO ? this.#detected : this.source;
  }

  /** A code, or null. */
  set detected(code) {
    this.#detected = code;
    const name = this.#known.get(code)?.name;
    this.#source.options[0].text = name ? `Detect language: ${name}` : "Detect language";
    this.#update();
  }

  nameOf(code) {
    return this.#known.get(code)?.name ?? code;
  }

  swap() {
    this.choose(this.target, this.read);
  }

  #sourceChanged() {
    this.#fillTargets(this.target, this.#previous);
    this.detected = null;
  }

  /** Keeps or takes the first of the wanted ones that there is. */
  #fillTargets(...wanted) {
    const sources = this.source === AUTO ? [...this.#known.values()] : [this.#known.get(this.source)];
    const codes = new Set(sources.flatMap((each) => each.targets));
    const targets = [...this.#known.values()].filter((each) => codes.has(each.code));
    this.#target.replaceChildren(...targets.map(option));
    this.#target.value = wanted.find((code) => codes.has(code)) ?? targets[0].code;
  }

  #update() {
    this.#previous = this.source;
    this.#swap.disabled = !this.#known.get(this.target)?.targets.includes(this.read);
  }
}

function option({ code, name }) {
  return new Option(name, code);
}
