"use strict";
// What probabilities say: ocr_lib/recognize/posterior.py and beam.py in JavaScript. Graves et al. 2006, Hannun et al.
// 2014. Class 0 is the blank. `steps` has an array of the classes' logarithms for each time step.

const BLANK = 0;
const IMPOSSIBLE = -1e30; // for log 0: differences of it are numbers
const UNSEEN = -40; // the logarithm of what changes no digit

function logAdd(one, other) {
  const top = Math.max(one, other);
  return top + Math.log1p(Math.exp(Math.min(one, other) - top));
}

// Returns the logarithms of the softmax of logits.
function logSoftmax(logits) {
  const top = logits.reduce((most, each) => Math.max(most, each), -Infinity);
  const total = Math.log(logits.reduce((sum, each) => sum + Math.exp(each - top), 0)) + top;
  return logits.map((each) => each - total);
}

// Returns the best class of each time step, repeats collapsed and blanks dropped.
function bestPath(steps) {
  const path = steps.map((step) => step.indexOf(Math.max(...step)));
  return path.filter((index, at) => index !== BLANK && index !== path[at - 1]);
}

// Returns, for t steps from the first on, how likely paths are to stand on each state of a label (ids with blanks around
// them) after them. Two impossible states come first.
function forward(steps, states) {
  const trellis = [new Float64Array(states.length + 2).fill(IMPOSSIBLE)];
  trellis[0][2] = 0;
  for (const step of steps) {
    const before = trellis.at(-1);
    const after = new Float64Array(before.length).fill(IMPOSSIBLE);
    states.forEach((state, s) => {
      let sum = logAdd(before[s + 2], before[s + 1]);
      if (s >= 2 && state !== states[s - 2]) sum = logAdd(sum, before[s]);
      after[s + 2] = sum + step[state];
    });
    trellis.push(after);
  }
  return trellis;
}

// Returns the logarithm of a label's probability, and of each character its posterior and mean place, from 0 to 1.
function posterior(steps, label) {
  const states = [BLANK, ...label.flatMap((index) => [index, BLANK])];
  const ahead = forward(steps, states);
  // The backward variables are the forward ones of what is reversed.
  const back = forward([...steps].reverse(), [...states].reverse()).reverse();
  const from = (t, state) => ahead[t][state + 2];
  const to = (t, state) => back[t][states.length + 1 - state];
  const end = steps.length;
  const likelihood = logAdd(from(end, states.length - 1), label.length ? from(end, states.length - 2) : IMPOSSIBLE);
  const characters = label.map((index, place) => {
    const at = 2 * place + 1; // its state
    const ways = { before: label[place - 1] ?? BLANK, behind: label[place + 1] ?? BLANK, likelihood };
    ways.fromBlank = Float64Array.from(ahead, (_, t) => from(t, at - 1));
    ways.fromAny = ways.fromBlank.map((blank, t) => logAdd(blank, from(t, at - 2)));
    ways.toBlank = Float64Array.from(back, (_, t) => to(t, at + 1));
    ways.toCharacter = Float64Array.from(back, (_, t) => (place + 1 < label.length ? to(t, at + 2) : IMPOSSIBLE));
    ways.toAny = ways.toBlank.map((blank, t) => logAdd(blank, ways.toCharacter[t]));
    const confidence = 1 / (oddsOfReplaced(steps, ways) + oddsOfLeftOut(ways));
    let [sum, mean] = [0, 0];
    for (let t = 0; t < end; t++) {
      const arriving = index === ways.before ? ways.fromBlank[t] : ways.fromAny[t];
      const share = Math.exp(logAdd(arriving, from(t, at)) + to(t, at) - likelihood);
      sum += share;
      mean += (t + 0.5) * share;
    }
    return { confidence: Math.min(1, confidence), position: mean / sum / end };
  });
  return { likelihood, characters };
}

