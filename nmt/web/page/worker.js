// Loads the translator and translates, apart from the page, which stays quick meanwhile.

import { download } from "./download.js";
import { Model } from "./model.js";
import { Translator } from "./translator.js";

let translator = null;
let wanted = 0;

self.addEventListener("message", ({ data: { request, beamSize, lines } }) => {
  wanted = request;
  translate(request, beamSize, lines);
});

async function load() {
  const rules = await (await fetch("text.json")).json();
  const total = rules.files.reduce((sum, file) => sum + file.size, 0);
  const { contents, kept } = await download(rules, (loaded) => self.postMessage({ kind: "progress", loaded, total }));
  translator = new Translator(await Model.open(contents, rules.model), rules);
  const { languages, search } = rules;
  self.postMessage({ kind: "ready", languages, beamSize: search.beamSize, total, kept });
}

async function translate(request, beamSize, lines) {
  for (const { line, place, key } of lines) {
    // Between two lines, so that a message that is there already comes first.
    await new Promise((resolve) => setTimeout(resolve));
    if (request !== wanted) return;
    try {
      const result = await translator.translate(line, { beamSize });
      self.postMessage({ kind: "line", request, place, key, result });
    } catch (error) {
      self.postMessage({ kind: "failed", message: `The translator failed: ${error.message}` });
      return;
    }
  }
}

load().catch((error) => self.postMessage({ kind: "failed", message: error.message }));
