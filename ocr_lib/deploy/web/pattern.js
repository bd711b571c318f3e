"use strict";
// Regular expressions that the whole of a text matches, as automata over class ids: ocr_lib/recognize/pattern.py and
// automaton.py in JavaScript. Thompson 1968, and the subset construction. What is written here means what Python's `re`
// takes it for; flags, and what no automaton can follow, are refused.

const MOST_STATES = 4000;
const MOST_EDGES = 2_000_000;
const TOO_LARGE = "has an automaton of more than 4,000 states or 2,000,000 edges; let it repeat less often";
const KINDS = { d: /^\p{Nd}$/u, w: /^[\p{L}\p{N}_]$/u, s: /^[\s\x1c-\x1f\x85]$/u };
const CONTROLS = { t: "\t", n: "\n", r: "\r", f: "\f", v: "\v", a: "\x07" };
const UNSUPPORTED = [
  [/^(=|<=)/, "a lookahead or lookbehind"],
  [/^(!|<!)/, "a negative lookahead or lookbehind"],
  [/^P=/, "a backreference"],
  [/^\(/, "a conditional group"],
  [/^>/, "an atomic group"],
  [/^/, "a comment or a flag"],
];

// Returns an automaton: of each state the edges that leave it, and the fewest time steps that CTC needs to complete a
// text that has come to it, the last step being a blank, and over an edge, the last step being its label.
function compilePattern(pattern, alphabet) {
  const fault = (what) => new Error(`the pattern '${pattern}' ${what}`);
  const { source, end } = thompson(treeOf(pattern.normalize("NFC"), fault), alphabet, fault);
  const automaton = deterministic(source, end, fault);
  if (automaton.afterBlank[0] === Infinity) throw fault(`matches no text over the alphabet '${alphabet.join("")}'`);
  return automaton;
}

// The automaton of all texts.
function anyText(numClasses) {
  const edges = Array.from({ length: numClasses - 1 }, (_, at) => ({ label: at + 1, target: 0, afterLabel: 0 }));
  return { edges: [edges], afterBlank: [0] };
}

// Returns a tree of { items } in a row, { options }, { body, least, most } repeated, and { matches } one character.
function treeOf(pattern, fault) {
  try {
    return parsed(pattern, fault);
  } catch (error) {
    throw error instanceof RangeError ? fault("has too many groups within groups") : error;
  }
}

function parsed(pattern, fault) {
  const characters = [...pattern];
  let at = 0;
  const wrong = (what) => fault(`is no regular expression: ${what}`);
  const unsupported = (what) => fault(`has ${what}, which is not supported`);
  const is = (character) => characters[at] === character;
  const take = (character) => is(character) && ++at > 0;
  const one = (character) => ({ character, matches: (other) => other === character });

  const tree = branches();
  if (at < characters.length) throw wrong("a ) without its (");
  return withoutAnchors(tree);

  function branches() {
    const options = [row()];
    while (take("|")) options.push(row());
    return options.length > 1 ? { options } : options[0];
  }

  function row() {
    const items = [];
    while (at < characters.length && !is("|") && !is(")")) items.push(repeated(atom()));
    return { items };
  }

  function atom() {
    const character = characters[at++];
    if (character === "(") return group();
    if (character === "[") return { matches: anyOf() };
    if (character === "\\") return escaped();
    if (character === ".") return { matches: (other) => other !== "\n" };
    if (character === "^" || character === "$") return { anchor: character };
    if (quantifierAt(at - 1)) throw wrong(`nothing to repeat before ${character}`);
    return one(character);
  }

  function group() {
    if (take("?")) {
      const rest = characters.slice(at).join("");
      const [opening] = /^(:|P?<[\p{L}_][\p{L}\p{N}_]*>)?/u.exec(rest);
      if (!opening) throw unsupported(UNSUPPORTED.find(([begin]) => begin.test(rest))[1]);
      at += [...opening].length;
    }
    const body = branches();
    if (!take(")")) throw wrong("a group without its )");
    return body;
  }

  // What follows a backslash.
  function escaped() {
    const character = characters[at++];
    if (character === undefined) throw wrong("a \\ at its end");
    if ("AZ".includes(character)) return { anchor: character === "A" ? "^" : "$" };
    if ("bB".includes(character)) throw unsupported("a word boundary");
    return escapedMember(character);
  }

  function escapedMember(character) {
    const kind = KINDS[character.toLowerCase()];
    if (kind) return { matches: (other) => kind.test(other) === (character === character.toLowerCase()) };
    if (character in CONTROLS) return one(CONTROLS[character]);
    const digits = { x: 2, u: 4, U: 8 }[character];
    if (digits) {
      const code = characters.slice(at, at + digits).join("");
      at += digits;
      if (!/^[0-9a-f]+$/i.test(code) || code.length < digits || parseInt(code, 16) > 0x10ffff) throw wrong(`a bad \\${character}`);
      return one(String.fromCodePoint(parseInt(code, 16)));
    }
    if (/[0-9]/.test(character)) throw unsupported("a backreference or an octal number");
    if (/[A-Za-z]/.test(character)) throw wrong(`a bad escape \\${character}`);
    return one(character);
  }

  // What follows a [.
  function anyOf() {
    const negated = take("^");
    const parts = [];
    do parts.push(range(member()));
    while (!is("]"));
    at++;
    return (other) => parts.some((matches) => matches(other)) !== negated;
  }

  function member() {
    const character = characters[at++];
    if (character === undefined || at >= characters.length) throw wrong("a [ without its ]");
    if (character !== "\\") return one(character);
    return is("b") ? (at++, one("\b")) : escapedMember(characters[at++]);
  }

  function range(first) {
    if (!is("-") || characters[at + 1] === "]" || characters[at + 1] === undefined) return first.matches;
    at++;
    const [least, most] = [first, member()].map(({ character }) => character?.codePointAt(0));
    if (!(least <= most)) throw wrong("a bad range of characters");
    return (other) => least <= other.codePointAt(0) && other.codePointAt(0) <= most;
  }

  function repeated(body) {
    const found = quantifierAt(at);
    if (!found) return body;
    if (body.anchor) throw wrong("an anchor that is repeated");
    at += found.length;
    if (found.least > found.most) throw wrong(`${found.least} to ${found.most} times`);
    if (is("+")) throw unsupported("a possessive repetition");
    take("?"); // lazy: of the same texts
    if (quantifierAt(at)) throw wrong("a repetition of a repetition");
    return { ...found, body };
  }

  function quantifierAt(place) {
    const simple = { "*": [0, Infinity], "+": [1, Infinity], "?": [0, 1] }[characters[place]];
    if (simple) return { least: simple[0], most: simple[1], length: 1 };
    if (characters[place] !== "{") return null;
    const braces = /^\{([0-9]*)(,?)([0-9]*)\}/.exec(characters.slice(place).join(""));
    if (!braces || braces[0] === "{}") return null; // Python takes it for itself
    const [all, least, comma, most] = braces;
    return { least: Number(least), most: comma ? Number(most || Infinity) : Number(least), length: all.length };
  }

  // Anchors at both ends change nothing where a text is to match as a whole.
  function withoutAnchors({ items, ...others }) {
    if (!items) return others;
    const kept = [...items];
    while (kept[0]?.anchor === "^") kept.shift();
    while (kept.at(-1)?.anchor === "$") kept.pop();
    return { items: kept };
  }
}

// Returns a nondeterministic automaton, `moves` by class ids and `jumps` by nothing from each state, and its end.
function thompson(tree, alphabet, fault) {
  const [moves, jumps] = [[], []];
  return { source: { moves, jumps }, end: add(tree, newState()) };

  function newState(...before) {
    if (moves.length === MOST_STATES) throw fault(TOO_LARGE);
    moves.push([]);
    jumps.push([]);
    for (const state of before) jumps[state].push(moves.length - 1);
    return moves.length - 1;
  }

  function add(node, start) {
    if (node.anchor) throw fault("has an anchor elsewhere than at its ends, which is not supported");
    if (node.items) return node.items.reduce((state, item) => add(item, state), start);
    if (node.options) return newState(...node.options.map((option) => add(option, start)));
    if (node.body) return repeat(node, start);
    const end = newState();
    moves[start].push([alphabet.flatMap((each, at) => (node.matches(each) ? [at + 1] : [])), end]);
    return end;
  }

  function repeat({ body, least, most }, start) {
    const ends = [start];
    // An empty body is there as often as one likes.
    const isLonger = () => {
      const size = moves.length;
      ends.push(add(body, ends.at(-1)));
      return moves.length > size;
    };
    for (let count = 0; count < least; count++) if (!isLonger()) return start;
    if (most === Infinity) {
      const loop = newState(ends.at(-1));
      jumps[add(body, loop)].push(loop);
      return loop;
    }
    const mayEnd = ends.length - 1;
    for (let count = least; count < most; count++) if (!isLonger()) break;
    return most > least ? newState(...ends.slice(mayEnd)) : ends[mayEnd];
  }
}

function deterministic({ moves, jumps }, end, fault) {
  const subsets = [];
  const known = new Map();
  const stateOf = (states) => {
    const subset = closure(states);
    const key = subset.join();
    if (!known.has(key)) known.set(key, subsets.push(subset) - 1);
    return known.get(key);
  };
  const edges = [];
  let count = 0;
  stateOf([0]);
  for (let state = 0; state < subsets.length; state++) {
    const reached = new Map();
    for (const [labels, target] of subsets[state].flatMap((each) => moves[each])) {
      for (const label of labels) {
        if (!reached.has(label)) reached.set(label, []);
        reached.get(label).push(target);
      }
    }
    edges.push([...reached].map(([label, targets]) => ({ label, target: stateOf(targets), afterLabel: Infinity })));
    count += reached.size;
    if (subsets.length > MOST_STATES || count > MOST_EDGES) throw fault(TOO_LARGE);
  }
  return { edges, afterBlank: counted(edges, subsets.map((subset) => subset.includes(end))) };

  function closure(states) {
    const found = new Set(states);
    for (const state of found) jumps[state].forEach((target) => found.add(target));
    return [...found].sort((one, other) => one - other);
  }
}

// Counts the time steps that edges and states are away from a complete text; returns those of states.
function counted(edges, isEnd) {
  const afterBlank = isEnd.map((each) => (each ? 0 : Infinity));
  // The class by which all shortest completions of a state go on: behind an edge of that class a blank comes first.
  const shared = isEnd.map(() => BLANK);
  for (let changed = true; changed; ) {
    changed = false;
    for (let state = edges.length - 1; state >= 0; state--) {
      let [least, way] = [afterBlank[state], shared[state]];
      for (const edge of edges[state]) {
        edge.afterLabel = afterBlank[edge.target] + (shared[edge.target] === edge.label);
        const needed = 1 + edge.afterLabel;
        if (needed < least) [least, way] = [needed, edge.label];
        else if (needed === least && way !== edge.label) way = BLANK;
      }
      if (least === afterBlank[state] && way === shared[state]) continue;
      [afterBlank[state], shared[state]] = [least, way];
      changed = true;
    }
  }
  return afterBlank;
}
