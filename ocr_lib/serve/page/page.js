"use strict";
// The page: takes images, has them read by `engine`, and shows what they say.

const MOST_AT_ONCE = 16; // images of a request
const UNSURE = 0.9;
const CELL = { width: 12, height: 20, left: 28 }; // pixels of the lattice

const found = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(share > 0.9995 ? 0 : 1)} %`;
const shown = (character) => (character === " " ? "␣" : character === "" ? "–" : character);

const readings = []; // { name, url, reading }

async function start() {
  engine.samples.forEach(addSample);
  listen();
  await fillModels();
}

async function fillModels() {
  try {
    const models = await engine.models(found("key").value);
    found("model").replaceChildren(...models.map((model) => new Option(model.name, model.name)));
    say("");
  } catch (error) {
    fail(error);
  }
}

function addSample({ name, url }) {
  const image = element("img", { src: url, alt: `Sample: ${name.replace(/\..*/, "")}` });
  const button = element("button", { type: "button" }, image);
  button.addEventListener("click", async () => {
    const blob = await (await fetch(url)).blob();
    await readAll([new File([blob], name, { type: blob.type })]);
  });
  found("samples").append(button);
}

function listen() {
  for (const id of ["files", "camera"]) {
    found(id).addEventListener("change", async (event) => {
      await readAll([...event.target.files]);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("paste", (event) => takeFrom(event.clipboardData, event));
  document.addEventListener("drop", (event) => takeFrom(event.dataTransfer, event));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    found("drop").classList.add("over");
  });
  for (const name of ["dragleave", "drop"]) {
    document.addEventListener(name, () => found("drop").classList.remove("over"));
  }
  found("wishes").addEventListener("submit", (event) => event.preventDefault());
  found("key").addEventListener("change", fillModels);
  found("csv").addEventListener("click", () => save("readings.csv", "text/csv", asCsv()));
  found("json").addEventListener("click", () => save("readings.json", "application/json", asJson()));
  found("clear").addEventListener("click", clear);
  found("lattice").addEventListener("mousemove", (event) => pointAt(event.offsetX, event.offsetY));
  found("lattice").addEventListener("keydown", moveBy);
}

function takeFrom(transfer, event) {
  const files = [...transfer.files].filter((file) => file.type.startsWith("image/") || file.type === "");
  if (files.length) {
    event.preventDefault();
    readAll(files);
  } else if (event.type === "drop") {
    event.preventDefault();
    say("That is no image.");
  }
}

async function readAll(files) {
  if (!files.length) return;
  say("");
  document.body.setAttribute("aria-busy", "true");
  const wish = { model: found("model").value, pattern: found("pattern").value };
  try {
    for (let at = 0; at < files.length; at += MOST_AT_ONCE) {
      const part = files.slice(at, at + MOST_AT_ONCE);
      const began = performance.now();
      const answers = await engine.read(part, wish, found("key").value);
      const milliseconds = (performance.now() - began) / part.length;
      answers.forEach((reading, place) => add(part[place], reading, milliseconds));
    }
  } catch (error) {
    fail(error);
  }
  document.body.removeAttribute("aria-busy");
}

function add(file, reading, milliseconds) {
  const entry = { name: file.name || "image", url: URL.createObjectURL(file), reading, milliseconds };
  readings.unshift(entry);
  const picture = element("img", { src: entry.url, alt: "" });
  const open = element("button", { type: "button", title: "Show this reading" }, picture);
  open.setAttribute("aria-label", `Show the reading of ${entry.name}`);
  open.addEventListener("click", () => show(entry));
  const text = element("td", { className: reading.error ? "error" : "text", textContent: reading.error || reading.text });
  const sure = element("td", { textContent: reading.error ? "" : percent(reading.confidence) });
  found("rows").prepend(element("tr", {}, element("td", {}, open), element("td", { textContent: entry.name }), text, sure));
  found("readings").hidden = false;
  show(entry);
}

function show(entry) {
  const { reading } = entry;
  found("reading").hidden = Boolean(reading.error);
  if (reading.error) {
    say(`${entry.name}: ${reading.error}`);
    return;
  }
  found("text").textContent = reading.text || "(nothing)";
  found("facts").textContent = `confidence ${percent(reading.confidence)}, ${entry.milliseconds.toFixed(0)} ms`;
  found("image").src = entry.url;
  found("image").alt = `The image ${entry.name}, which says ${reading.text || "nothing"}`;
  found("characters").replaceChildren(...reading.characters.map((character) => placed(character, reading.lattice.width)));
  found("alternatives").replaceChildren(
    ...reading.alternatives.map(({ text, confidence }) => {
      const share = element("span", { className: "share", textContent: percent(confidence) });
      return element("li", {}, share, text || "(nothing)");
    }),
  );
  draw(reading.lattice);
}

function placed(character, width) {
  const sure = element("small", { textContent: Math.floor(100 * character.confidence) });
  const label = element("span", { className: "character", textContent: shown(character.text) }, sure);
  if (character.confidence < UNSURE) label.classList.add("unsure");
  label.style.left = `${(100 * character.x) / width}%`;
  return label;
}

let lattice = null;
let pointer = { step: 0, row: 0 };

function draw(given) {
  lattice = given;
  pointer = { step: 0, row: given.path[0] || 0 };
  found("cell").textContent = "";
  const canvas = found("lattice");
  const ratio = window.devicePixelRatio || 1;
  const width = CELL.left + CELL.width * given.probabilities.length;
  const height = CELL.height * given.classes.length;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const style = getComputedStyle(document.body);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "13px ui-monospace, monospace";
  context.textBaseline = "middle";
  context.fillStyle = style.color;
  given.classes.forEach((character, row) => context.fillText(shown(character), 6, CELL.height * (row + 0.5)));
  const mark = style.getPropertyValue("--mark");
  given.probabilities.forEach((step, at) => {
    step.forEach((probability, row) => {
      context.globalAlpha = 0.06 + 0.94 * Math.sqrt(probability);
      context.fillStyle = mark;
      context.fillRect(CELL.left + CELL.width * at, CELL.height * row, CELL.width - 1, CELL.height - 1);
    });
  });
  context.globalAlpha = 1;
  context.strokeStyle = style.color;
  context.lineWidth = 1.5;
  given.path.forEach((row, at) => {
    context.strokeRect(CELL.left + CELL.width * at, CELL.height * row, CELL.width - 1, CELL.height - 1);
  });
}

function pointAt(x, y) {
  const step = Math.floor((x - CELL.left) / CELL.width);
  const row = Math.floor(y / CELL.height);
  if (lattice && lattice.probabilities[step] && lattice.classes[row] !== undefined) {
    pointer = { step, row };
    tellCell();
  }
}

function moveBy(event) {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!by || !lattice) return;
  event.preventDefault();
  pointer.step = Math.min(Math.max(pointer.step + by[0], 0), lattice.probabilities.length - 1);
  pointer.row = by[1] ? Math.min(Math.max(pointer.row + by[1], 0), lattice.classes.length - 1) : lattice.path[pointer.step];
  tellCell();
}

function tellCell() {
  const name = lattice.classes[pointer.row] === "" ? "blank" : `‘${shown(lattice.classes[pointer.row])}’`;
  const probability = percent(lattice.probabilities[pointer.step][pointer.row]);
  found("cell").textContent = `step ${pointer.step + 1} of ${lattice.probabilities.length}: ${name} ${probability}`;
}

function asCsv() {
  // A leading =, +, - or @ would be a formula to spreadsheets.
  const quoted = (value) => `"${String(value).replace(/^([=+\-@\t\r])/, "'$1").replace(/"/g, '""')}"`;
  const lines = [...readings].reverse().map(({ name, reading }) =>
    [name, reading.text ?? "", reading.confidence ?? "", reading.error ?? ""].map(quoted).join(","),
  );
  return ["name,text,confidence,error", ...lines, ""].join("\r\n");
}

function asJson() {
  const kept = [...readings].reverse().map(({ name, reading: { lattice: _, ...reading } }) => ({ ...reading, name }));
  return `${JSON.stringify(kept, null, 2)}\n`;
}

function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function clear() {
  readings.splice(0).forEach((entry) => URL.revokeObjectURL(entry.url));
  found("rows").replaceChildren();
  found("readings").hidden = true;
  found("reading").hidden = true;
  say("");
}

function fail(error) {
  if (error.name === "KeyNeeded") found("key-label").hidden = false;
  say(error.message);
}

function say(message) {
  found("message").textContent = message;
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

start();
