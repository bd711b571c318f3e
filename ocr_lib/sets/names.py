"""Labels in the names of image files: which part of a name it is, found by looking at all names together."""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ocr_lib.errors import OCRError

# What file managers and browsers put behind the name of a copy.
_COPY = r"(?: - [Cc]opy)?(?: \([0-9]+\))?"
_UUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_HASH = f"(?:{_UUID}|[0-9a-f]{{64}}|[0-9a-f]{{40}}|[0-9a-f]{{32}})"  # SHA-256, SHA-1, MD5
_SHORT = "(?P<hash>[0-9a-f]{16}|[0-9a-f]{8})"
_FLAGS = re.DOTALL | re.IGNORECASE
_LABEL = re.compile(rf"(?P<text>.+?)(?:_(?P<number>[0-9]+)|[ ._-]+{_HASH})?{_COPY}", _FLAGS)
_BEHIND_HASH = re.compile(rf"{_HASH}[ ._-]+(?P<text>.+?){_COPY}", _FLAGS)
_BEFORE_SHORT = re.compile(rf"(?P<text>.+?)[ ._-]+{_SHORT}{_COPY}", _FLAGS)
_BEHIND_SHORT = re.compile(rf"{_SHORT}[ ._-]+(?P<text>.+?){_COPY}", _FLAGS)
_BEHIND_NUMBER = re.compile(rf"(?P<number>[0-9]+)(?P<between>[ _-]+)(?P<text>.+?){_COPY}", _FLAGS)

_FEWEST = 3  # names from which on a running number or a short hash is told
_STAMP_DIGITS = 9  # of times in seconds since 1970, and what is longer
_WORDS = frozenset(
    "captcha capture crop file frame image img line page photo pic picture plate sample scan word".split()
)


class Scheme(NamedTuple):
    """How names of image files, without their endings, have their labels.

    Attributes
    ----------
    name : str
        As messages call it.
    pattern : re.Pattern
        With a group ``text``.
    is_whole : bool
        A name must match as a whole; else any part of it may.
    """

    name: str
    pattern: "re.Pattern[str]"
    is_whole: bool = True

    def text_of(self, stem: str) -> Optional[str]:
        """Return the label of a name; None if it has none."""
        match = self.pattern.fullmatch(stem) if self.is_whole else self.pattern.search(stem)
        return match["text"] if match else None

    def shown(self, stems: Sequence[str], count: int = 3) -> str:
        """Tell it with a few of the names, those first of which it leaves out most."""
        texts = [(stem, text) for stem, text in zip(stems, map(self.text_of, stems)) if text is not None]
        most = sorted(texts, key=lambda pair: (len(pair[1]) - len(pair[0]), pair[0]))[:count]
        return f"{self.name}: " + ", ".join(f"{stem} says {text!r}" for stem, text in most)


PLAIN = Scheme("LABEL, maybe with _3, _HASH or (2)", _LABEL)
_BEHIND = Scheme("HASH_LABEL", _BEHIND_HASH)
_SHORT_HASHES = (Scheme("LABEL_HASH", _BEFORE_SHORT), Scheme("HASH_LABEL", _BEHIND_SHORT))
_NUMBERED = Scheme("NUMBER_LABEL", _BEHIND_NUMBER)


def scheme_of_pattern(pattern: str) -> Scheme:
    """Return the scheme of a regular expression that is searched for in names.

    Raises
    ------
    OCRError
        If it is none, or has no group ``text``.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise OCRError(f"--label-pattern {pattern!r} is no regular expression: {error}") from error
    if "text" not in compiled.groupindex:
        raise OCRError(f"--label-pattern {pattern!r} has no group (?P<text>...), which is to find the label")
    return Scheme(f"--label-pattern {pattern}", compiled, is_whole=False)


def find_scheme(stems: Sequence[str]) -> Scheme:
    """Find out how all of these names, without their endings, have their labels.

    Raises
    ------
    OCRError
        If that can't be told, or they have but numbers.
    """
    if stems and all(map(_BEHIND_HASH.fullmatch, stems)):
        return _BEHIND
    for scheme in _SHORT_HASHES:
        if _have_short_hashes(scheme, stems):
            return scheme
    if _are_numbered(stems):
        return _NUMBERED
    texts = {PLAIN.text_of(stem) for stem in stems}
    if len(stems) >= _FEWEST and len(texts) == 1 and str(*texts).lower() in _WORDS:
        raise OCRError(
            f"the names have no labels, as {min(stems)}: give the list of labels as the path, or --label-pattern"
        )
    return PLAIN


def _have_short_hashes(scheme: Scheme, stems: Sequence[str]) -> bool:
    matches = _all_matches(scheme.pattern, stems)
    hashes = {match["hash"] for match in matches}
    # Nearly all hashes have a letter, and no number has; where all are letters, they may be words.
    numbers = sum(each.isdigit() for each in hashes)
    words = sum(each.isalpha() for each in hashes)
    return _FEWEST <= len(hashes) == len(stems) and max(numbers, words) <= len(hashes) // 3


def _all_matches(pattern: "re.Pattern[str]", stems: Sequence[str]) -> List["re.Match[str]"]:
    """Return the matches of all names; none if a name does not match."""
    found = [pattern.fullmatch(stem) for stem in stems]
    return [] if None in found else [match for match in found if match]


def _are_numbered(stems: Sequence[str]) -> bool:
    """Whether names begin with a number of their own that is not the label, unlike those of ``LABEL_3``."""
    matches = _all_matches(_BEHIND_NUMBER, stems)
    numbers = [match["number"] for match in matches]
    if not _FEWEST <= len(matches) == len(set(numbers)):
        return False
    is_padded = len(set(map(len, numbers))) == 1
    if any("_" not in match["between"] for match in matches):  # as in 12-05, which may be a label
        return is_padded and len(numbers[0]) > 2 and _are_running(numbers)
    texts = [match["text"] for match in matches]
    if not all(text.isdigit() for text in texts):
        return is_padded or _are_running(numbers) or _are_stamps(numbers)
    if _are_counted(stems):
        return False
    if len(set(texts)) < len(texts):
        return True
    rules: Tuple[Callable[[Sequence[str]], bool], ...] = (_are_running, _are_stamps)
    for rule in rules:
        if rule(numbers) != rule(texts):
            return rule(numbers)
    raise OCRError(
        f"names are two numbers, as {stems[0]}, and nothing tells which is the label: "
        r"--label-pattern '_(?P<text>.+)' takes the second, '(?P<text>.+)_' the first"
    )


def _are_counted(stems: Sequence[str]) -> bool:
    """Whether numbers at the end count the images of each label from 0 or 1 on, as in data sets of this suite."""
    counted: Dict[str, List[int]] = {}
    for match in filter(None, map(_LABEL.fullmatch, stems)):
        counted.setdefault(match["text"], []).append(int(match["number"] or 0))
    return all(max(numbers) <= len(numbers) for numbers in counted.values())


def _are_running(numbers: Sequence[str]) -> bool:
    values = list(map(int, numbers))
    return max(values) - min(values) < 2 * len(values)


def _are_stamps(numbers: Sequence[str]) -> bool:
    return min(map(len, numbers)) >= _STAMP_DIGITS
