"""Characters and class ids: which output of a network stands for which character."""

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Dict, Iterable, List, Sequence

import numpy as np
import numpy.typing as npt

from ocr_lib.direction import mirror_images
from ocr_lib.errors import OCRError
from ocr_lib.writing import Writing

DIGITS = "0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = "abcdefghijklmnopqrstuvwxyz"
LETTERS = UPPER + LOWER
SETS = {
    "digits": DIGITS,
    "hex": DIGITS + LOWER[:6],
    "lower": LOWER,
    "upper": UPPER,
    "letters": LETTERS,
    "alphanumeric": DIGITS + LETTERS,
    "ascii": "".join(map(chr, range(ord(" "), ord("~") + 1))),
}
BLANK = 0
_AS_THEY_ARE = Writing()

# Controls, lone surrogates, line and paragraph separators: nothing that a line of text can show.
_REFUSED_CATEGORIES = frozenset(["Cc", "Cs", "Zl", "Zp"])


def _name(character: str) -> str:
    return f"{character!r} (U+{ord(character):04X})"


@dataclass(frozen=True)
class Alphabet:
    """The characters a recognizer knows, in the order of its classes.

    Class 0 is the CTC blank; the character at index i is class i + 1. A character is one code point, and text is in
    Unicode's normal form C (NFC): texts are brought to it before they are encoded and after they are decoded.

    Ids are in the order in which characters stand in an image, from left to right; texts are in that in which they are
    read.

    Parameters
    ----------
    characters : str
        Every character once.
    writing : Writing
        How texts are written before they are encoded.

    Raises
    ------
    OCRError
        If there is no character, or one is repeated, can't be shown in a line of text (a newline or another control
        character), or never occurs in NFC text; or if texts are written from right to left, and a bracket lacks its
        mirror image.
    """

    characters: str
    writing: Writing = _AS_THEY_ARE

    def __post_init__(self) -> None:
        if not self.characters:
            raise OCRError("the alphabet is empty; give it at least one character")
        seen = set()
        for character in self.characters:
            if unicodedata.category(character) in _REFUSED_CATEGORIES:
                raise OCRError(f"the alphabet has the control character {_name(character)}; remove it")
            normal = unicodedata.normalize("NFC", character)
            if normal != character:
                raise OCRError(
                    f"the alphabet has {_name(character)}, which NFC text writes {normal!r}; use that instead"
                )
            if character in seen:
                raise OCRError(f"the alphabet has {_name(character)} more than once; keep one")
            seen.add(character)
        for character in mirror_images(self.characters) if self.writing.direction == "rtl" else ():
            if character not in seen:
                raise OCRError(f"the alphabet lacks {_name(character)}, whose mirror image it has; add it")

    @property
    def num_classes(self) -> int:
        """The number of classes, the blank included."""
        return len(self.characters) + 1

    @property
    def is_digits(self) -> bool:
        """Whether every character is one of the digits 0 to 9."""
        return all(character in DIGITS for character in self.characters)

    @cached_property
    def _ids(self) -> Dict[str, int]:
        return {character: index for index, character in enumerate(self.characters, start=1)}

    def encode(self, text: str) -> List[int]:
        """Turn text into class ids.

        Parameters
        ----------
        text : str
            Any text over the alphabet; the empty text has no ids.

        Returns
        -------
        list of int
            One id from 1 to ``num_classes - 1`` for each character of the NFC text, from left to right.

        Raises
        ------
        OCRError
            If the alphabet lacks a character.
        """
        try:
            return [self._ids[character] for character in self.writing.visual(text)]
        except KeyError as error:
            raise OCRError(f"the alphabet lacks {_name(error.args[0])}, which is in the text {text!r}") from None

    def decode(self, ids: Iterable[int]) -> str:
        """Turn class ids into text.

        Parameters
        ----------
        ids : iterable of int
            The ids of a label, or of a decoded output after repeats and blanks were dropped. Zeros are padding.

        Returns
        -------
        str
            NFC text.

        Raises
        ------
        ValueError
            If an id is not a class of this alphabet.
        """
        labels = [int(label) for label in ids if label != BLANK]
        for label in labels:
            if not 0 < label < self.num_classes:
                raise ValueError(f"class id {label} is outside 0 to {self.num_classes - 1}")
        return self.writing.logical("".join(self.characters[label - 1] for label in labels))

    def known(self, text: str) -> str:
        """Return the text as it is written, without the characters that the alphabet lacks."""
        kept = "".join(character for character in self.writing(text) if character in self._ids)
        # What is left may combine into other characters.
        return kept if unicodedata.is_normalized("NFC", kept) else self.known(kept)

    def encode_batch(self, texts: Sequence[str], width: int) -> npt.NDArray[np.float32]:
        """Turn texts into one array of labels.

        Parameters
        ----------
        texts : sequence of str
            N texts over the alphabet.
        width : int
            The number of columns, L.

        Returns
        -------
        ndarray, shape (N, L), float32
            Class ids, padded with zeros on the right.

        Raises
        ------
        OCRError
            If a text has more than ``width`` characters, or one that the alphabet lacks.
        """
        labels = np.zeros((len(texts), width), dtype=np.float32)
        for row, text in zip(labels, texts):
            ids = self.encode(text)
            if len(ids) > width:
                raise OCRError(f"the text {text!r} has {len(ids)} characters; a label has room for {width}")
            row[: len(ids)] = ids
        return labels

    def decode_batch(self, labels: npt.ArrayLike) -> List[str]:
        """Turn an array of labels back into texts.

        Parameters
        ----------
        labels : array_like, shape (N, L)
            Class ids, padded with zeros.

        Returns
        -------
        list of str
            N texts.

        Raises
        ------
        ValueError
            If the array has not two dimensions, or holds an id that is not a class of this alphabet.
        """
        rows = np.asarray(labels)
        if rows.ndim != 2:
            raise ValueError(f"labels must have the shape (N, L), not {rows.shape}")
        return [self.decode(row) for row in rows.tolist()]
