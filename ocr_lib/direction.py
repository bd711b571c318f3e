"""Text that is written from right to left: from the order in which it is read to that in which it stands, and back.

Unicode's bidirectional algorithm (UAX #9) in a paragraph from right to left. Characters that have a mirror image, as
brackets, are those that are seen. Marks stay behind the letters that they are on.
"""

import unicodedata
from functools import lru_cache
from typing import Any, Dict, List, NamedTuple, Tuple

from ocr_lib.errors import OCRError

_BASE_LEVEL = 1
_REMEMBERED = 2**14  # texts: the labels of a data set come again in each epoch


@lru_cache(1)
def _bidi() -> Tuple[Any, Dict[str, str]]:
    """Return python-bidi's algorithm, and the characters that are each other's mirror images."""
    try:
        from bidi import algorithm
        from bidi.mirror import MIRRORED
    except ImportError as error:
        raise OCRError(f"text from right to left takes another package ({error}): pip install python-bidi") from error
    return algorithm, {one: other for one, other in MIRRORED.items() if MIRRORED.get(other) == one}


def has_right_to_left(text: str) -> bool:
    """Whether a text has a letter that is written from right to left."""
    return not text.isascii() and any(
        unicodedata.bidirectional(character) in ("R", "AL") and unicodedata.category(character) != "Cf"
        for character in text
    )


def mirror_images(characters: str) -> str:
    """Return what characters look like from right to left, of those that have a mirror image."""
    mirrored = _bidi()[1]
    return "".join(mirrored[character] for character in characters if character in mirrored)


class BidiFacts(NamedTuple):
    """What the algorithm knows of some characters.

    Attributes
    ----------
    types : dict of str to str
        Each one's bidirectional class.
    mirrors : dict of str to str
        What those look like from right to left that have a mirror image.
    letters, opening, closing : str
        Those that are written from right to left, and brackets.
    """

    types: Dict[str, str]
    mirrors: Dict[str, str]
    letters: str
    opening: str
    closing: str


def facts_of(characters: str) -> BidiFacts:
    """Return what the algorithm knows of characters, for programs in other languages."""
    mirrored = _bidi()[1]
    types = {each: unicodedata.bidirectional(each) for each in characters}
    letters = "".join(filter(has_right_to_left, characters))
    opening, closing = (
        "".join(each for each in characters if each in mirrored and unicodedata.category(each) == category)
        for category in ("Ps", "Pe")
    )
    return BidiFacts(
        types, {each: mirrored[each] for each in characters if each in mirrored}, letters, opening, closing
    )


@lru_cache(_REMEMBERED)
def visual(text: str) -> str:
    """Return the characters of a text as they stand, from left to right.

    Text without a letter that is written from right to left stands as it is read.
    """
    if not has_right_to_left(text):
        return text
    levels, mirrored = _levels(text), _bidi()[1]
    places = [place for cluster in _reordered(_clusters(text), levels) for place in range(*cluster)]
    return "".join(mirrored.get(text[place], text[place]) if levels[place] % 2 else text[place] for place in places)


def runs(text: str) -> List[Tuple[str, bool]]:
    """Part a text as it stands, from left to right.

    Returns
    -------
    list of (str, bool)
        What is written in one direction, in the order in which it is read, and whether that is from right to left.
    """
    if not has_right_to_left(text):
        return [(text, False)]
    levels = _levels(text)
    starts = [0, *(i for i in range(1, len(text)) if levels[i] != levels[i - 1])]
    parts = list(zip(starts, [*starts[1:], len(text)]))
    return [(text[start:end], levels[start] % 2 == 1) for start, end in _reordered(parts, levels)]


@lru_cache(_REMEMBERED)
def logical(text: str) -> str:
    """Return what stands from left to right in the order in which it is read.

    This undoes `visual`, but where texts of another order look the same: of a Latin word and a number beside it, with
    nothing but a space in between, the number is taken to be the second.
    """
    read = visual(text)
    if visual(read) == text:
        return read
    # In a mirror, all is in order but for what is written from left to right, which the same algorithm turns round;
    # other than above, what is before a number tells what it is.
    return _flipped(visual(_flipped(text)))


def as_read(text: str) -> str:
    """Return a text as `logical` gives it: of those that look the same, one."""
    has_latin = not text.isascii() and any(unicodedata.bidirectional(character) == "L" for character in text)
    return logical(visual(text)) if has_latin else text


def _flipped(text: str) -> str:
    mirrored = _bidi()[1]
    return "".join(
        mirrored.get(character, character) for start, end in reversed(_clusters(text)) for character in text[start:end]
    )


def _clusters(text: str) -> List[Tuple[int, int]]:
    """Return where characters with their marks begin and end."""
    starts = [0, *(i for i, each in enumerate(text) if i and unicodedata.bidirectional(each) != "NSM")]
    return list(zip(starts, [*starts[1:], len(text)]))


def _levels(text: str) -> List[int]:
    """Return the level of each character: odd ones are from right to left."""
    algorithm = _bidi()[0]
    storage = algorithm.get_empty_storage()
    storage.update(base_level=_BASE_LEVEL, base_dir="R")
    algorithm.get_embedding_levels(text, storage)
    characters = list(storage["chars"])
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    _resolve_brackets(storage["chars"])
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    resolved = {id(each) for each in storage["chars"]}
    levels: List[int] = []
    for each in characters:  # what is invisible has no level of its own
        levels.append(each["level"] if id(each) in resolved or not levels else levels[-1])
    return levels


def _resolve_brackets(characters: List[Dict[str, str]]) -> None:
    """Let brackets of a pair have one direction: rule N0, which the algorithm's fifth version did not have."""
    directions = {"L": "L", "R": "R", "EN": "R", "AN": "R"}
    for opening, closing in _pairs(characters):
        within = {directions.get(each["type"]) for each in characters[opening + 1 : closing]}
        before = [directions[each["type"]] for each in characters[:opening] if each["type"] in directions]
        if within & {"L", "R"}:
            direction = "L" if "R" not in within and before[-1:] == ["L"] else "R"
            characters[opening]["type"] = characters[closing]["type"] = direction


def _pairs(characters: List[Dict[str, str]]) -> List[Tuple[int, int]]:
    open_: List[int] = []
    pairs: List[Tuple[int, int]] = []
    mirrored = _bidi()[1]
    for place, each in enumerate(characters):
        if each["type"] != "ON" or each["ch"] not in mirrored:
            continue
        if unicodedata.category(each["ch"]) == "Ps":
            open_.append(place)
        elif unicodedata.category(each["ch"]) == "Pe":
            partner = mirrored[each["ch"]]
            found = next((i for i in reversed(range(len(open_))) if characters[open_[i]]["ch"] == partner), None)
            if found is not None:
                pairs.append((open_[found], place))
                del open_[found:]
    return sorted(pairs)


def _reordered(clusters: List[Tuple[int, int]], levels: List[int]) -> List[Tuple[int, int]]:
    """Turn round what is on each level or a higher one: rule L2."""
    clusters = list(clusters)
    for level in range(max(levels), 0, -1):
        start = 0
        while start < len(clusters):
            end = start
            while end < len(clusters) and levels[clusters[end][0]] >= level:
                end += 1
            clusters[start:end] = reversed(clusters[start:end])
            start = max(end, start + 1)
    return clusters
