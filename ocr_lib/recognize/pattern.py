"""Patterns: regular expressions that the whole of a text matches, compiled to automata over class ids.

Syntax, and which characters a class has, are those of Python's own `re`. The nondeterministic automaton is built as in
Thompson: Regular Expression Search Algorithm. CACM 11 (1968); the subset construction makes it deterministic.
"""

import importlib
import re
import sys
import unicodedata
import warnings
from typing import Any, Dict, FrozenSet, Iterable, List, Sequence, Set, Tuple

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recognize.automaton import Automaton, Edge, from_edges

# The parts of `re` have gone by other names since Python 3.11.
_PARTS = ("re._parser", "re._compiler") if sys.version_info >= (3, 11) else ("sre_parse", "sre_compile")
_parser: Any
_compiler: Any
_parser, _compiler = map(importlib.import_module, _PARTS)

MOST_STATES = 4000
MOST_EDGES = 2_000_000

_TOO_LARGE = f"an automaton of more than {MOST_STATES:,} states or {MOST_EDGES:,} edges; let it repeat less often"
_UNSUPPORTED = {
    "ASSERT": "a lookahead or lookbehind",
    "ASSERT_NOT": "a negative lookahead or lookbehind",
    "FAILURE": "a negative lookahead or lookbehind",  # what newer Pythons make of (?!)
    "AT_BOUNDARY": "a word boundary",
    "AT_NON_BOUNDARY": "a word boundary",
    "ATOMIC_GROUP": "an atomic group",
    "GROUPREF": "a backreference",
    "GROUPREF_EXISTS": "a conditional group",
    "POSSESSIVE_REPEAT": "a possessive repetition",
}

Item = Tuple[Any, Any]  # an operation of the parser with its arguments


def compile_pattern(pattern: str, alphabet: Alphabet) -> Automaton:
    r"""Compile a regular expression such as ``\d{3,4}``, ``[A-Z]{2}-\d+`` or ``yes|no``.

    Supported are characters, ``.``, classes, alternatives, groups, flags and repetitions, greedy or lazy. A text must
    match as a whole, so ``^`` in front and ``$`` at the end change nothing. The pattern is brought to NFC; characters
    that the alphabet lacks match nothing.

    Parameters
    ----------
    pattern : str
    alphabet : Alphabet
        The characters that texts are made of.

    Returns
    -------
    Automaton
        Of all texts over the alphabet that `re.fullmatch` finds to match.

    Raises
    ------
    OCRError
        If the pattern is no regular expression, has a construct that no automaton can follow, needs an automaton of
        more than `MOST_STATES` states or `MOST_EDGES` edges, no text over the alphabet matches it,
        or texts are written from right to left.
    """
    if alphabet.writing.direction == "rtl":
        raise OCRError("--pattern is for text from left to right: for the other direction give a --lexicon")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of notations whose meaning may change one day
            parsed = _parser.parse(unicodedata.normalize("NFC", pattern))
        nondeterministic = _Thompson(alphabet.characters)
        end = nondeterministic.sequence(_without_anchors(parsed), nondeterministic.new_state(), parsed.state.flags)
        automaton = _deterministic(nondeterministic, end, alphabet.num_classes)
    except (re.error, OverflowError) as error:
        raise OCRError(f"the pattern {pattern!r} is no regular expression: {error}") from error
    except RecursionError as error:
        raise OCRError(f"the pattern {pattern!r} has too many groups within groups") from error
    except _UnsupportedError as error:
        raise OCRError(f"the pattern {pattern!r} has {error}") from None
    if automaton.is_empty:
        raise OCRError(f"the pattern {pattern!r} matches no text over the alphabet {alphabet.characters!r}")
    return automaton


class _UnsupportedError(Exception):
    """Says what the pattern has."""


def _without_anchors(parsed: Iterable[Item]) -> List[Item]:
    """Drop anchors at both ends, which a match of the whole text implies."""
    items = list(parsed)
    while items and items[0][1] in (_parser.AT_BEGINNING, _parser.AT_BEGINNING_STRING):
        del items[0]
    while items and items[-1][1] in (_parser.AT_END, _parser.AT_END_STRING):
        del items[-1]
    return items