// Adds up the labels that have any character in a place, over the label. Paths stand on it from an arrival to a leaving.
function oddsOfReplaced(steps, { before, behind, likelihood, fromBlank, fromAny, toBlank, toAny }) {
  let [first, last] = [0, steps.length - 1];
  const mostLeaving = Float64Array.from(toAny);
  for (let t = steps.length - 1; t >= 0; t--) mostLeaving[t] = Math.max(mostLeaving[t], mostLeaving[t + 1]);
  while (first < last && fromAny[first] + mostLeaving[first + 1] < likelihood + UNSEEN) first++;
  let mostArriving = -Infinity;
  const arrivals = Array.from(steps, (_, t) => (mostArriving = Math.max(mostArriving, fromAny[t])));
  while (last > first && arrivals[last] + toAny[last + 1] < likelihood + UNSEEN) last--;
  let odds = 0;
  for (let index = 1; index < steps[0].length; index++) {
    const arriving = index === before ? fromBlank : fromAny;
    const leaving = index === behind ? toBlank : toAny;
    let standing = IMPOSSIBLE;
    for (let t = first; t <= last; t++) {
      standing = logAdd(standing, arriving[t]) + steps[t][index];
      odds += Math.exp(standing + leaving[t + 1] - likelihood);
    }
  }
  return odds;
}

// Adds up the label without a character, over the label.
function oddsOfLeftOut({ before, behind, likelihood, fromBlank, fromAny, toCharacter }) {
  const isLast = behind === BLANK;
  if (isLast) return Math.exp(fromAny.at(-1) - likelihood);
  const passing = before === behind ? fromBlank : fromAny;
  return passing.reduce((sum, each, t) => sum + Math.exp(each + toCharacter[t] - likelihood), 0);
}

// Returns the most probable labels of an automaton (pattern.js), by prefix beam search: { label, likelihood }, the most
// probable first. Only prefixes that can still be completed in the steps that are left are in the beam.
function nBest(steps, count, width, automaton = anyText(steps[0].length)) {
  const score = (prefix) => logAdd(prefix.blank, prefix.labelled);
  let beam = [{ label: [], key: "", state: 0, afterLabel: 0, blank: 0, labelled: IMPOSSIBLE }];
  steps.forEach((step, at) => {
    const left = steps.length - 1 - at;
    const next = new Map(beam.map((prefix) => [prefix.key, { ...prefix, ...kept(prefix, step, left, automaton) }]));
    const floor = beam.length < width ? -Infinity : Math.min(...[...next.values()].map(score));
    for (const prefix of beam) {
      const [last, any] = [prefix.label.at(-1), score(prefix)];
      for (const { label: index, target: state, afterLabel } of automaton.edges[prefix.state]) {
        if (afterLabel > left) continue;
        const reached = (index === last ? prefix.blank : any) + step[index];
        const key = `${prefix.key},${index}`;
        const known = next.get(key);
        if (known) known.labelled = logAdd(known.labelled, reached);
        else if (reached > floor) {
          next.set(key, { label: [...prefix.label, index], key, state, afterLabel, blank: IMPOSSIBLE, labelled: reached });
        }
      }
    }
    const possible = [...next.values()].filter((prefix) => score(prefix) > IMPOSSIBLE / 2);
    beam = possible.sort((one, other) => score(other) - score(one)).slice(0, width);
  });
  const found = beam.slice(0, count).map(({ label }) => ({ label, likelihood: posterior(steps, label).likelihood }));
  return found.sort((one, other) => other.likelihood - one.likelihood);
}

// Returns how likely a prefix is that stays as it is.
function kept({ label, state, afterLabel, blank, labelled }, step, left, automaton) {
  return {
    blank: automaton.afterBlank[state] <= left ? logAdd(blank, labelled) + step[BLANK] : IMPOSSIBLE,
    labelled: label.length && afterLabel <= left ? labelled + step[label.at(-1)] : IMPOSSIBLE,
  };
}
