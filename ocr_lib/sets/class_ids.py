"""Labels that are numbers: code points of a text, or class ids, of which only an alphabet tells what they stand for."""

import unicodedata
from pathlib import Path
from typing import Iterable, NamedTuple, Optional, Set, Tuple

from ocr_lib.errors import OCRError

_PADDING = -1
_END = 0x110000  # of code points
_ROUND = 100  # no alphabet's characters are all those from such a number on, but class ids may
_FEWEST = 3
_NOT_IN_TEXT = ("Cc", "Cn", "Cs")  # fonts may have letters of their own where others have none, in Co


class Label(NamedTuple):
    """The numbers of a label; a single one, which stands in a record's header, is no text."""

    numbers: Tuple[float, ...]
    is_single: bool = False

    @property
    def text(self) -> str:
        """Their text if they are code points.

        Raises
        ------
        OCRError
            If they are none.
        """
        try:
            if self.is_single or any(code % 1 for code in self.numbers):
                raise ValueError
            return "".join(chr(int(code)) for code in self.numbers)
        except (ValueError, OverflowError):
            raise OCRError("the label is not the code points of a text") from None


class ClassIds(NamedTuple):
    """What class ids stand for.

    Attributes
    ----------
    first : int
        The id of the alphabet's first character.
    alphabet : str
    padding : int
        The id that fills short labels up.
    """

    first: int
    alphabet: str
    padding: int

    def text(self, label: Label) -> str:
        """Return the text of a label.

        Raises
        ------
        OCRError
            If it has a number that is no id.
        """
        numbers = _without_padding(label, self.padding)
        places = [number - self.first for number in numbers]
        if any(place % 1 or not 0 <= place < len(self.alphabet) for place in places):
            raise OCRError(f"the label has numbers other than the class ids from {self.first} on")
        return "".join(self.alphabet[int(place)] for place in places)


def find_class_ids(path: Path, labels: Iterable[Label], alphabet: Optional[str] = None) -> Optional[ClassIds]:
    """Find out whether labels are class ids, and what these stand for.

    They are code points if an alphabet is given that has them all. Else they are class ids if most are those of control
    characters, if they go in a row from 100, 200 and so on, or if all are single. The smallest id is then that of the
    alphabet's first character, the largest of its last. What fills labels up is -1, or 0 where that is at their ends
    alone and the alphabet has no place for it.

    Parameters
    ----------
    path : pathlib.Path
        For messages.
    labels : iterable of Label
    alphabet : str, optional

    Returns
    -------
    ClassIds or None
        None for code points.

    Raises
    ------
    OCRError
        If they are class ids and there is no alphabet, or one of another length.
    """
    seen: Set[float] = set()
    inner: Set[float] = set()  # before another number than 0
    singles: Set[float] = set()
    for label in labels:
        (singles if label.is_single else seen).update(label.numbers)
        inner.update(_without_padding(label, 0))
    all_single = not seen
    seen = seen or singles
    if any(number % 1 or not _PADDING <= number < _END for number in seen):
        return None
    characters = set(map(chr, map(int, seen - {_PADDING})))
    if not all_single and ((alphabet and characters <= set(alphabet)) or not _are_ids(characters)):
        return None
    is_filled_by_0 = 0 in seen - inner and _PADDING not in seen and len(alphabet or "") != max(seen) + 1
    padding = 0 if is_filled_by_0 else _PADDING
    ids = seen - {padding}
    if not ids:
        return None
    first, last = int(min(ids)), int(max(ids))
    told = f"{path}: labels are class ids from {first} to {last}, not the code points of letters"
    if alphabet is None:
        raise OCRError(f"{told}: give an --alphabet of {last - first + 1} characters, those of the ids in their order")
    if len(alphabet) != last - first + 1:
        raise OCRError(f"{told}: the --alphabet needs as many characters, {last - first + 1}, and has {len(alphabet)}")
    return ClassIds(first, alphabet, padding)


def _without_padding(label: Label, padding: int) -> Tuple[float, ...]:
    end = len(label.numbers)
    while end and label.numbers[end - 1] == padding:
        end -= 1
    return label.numbers[:end]


def _are_ids(characters: Set[str]) -> bool:
    codes = sorted(map(ord, characters - {chr(0)}))
    odd = sum(unicodedata.category(chr(code)) in _NOT_IN_TEXT for code in codes)
    is_row = len(codes) >= _FEWEST and codes[0] % _ROUND == 0 and codes[-1] - codes[0] + 1 == len(codes)
    return 2 * odd > len(codes) or is_row
