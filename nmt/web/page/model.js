// The two graphs of an export in onnxruntime-web: what a search asks of a model, see search.js.

import * as ort from "./runtime/ort.wasm.bundle.min.mjs";

const NEXT = "next_"; // before the name of a state that a step gives
const ALL = "log_probabilities";

export class Model {
  /** @param files: contents by name; firstIds, block: see nmt/onnx_engine/layout.py. */
  static async open(files, { vocabulary, firstIds, block, runtime, weights }) {
    ort.env.wasm.wasmBinary = files[runtime].buffer;
    ort.env.wasm.numThreads = 1; // several would need headers that a plain file server does not send
    const externalData = weights.map((path) => ({ path, data: files[path] }));
    const open = (name) => ort.InferenceSession.create(files[name], { executionProviders: ["wasm"], externalData });
    return new Model(await open("encoder.onnx"), await open("step.onnx"), { vocabulary, firstIds, block });
  }

  constructor(encoder, step, { vocabulary, firstIds, block }) {
    this.encoder = encoder;
    this.stepGraph = step;
    this.firstIds = firstIds;
    this.numOthers = vocabulary - firstIds;
    this.filling = (block - (firstIds % block)) % block; // columns that no token has, behind the first ids
    this.stateNames = step.outputNames.filter((name) => name.startsWith(NEXT)).map((name) => name.slice(NEXT.length));
  }

  async encode(source) {
    const made = await this.encoder.run({ source: new ort.Tensor("int32", source, [1, source.length]) });
    const entries = Object.entries(made);
    const isState = ([name]) => this.stateNames.includes(name);
    const [state, memory] = [entries.filter(isState), entries.filter((entry) => !isState(entry))];
    return { state: Object.fromEntries(state), memory: Object.fromEntries(memory) };
  }

  async step({ tokens, state, memory, most, withWeights }) {
    const all = most === null || most >= this.numOthers;
    const wanted = all ? [ALL] : ["first", "best", "best_tokens"];
    const made = await this.stepGraph.run(
      {
        tokens: new ort.Tensor("int32", tokens, [1, tokens.length]),
        num_best: new ort.Tensor("int64", [BigInt(all ? 0 : most)], [1]),
        ...state,
        ...memory,
      },
      [...this.stateNames.map((name) => NEXT + name), ...(withWeights ? ["weights"] : []), ...wanted],
    );
    return {
      ...(all ? this.all(made[ALL]) : {
        first: rowsOf(made.first), best: rowsOf(made.best), tokens: rowsOf(made.best_tokens),
      }),
      weights: withWeights ? rowsOf(made.weights) : null,
      state: Object.fromEntries(this.stateNames.map((name) => [name, made[NEXT + name]])),
    };
  }

  /** Log-probabilities of all columns, in the order of the tokens. */
  all(tensor) {
    const first = rowsOf(tensor).map((row) => {
      const others = row.subarray(this.firstIds + this.filling);
      const tokens = new Float32Array(this.firstIds + others.length);
      tokens.set(row.subarray(0, this.firstIds));
      tokens.set(others, this.firstIds);
      return tokens;
    });
    return { first, best: first.map(() => []), tokens: first.map(() => []) };
  }

  /** Some rows of a state. */
  reorder(state, rows) {
    return Object.fromEntries(Object.entries(state).map(([name, tensor]) => [name, takeRows(tensor, rows)]));
  }
}

function takeRows(tensor, rows) {
  const size = tensor.dims[1];
  const taken = new Float32Array(rows.length * size);
  rows.forEach((row, place) => taken.set(tensor.data.subarray(row * size, (row + 1) * size), place * size));
  return new ort.Tensor("float32", taken, [rows.length, size]);
}

function rowsOf(tensor) {
  const [count, size] = tensor.dims;
  return Array.from({ length: count }, (_, row) => tensor.data.subarray(row * size, (row + 1) * size));
}
