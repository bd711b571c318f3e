"""Which fonts can draw which texts."""

import logging
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
import uharfbuzz

from ocr_lib.draw.fonts import Font, faces, font_files, unreadable
from ocr_lib.errors import OCRError

logger = logging.getLogger(__name__)

_TOLD = 3


class Coverage:
    """Fonts, and the characters that each can draw.

    Parameters
    ----------
    fonts : sequence of Font
    characters : str
        A characters.
    covered : numpy.ndarray
        (F, A) bool.
    """

    def __init__(self, fonts: Sequence[Font], characters: str, covered: np.ndarray) -> None:
        self.fonts = tuple(fonts)
        self._rows = {character: row for row, character in enumerate(characters)}
        self._covered = np.ascontiguousarray(covered.T)  # (A, F), so that a character's fonts lie side by side
        self._all = np.arange(len(self.fonts))
        self._everywhere = {character for character, row in self._rows.items() if self._covered[row].all()}

    def able(self, text: str) -> np.ndarray:
        """Return which fonts have all characters of a text, (K,) int; none has a character that was not looked for."""
        rows = [self._rows.get(character, -1) for character in set(text) - self._everywhere]
        if not rows:
            return self._all
        if -1 in rows:
            return np.empty(0, np.int64)
        return np.flatnonzero(np.logical_and.reduce(self._covered[rows]))

    def drawable(self, text: str) -> str:
        """Return what one font has of a text: all, or its first words, or of its characters as many as any font has."""
        part = text
        while part and not len(self.able(part)):
            part = part.rpartition(" ")[0]
        if part or not text:
            return part
        known = [character for character in text if character in self._rows]
        rows = self._covered[[self._rows[character] for character in known]]
        best = rows[:, int(rows.sum(axis=0).argmax())]
        return " ".join("".join(character for character, has in zip(known, best) if has).split())

    def lacking(self, font: int) -> str:
        """Return the characters that a font lacks."""
        return "".join(character for character, row in self._rows.items() if not self._covered[row, font])

    @property
    def nowhere(self) -> str:
        """The characters that no font has."""
        return "".join(character for character, row in self._rows.items() if not self._covered[row].any())


def find_coverage(path: Path, characters: str, tells_case: bool) -> Coverage:
    """Find the fonts at a path that can draw some of these characters.

    Parameters
    ----------
    path : pathlib.Path
        A font, or a folder of fonts, with the folders in it. A collection gives all its faces, and a variable font all
        its named instances.
    characters : str
        Those that texts have, each once.
    tells_case : bool
        Whether labels tell capital letters from small ones: small letters that look like capitals do not count then.

    Raises
    ------
    OCRError
        If there is no font, none can be read, or none has any of the characters.
    """
    found: List[Tuple[Font, np.ndarray]] = []
    for file in font_files(path, is_deep=True):
        found += _covering(file, characters, tells_case, may_fail=file != path)
    able = [(font, covered) for font, covered in found if covered.any()]
    if not able:
        raise OCRError(f"{path}: no font that has any of the characters {_shortened(characters)}")
    coverage = Coverage([font for font, _ in able], characters, np.array([covered for _, covered in able]))
    _tell(coverage)
    return coverage


def _covering(file: Path, characters: str, tells_case: bool, may_fail: bool) -> List[Tuple[Font, np.ndarray]]:
    """Return the fonts of a file with what they cover; none, which is told, if it can't be read and that may be."""
    try:
        return [(font, _covered(font, characters, tells_case)) for font in _instances(file)]
    except OCRError as error:
        if not may_fail:
            raise
        logger.warning("Left out %s", error)
        return []


def _instances(file: Path) -> List[Font]:
    fonts = []
    for font in faces(file):
        count = len(_open(font).named_instances)
        fonts += [font._replace(instance=instance) for instance in range(count)] or [font]
    return fonts


def _open(font: Font) -> uharfbuzz.Face:
    try:
        face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(font.path)), font.face or 0)
        if not face.glyph_count:
            raise ValueError("it has no glyphs")
    except Exception as error:
        raise unreadable(font, error) from error
    return face


def _covered(font: Font, characters: str, tells_case: bool) -> np.ndarray:
    """Return which characters a font draws, (A,) bool: something for each but white space, and small letters small."""
    shaped = uharfbuzz.Font(_open(font))
    shapes = [_shape(shaped, character) for character in characters]
    covered = np.array([shape is not None for shape in shapes])
    if tells_case:
        by_character = dict(zip(characters, shapes))
        for place, character in enumerate(characters):
            upper = character.upper()
            if upper != character and by_character.get(upper) and shapes[place] == by_character[upper]:
                covered[place] = False
    return covered


def _shape(font: uharfbuzz.Font, character: str) -> Optional[Tuple[int, ...]]:
    """Return the extents and the advance of a character's glyph, or None if the font has none, or one without ink."""
    glyph = font.get_nominal_glyph(ord(character))
    if not glyph:
        return None
    extents = font.get_glyph_extents(glyph)
    if extents is None or not ((extents.width and extents.height) or character.isspace()):
        return None
    return (*extents, font.get_glyph_h_advance(glyph))


def _tell(coverage: Coverage) -> None:
    everywhere = ((font.name, coverage.lacking(number)) for number, font in enumerate(coverage.fonts))
    lacking = {name: characters for name, characters in everywhere if characters}
    if lacking:
        examples = "; ".join(f"{name} lacks {_shortened(lacking[name])}" for name in list(lacking)[:_TOLD])
        logger.warning(
            "%d of %d fonts lack characters, and draw texts without these alone: %s",
            *(len(lacking), len(coverage.fonts), examples),
        )
    if coverage.nowhere:
        logger.warning("No font has %s: texts with these are left out", _shortened(coverage.nowhere))


def _shortened(characters: Sequence[str]) -> str:
    told = ", ".join(map(repr, characters[:_TOLD]))
    return told if len(characters) <= _TOLD else f"{told} and {len(characters) - _TOLD} others"
