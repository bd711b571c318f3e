"use strict";
// Reads in the browser: by the engine in C, as WebAssembly, and the model that the page has in it.

const LEAST_SHOWN = 0.005; // of a class's probability, somewhere, to be in a lattice
const ALTERNATIVES = 5;
const BEAM_WIDTH = 16;

const engine = {
  async models() {
    await machine();
    return [{ name: bundle.name }];
  },

  async read(images, { pattern } = {}) {
    const reader = await machine();
    if (pattern && bundle.bidi) throw new Error("patterns are for text from left to right");
    const allowed = pattern ? compilePattern(pattern, bundle.alphabet) : undefined;
    return Promise.all(
      images.map((image) => reading(reader, image, allowed).catch((error) => ({ name: image.name, error: error.message }))),
    );
  },

  samples: bundle.samples,
};

let opened = null;

// Returns what the engine exports, with the model opened.
function machine() {
  opened ??= start();
  return opened;

  async function start() {
    const { instance } = await WebAssembly.instantiate(bytesOf(bundle.engine));
    const model = bytesOf(bundle.model);
    new Uint8Array(instance.exports.memory.buffer, instance.exports.model(), model.length).set(model);
    check(instance.exports, instance.exports.open(model.length));
    return instance.exports;
  }
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function check(reader, error) {
  if (!error) return;
  const bytes = new Uint8Array(reader.memory.buffer, reader.message(error));
  throw new Error(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))));
}

// Returns what an image says: the most probable of the texts that are allowed, or read greedily.
async function reading(reader, file, allowed) {
  const pixels = await pixelsOf(file, bundle.image.frame);
  const image = prepared(pixels, bundle.image);
  const steps = logits(reader, image).map(logSoftmax);
  const alternatives = nBest(steps, ALTERNATIVES, BEAM_WIDTH, allowed);
  const label = allowed ? (alternatives[0]?.label ?? []) : bestPath(steps);
  const { likelihood, characters } = posterior(steps, label);
  const length = [90, 270].includes(bundle.image.rotate) ? pixels.height : pixels.width;
  return {
    name: file.name,
    text: textOf(label),
    confidence: allowed && !alternatives.length ? 0 : Math.min(1, Math.exp(likelihood)),
    characters: characters.map(({ confidence, position }, place) => {
      return { text: bundle.alphabet[label[place] - 1], confidence, x: position * length };
    }),
    alternatives: alternatives.map((found) => {
      return { text: textOf(found.label), confidence: Math.min(1, Math.exp(found.likelihood)) };
    }),
    lattice: latticeOf(steps, length),
  };
}

function textOf(label) {
  const standing = label.map((index) => bundle.alphabet[index - 1]).join("");
  return (bundle.bidi ? logical(standing, bundle.bidi) : standing).normalize("NFC");
}

// Returns the logits of a prepared image, an array for each time step.
function logits(reader, { width, data }) {
  new Uint8Array(reader.memory.buffer, reader.image(), data.length).set(data);
  check(reader, reader.read(width));
  const Numbers = bundle.sum_bits === 32 ? Int32Array : BigInt64Array;
  const unit = 2 ** reader.exponent();
  return Array.from({ length: reader.steps() }, (_, step) => {
    const sums = new Numbers(reader.memory.buffer, reader.logits(step), reader.classes());
    return Array.from(sums, (sum) => Number(sum) * unit);
  });
}

function latticeOf(steps, width) {
  const all = steps.map((step) => step.map(Math.exp));
  const isShown = (index) => index === BLANK || all.some((step) => step[index] >= LEAST_SHOWN);
  const shown = all[0].map((_, index) => index).filter(isShown);
  const probabilities = all.map((step) => shown.map((index) => step[index]));
  return {
    classes: shown.map((index) => (index === BLANK ? "" : bundle.alphabet[index - 1])),
    probabilities,
    path: probabilities.map((step) => step.indexOf(Math.max(...step))),
    width,
  };
}
