"""Labels in the names of image files: which part of a name it is, found by looking at all names together."""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import unquote

from ocr_lib.errors import OCRError

# What file managers and browsers put behind the name of a copy.
_COPY = r"(?: - (?:copy|kopie|copie|copia))?(?: \([0-9]+\))?"
_UUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_HASH = f"(?:{_UUID}|[0-9a-f]{{64}}|[0-9a-f]{{40}}|[0-9a-f]{{32}})"  # SHA-256, SHA-1, MD5
_SHORT = "(?P<hash>[0-9a-f]{6,16})"
_FLAGS = re.DOTALL | re.IGNORECASE
_LABEL = re.compile(rf"(?P<text>.+?)(?:_(?P<number>[0-9]+)|[ ._-]+{_HASH})?{_COPY}", _FLAGS)
_BEFORE_HASH = re.compile(rf"(?P<text>.+?)[ ._-]+{_HASH}{_COPY}", _FLAGS)
_BEHIND_HASH = re.compile(rf"{_HASH}[ ._-]+(?P<text>.+?){_COPY}", _FLAGS)
_BEFORE_SHORT = re.compile(rf"(?P<text>.+?)[ ._-]+{_SHORT}{_COPY}", _FLAGS)
_BEHIND_SHORT = re.compile(rf"{_SHORT}[ ._-]+(?P<text>.+?){_COPY}", _FLAGS)
_BEHIND_NUMBER = re.compile(rf"(?P<number>[0-9]+)(?P<between>[ ._-]+)(?P<text>.+?){_COPY}", _FLAGS)
_BEFORE_NUMBER = re.compile(rf"(?P<text>.+?)(?:[ .+@~#-]+|__+)(?P<number>[0-9]+){_COPY}", _FLAGS)
_SEPARATOR = re.compile("[ ._=@~#+-]")
_COPY_OF = re.compile("(?:copy of|kopie von|copie de|copia d[ei]) ", re.IGNORECASE)
# What more is put behind a name, but labels may end so: of copies most originals are there, too.
_COPIED = re.compile(r"(?P<text>.+?)(?:[ _-]copy(?: [0-9]+)?|\([0-9]+\))", _FLAGS)
_ENCODED = re.compile("%(?:[0-9a-f]{2})?", re.IGNORECASE)

_FEWEST = 3  # names from which on a running number or a short hash is told
_MANY = 20  # names from which on one is told that labels might have, too: fewer dates may have days of their own
_STAMP_DIGITS = 9  # of times in seconds since 1970, and what is longer
_OF_FILES = frozenset("bmp gif jpeg jpg png test tif tiff train val webp".split())
_OF_TEXTS = frozenset("captcha crop label line plate text word".split())
_OF_IMAGES = frozenset("capture dsc file frame image img page photo pic picture sample scan".split())
_WORDS = _OF_FILES | _OF_TEXTS | _OF_IMAGES


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

    def shown(self, stems: Sequence[str], texts: Sequence[Optional[str]], count: int = 3) -> str:
        """Tell it with a few of the names and their labels, those first of which it leaves out most."""
        pairs = [(stem, text) for stem, text in zip(stems, texts) if text is not None]
        most = sorted(pairs, key=lambda pair: (len(pair[1]) - len(pair[0]), pair[0]))[:count]
        return f"{self.name}: " + ", ".join(f"{stem} says {text!r}" for stem, text in most)

    def within(self, front: str, behind: str) -> "Scheme":
        """Return the scheme of names that have some text more in front and behind."""
        pattern = re.compile(re.escape(front) + self.pattern.pattern + re.escape(behind), _FLAGS)
        return Scheme(f"{front}{self.name.partition(',')[0]}{behind}", pattern)


PLAIN = Scheme("LABEL, maybe with _3, _HASH or (2)", _LABEL)
_BEHIND = Scheme("HASH_LABEL", _BEHIND_HASH)
_SHORT_HASHES = (Scheme("LABEL_HASH", _BEFORE_SHORT), Scheme("HASH_LABEL", _BEHIND_SHORT))
_NUMBERED = Scheme("NUMBER_LABEL", _BEHIND_NUMBER)
_COUNTED = Scheme("LABEL-NUMBER", _BEFORE_NUMBER)


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


def texts_of(stems: Sequence[str]) -> Tuple[Scheme, List[Optional[str]]]:
    """Return how all of these names, without their endings, have their labels, and these.

    Raises
    ------
    OCRError
        As `find_scheme` does.
    """
    names = _originals(_decoded(stems))
    scheme = find_scheme(names)
    return scheme, list(map(scheme.text_of, names))


