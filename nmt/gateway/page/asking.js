// When to ask: after a pause in typing, never twice at a time, and again after what passes.

import { Failure } from "./server.js";

const FIRST_WAIT = 2; // seconds, doubled after each failure
const LONGEST_WAIT = 30;

export class Asking {
  #ask;
  #failed;
  #timer;
  #current = new AbortController();
  #failures = 0;

  /**
   * @param ask of an AbortSignal: asks and shows the answer
   * @param failed of a Failure and the seconds until the next try, null where there is none
   */
  constructor(ask, failed) {
    this.#ask = ask;
    this.#failed = failed;
  }

  /** Asks after so many milliseconds in which nobody calls this again. What was asked before is outdated. */
  after(milliseconds) {
    this.stop();
    this.#failures = 0;
    this.#timer = setTimeout(() => this.#run(), milliseconds);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#current.abort();
  }

  async #run() {
    const asked = (this.#current = new AbortController());
    try {
      await this.#ask(asked.signal);
      this.#failures = 0;
    } catch (failure) {
      if (asked.signal.aborted) return;
      if (!(failure instanceof Failure)) throw failure;
      const wait = failure.wait === null ? null : Math.max(failure.wait, this.#pause());
      if (wait !== null) this.#timer = setTimeout(() => this.#run(), 1000 * wait);
      this.#failed(failure, wait);
    }
  }

  #pause() {
    return Math.min(FIRST_WAIT * 2 ** this.#failures++, LONGEST_WAIT);
  }
}
