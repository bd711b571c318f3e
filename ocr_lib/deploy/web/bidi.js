"use strict";
// Text from right to left, from the order in which it stands to that in which it is read: ocr_lib/direction.py, Unicode's
// bidirectional algorithm (UAX #9), for lines without explicit directions. `facts` are those of an alphabet: `types` and
// `mirrors` of its characters, `letters` that are written from right to left, and `opening` and `closing` brackets.

const BASE_LEVEL = 1;
const REMOVED = ["BN", "LRE", "RLE", "LRO", "RLO", "PDF"];
const NUMBERS = ["EN", "AN"];
const asStrong = (type) => (NUMBERS.includes(type) ? "R" : type);

function logical(text, facts) {
  const read = visual(text, facts);
  if (visual(read, facts) === text) return read;
  // In a mirror all is in order but for what is written from left to right.
  return flipped(visual(flipped(text, facts), facts), facts);
}

function visual(text, facts) {
  const characters = [...text];
  if (!characters.some((each) => facts.letters.includes(each))) return text;
  const levels = levelsOf(characters, facts);
  let parts = clusters(characters, facts);
  for (let level = Math.max(...levels); level > 0; level--) parts = turnedRound(parts, (part) => levels[part[0]] >= level);
  return parts.flat().map((at) => (levels[at] % 2 ? mirrored(characters[at], facts) : characters[at])).join("");
}

function flipped(text, facts) {
  const characters = [...text];
  return clusters(characters, facts).reverse().flat().map((at) => mirrored(characters[at], facts)).join("");
}

const mirrored = (character, facts) => facts.mirrors[character] ?? character;

// Returns the places of characters, each with those of its marks.
function clusters(characters, facts) {
  const parts = [];
  characters.forEach((each, at) => {
    if (at && facts.types[each] === "NSM") parts.at(-1).push(at);
    else parts.push([at]);
  });
  return parts;
}

// Turns round each row of parts that are wanted: rule L2.
function turnedRound(parts, isWanted) {
  const found = [];
  let row = [];
  for (const part of parts) {
    if (isWanted(part)) {
      row.unshift(part);
      continue;
    }
    found.push(...row, part);
    row = [];
  }
  return [...found, ...row];
}

// Returns the level of each character: odd ones are from right to left. What is invisible has that of the one before.
function levelsOf(characters, facts) {
  const kept = characters.map((_, at) => at).filter((at) => !REMOVED.includes(facts.types[characters[at]]));
  const visible = kept.map((at) => characters[at]);
  const types = visible.map((each) => facts.types[each]);
  resolveWeak(types);
  resolveBrackets(types, visible, facts);
  resolveNeutral(types);
  const levels = [];
  characters.forEach((_, at) => {
    const place = kept.indexOf(at);
    if (place >= 0) levels.push(BASE_LEVEL + (types[place] === "R" ? 0 : 1));
    else levels.push(at ? levels.at(-1) : BASE_LEVEL);
  });
  return levels;
}

// Rules W1 to W7.
function resolveWeak(types) {
  let strong = "R";
  types.forEach((type, at) => {
    if (type === "NSM") types[at] = at ? types[at - 1] : "R";
    if (types[at] === "EN" && strong === "AL") types[at] = "AN";
    if (["R", "L", "AL"].includes(types[at])) strong = types[at];
  });
  types.forEach((type, at) => (types[at] = type === "AL" ? "R" : type));
  for (let at = 1; at < types.length - 1; at++) {
    const [before, behind] = [types[at - 1], types[at + 1]];
    if (types[at] === "ES" && before === "EN" && behind === "EN") types[at] = "EN";
    if (types[at] === "CS" && before === behind && NUMBERS.includes(before)) types[at] = before;
  }
  types.forEach((type, at) => {
    if (type !== "EN") return;
    for (let other = at - 1; types[other] === "ET"; other--) types[other] = "EN";
    for (let other = at + 1; types[other] === "ET"; other++) types[other] = "EN";
  });
  strong = "R";
  types.forEach((type, at) => {
    if (["ET", "ES", "CS"].includes(type)) types[at] = "ON";
    if (type === "EN" && strong === "L") types[at] = "L";
    if (["L", "R"].includes(types[at])) strong = types[at];
  });
}

// Rule N0.
function resolveBrackets(types, characters, facts) {
  for (const [opening, closing] of pairsOf(types, characters, facts)) {
    const within = types.slice(opening + 1, closing).map(asStrong);
    const before = types.slice(0, opening).map(asStrong).filter((type) => ["L", "R"].includes(type)).at(-1);
    if (!within.includes("L") && !within.includes("R")) continue;
    types[opening] = types[closing] = !within.includes("R") && before === "L" ? "L" : "R";
  }
}

function pairsOf(types, characters, facts) {
  const [open, pairs] = [[], []];
  types.forEach((type, at) => {
    if (type !== "ON") return;
    if (facts.opening.includes(characters[at])) open.push(at);
    if (!facts.closing.includes(characters[at])) return;
    const partner = facts.mirrors[characters[at]];
    const found = open.map((place) => characters[place]).lastIndexOf(partner);
    if (found >= 0) pairs.push([open[found], at]);
    if (found >= 0) open.length = found;
  });
  return pairs.sort(([one], [other]) => one - other);
}

// Rules N1 and N2.
function resolveNeutral(types) {
  for (let at = 0; at < types.length; at++) {
    if (["L", "R", ...NUMBERS].includes(types[at])) continue;
    const before = at ? asStrong(types[at - 1]) : "R";
    let end = at;
    while (end < types.length && !["L", "R", ...NUMBERS].includes(types[end])) end++;
    const behind = end < types.length ? asStrong(types[end]) : "R";
    types.fill(before === behind ? before : "R", at, end);
  }
}