def _decoded(stems: Sequence[str]) -> Sequence[str]:
    """Return names without percent-encoding (RFC 3986), if each % in them is of such, in UTF-8."""
    escapes = {escape for stem in stems for escape in _ENCODED.findall(stem)}
    if not escapes or "%" in escapes:
        return stems
    try:
        return [unquote(stem, errors="strict") for stem in stems]
    except UnicodeDecodeError:
        return stems


def _originals(stems: Sequence[str]) -> Sequence[str]:
    """Return the names that copies were made of."""
    names = [_COPY_OF.sub("", stem) if _COPY_OF.match(stem) else stem for stem in stems]
    there = set(names)
    marked = {name: match["text"] for name in names for match in [_COPIED.fullmatch(name)] if match}
    if 2 * sum(original in there for original in marked.values()) < len(marked):
        return names
    return [marked.get(name, name) for name in names]


def find_scheme(stems: Sequence[str]) -> Scheme:
    """Find out how all of these names, without their endings, have their labels.

    Raises
    ------
    OCRError
        If that can't be told, or they have but numbers.
    """
    front, behind = _common(stems)
    inner = [stem[len(front) : len(stem) - len(behind)] for stem in stems]
    scheme = _scheme_of(inner)
    texts = [scheme.text_of(stem) or "" for stem in inner]
    if front and _are_numbers_of_images(texts, front):
        raise OCRError(
            f"the names have no labels, as {min(stems)}: give the list of labels as the path, or --label-pattern"
        )
    if len(texts) >= _MANY and all("_" in text for text in texts):
        raise OCRError(
            f"the names don't tell where the labels are, as {stems[0]}: --label-pattern '^(?P<text>[^_]+)' takes what "
            "is in front of the first _, '(?P<text>[^_]+)$' what is behind the last, '(?P<text>.+)' all"
        )
    return scheme.within(front, behind) if front or behind else scheme


def _common(stems: Sequence[str]) -> Tuple[str, str]:
    """Return what all names begin and end with that labels don't: words of file names, or brackets."""
    if len(stems) < _FEWEST:
        return "", ""
    front = _beginning(stems)
    behind = _beginning([stem[len(front) :][::-1] for stem in stems])[::-1]
    if f"{front[:1]}{behind[-1:]}" in ("[]", "()", "{}"):
        return front[:1], behind[-1:]
    separators = [match.end() for match in _SEPARATOR.finditer(front)]
    front = front[: separators[-1]] if separators else ""
    separator = _SEPARATOR.search(behind)
    behind = behind[separator.start() :] if separator else ""
    return front * _are_of_files(front), behind * _are_of_files(behind)


def _beginning(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    first, last = min(texts), max(texts)
    return first[: next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), len(first))]


def _are_of_files(text: str) -> bool:
    """Whether it has words, all of them such as names of files have."""
    words = _words(text)
    return bool(words) and _WORDS.issuperset(words)


def _are_numbers_of_images(texts: Sequence[str], front: str) -> bool:
    """Whether labels behind words are but the numbers of images: running ones, or any behind ``img_``."""
    if len(texts) < _FEWEST or not all(map(str.isdecimal, texts)):
        return False
    return not _OF_TEXTS.intersection(_words(front)) or _are_running(texts)


def _words(text: str) -> List[str]:
    return re.findall("[a-z]+", text.lower())


def _scheme_of(stems: Sequence[str]) -> Scheme:
    """Return the scheme of names that have no more in common than labels may have."""
    if stems and all(map(_BEHIND_HASH.fullmatch, stems)):
        return _BEHIND
    if stems and all(map(_BEFORE_HASH.fullmatch, stems)):
        return PLAIN
    for scheme in _SHORT_HASHES:
        if _have_short_hashes(scheme, stems):
            return scheme
    if _are_numbered(stems):
        return _NUMBERED
    numbers = [match["number"] for match in _all_matches(_BEFORE_NUMBER, stems)]
    if _MANY <= len(numbers) == len(set(numbers)) and (_are_running(numbers) or _are_stamps(numbers)):
        return _COUNTED
    return PLAIN


def _have_short_hashes(scheme: Scheme, stems: Sequence[str]) -> bool:
    matches = _all_matches(scheme.pattern, stems)
    hashes = {match["hash"] for match in matches}
    texts = [match["text"] for match in matches]
    if (
        len(set(map(len, hashes))) != 1
        or len(set(texts)) == 1
        or (all(map(str.isdecimal, texts)) and _are_running(texts))
    ):
        return False
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
    texts = [match["text"] for match in matches]
    are_two = all(map(str.isdecimal, texts))
    if any("_" not in match["between"] for match in matches):  # as in 12-05, which may be a label
        is_sure = (is_padded and len(numbers[0]) > 2) or (len(stems) >= _MANY and not are_two)
        return is_sure and _are_running(numbers)
    if not are_two:
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