class _Thompson:
    """A nondeterministic automaton that grows: each method adds what follows a state, and no edge back into it.

    Attributes
    ----------
    moves : list of list of (int, int)
        Of each state: which of the sets of classes leads to which state.
    jumps : list of list of int
        Of each state: the states that nothing needs to be read for.
    sets : list of list of int
        Distinct sets of class ids, each a character class of the pattern.
    """

    def __init__(self, characters: str) -> None:
        self.moves: List[List[Tuple[int, int]]] = []
        self.jumps: List[List[int]] = []
        self.sets: List[List[int]] = []
        self._characters = characters
        self._known: Dict[str, int] = {}

    def new_state(self, *before: int) -> int:
        """Add a state to which others jump."""
        if len(self.moves) == MOST_STATES:
            raise _UnsupportedError(_TOO_LARGE)
        self.moves.append([])
        self.jumps.append([])
        for state in before:
            self.jumps[state].append(len(self.moves) - 1)
        return len(self.moves) - 1

    def sequence(self, items: Iterable[Item], start: int, flags: int) -> int:
        """Add parsed items one after another; returns the state behind them."""
        state = start
        for op, argument in items:
            if op in (_parser.LITERAL, _parser.NOT_LITERAL, _parser.ANY, _parser.IN):
                end = self.new_state()
                self.moves[state].append((self._set((op, argument), flags), end))
                state = end
            elif op is _parser.SUBPATTERN:
                _, added, removed, body = argument
                state = self.sequence(body, state, _combine(flags, added, removed))
            elif op is _parser.BRANCH:
                state = self.new_state(*[self.sequence(branch, state, flags) for branch in argument[1]])
            elif op in (_parser.MAX_REPEAT, _parser.MIN_REPEAT):
                least, most, body = argument
                state = self._repeat(least, most, body, state, flags)
            else:
                raise _UnsupportedError(f"{_name(op, argument)}, which is not supported")
        return state

    def _repeat(self, least: int, most: int, body: Sequence[Item], start: int, flags: int) -> int:
        state = start
        for _ in range(least):
            before, size = state, len(self.moves)
            state = self.sequence(body, before, flags)
            if len(self.moves) == size:  # the body is empty, and so are all its repetitions
                return state
        if most == _parser.MAXREPEAT:
            loop = self.new_state(state)
            self.jumps[self.sequence(body, loop, flags)].append(loop)
            return loop
        ends = [state]
        for _ in range(most - least):
            size = len(self.moves)
            ends.append(self.sequence(body, ends[-1], flags))
            if len(self.moves) == size:
                break
        return self.new_state(*ends) if most > least else state

    def _set(self, item: Item, flags: int) -> int:
        """Let `re` itself say which characters an item matches, so that no detail of it can differ."""
        key = f"{item} {flags}"
        if key not in self._known:
            state = _parser.State()
            state.flags = flags
            matches = _compiler.compile(_parser.SubPattern(state, [item]), flags).fullmatch
            self._known[key] = len(self.sets)
            self.sets.append([i for i, character in enumerate(self._characters, start=1) if matches(character)])
        return self._known[key]


def _name(op: Any, argument: Any) -> str:
    if op is _parser.AT:
        return _UNSUPPORTED.get(argument.name, "an anchor elsewhere than at its ends")
    return _UNSUPPORTED.get(op.name, op.name)


def _combine(flags: int, added: int, removed: int) -> int:
    """Change flags as a group like ``(?i:...)`` does; of the kinds of text it names one."""
    kinds = re.ASCII | re.LOCALE | re.UNICODE
    return int((flags & ~kinds if added & kinds else flags) | added) & ~removed


def _deterministic(source: _Thompson, end: int, num_classes: int) -> Automaton:
    """Make the automaton deterministic by the subset construction."""
    # Classes that are in the same sets go the same ways, so they are followed together.
    member_of: List[List[int]] = [[] for _ in range(num_classes)]
    for index, members in enumerate(source.sets):
        for label in members:
            member_of[label].append(index)
    kinds: Dict[Tuple[int, ...], List[int]] = {}
    for label in range(1, num_classes):
        kinds.setdefault(tuple(member_of[label]), []).append(label)
    kinds_of_set: List[List[Tuple[int, ...]]] = [
        [kind for kind in kinds if index in kind] for index in range(len(source.sets))
    ]
    start = _closure(source, [0])
    states = {start: 0}
    queue = [start]
    edges: List[Edge] = []
    for subset in queue:
        reached: Dict[Tuple[int, ...], Set[int]] = {}
        for state in subset:
            for index, target in source.moves[state]:
                for kind in kinds_of_set[index]:
                    reached.setdefault(kind, set()).add(target)
        for kind, targets in sorted(reached.items()):
            closed = _closure(source, targets)
            if closed not in states:
                states[closed] = len(states)
                queue.append(closed)
            edges += [(states[subset], label, states[closed]) for label in kinds[kind]]
        if len(states) > MOST_STATES or len(edges) > MOST_EDGES:
            raise _UnsupportedError(_TOO_LARGE)
    return from_edges(edges, [end in subset for subset in queue])


def _closure(source: _Thompson, states: Iterable[int]) -> FrozenSet[int]:
    """Add the states that can be jumped to."""
    found = set(states)
    waiting = list(found)
    while waiting:
        for target in source.jumps[waiting.pop()]:
            if target not in found:
                found.add(target)
                waiting.append(target)
    return frozenset(found)
