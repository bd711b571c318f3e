"""A font as words and lines are set in it: shaped by HarfBuzz, its glyphs drawn by FreeType and kept.

Shaping finds kerning, ligatures, joined letters and the places of marks, in any script. A glyph is drawn once: a word
takes a few hundredths of a millisecond then, where Pillow, which draws each anew, takes over ten times as long.
"""

import unicodedata
from typing import Dict, List, NamedTuple, Sequence, Tuple

import freetype
import numpy as np
import uharfbuzz
from fontTools.unicodedata import script

from ocr_lib.draw.fonts import Font

_UNITS = 64  # of a pixel, in which both libraries count
_INSTANCE_SHIFT = 16
_FLAGS = freetype.FT_LOAD_RENDER | freetype.FT_LOAD_NO_HINTING
_ANY_SCRIPT = ("Zyyy", "Zinh", "Zzzz")
# Letters of all others are joined, or stand above and below each other.
_SPACED = frozenset("Latn Grek Cyrl Armn Geor Hebr Hani Hira Kana Hang Bopo".split())


class Glyph(NamedTuple):
    """The shape of a glyph.

    Attributes
    ----------
    left, top : int
        Where it begins, in pixels to the right of the pen and above the baseline.
    pixels : numpy.ndarray
        (H, W) uint8, 255 where all is ink.
    """

    left: int
    top: int
    pixels: np.ndarray


class Placed(NamedTuple):
    """A glyph in a line.

    Attributes
    ----------
    glyph : int
        Its number in the font.
    x, y : float
        Place in pixels, y upwards from the baseline, as the font has it.
    is_space : bool
    may_move : bool
        Whether it stands by itself, so that the space before it can be changed.
    """

    glyph: int
    x: float
    y: float
    is_space: bool
    may_move: bool


class Face:
    """A font at one size.

    Parameters
    ----------
    font : Font
    size : int
        Of the em, in pixels.
    """

    def __init__(self, font: Font, size: int) -> None:
        self.size = size
        face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(font.path)), font.face or 0)
        self._shaped = uharfbuzz.Font(face)
        self._shaped.scale = (size * _UNITS, size * _UNITS)
        index = font.face or 0
        if font.instance is not None:
            self._shaped.var_named_instance = font.instance
            index |= (font.instance + 1) << _INSTANCE_SHIFT
        self._drawn = freetype.Face(str(font.path), index=index)
        self._drawn.set_pixel_sizes(0, size)
        self._glyphs: Dict[int, Glyph] = {}

    @property
    def num_glyphs(self) -> int:
        """How many shapes are kept."""
        return len(self._glyphs)

    def shape(self, runs: Sequence[Tuple[str, bool]]) -> Tuple[List[Placed], float]:
        """Set texts one after another.

        Parameters
        ----------
        runs : sequence of (str, bool)
            From left to right: a text, and whether it is written from right to left.

        Returns
        -------
        glyphs : list of Placed
        width : float
            In pixels.
        """
        placed: List[Placed] = []
        pen = 0.0
        for text, from_right in runs:
            parts = _by_script(text)
            for part, name in reversed(parts) if from_right else parts:
                pen = self._shape_run(part, from_right, name in _SPACED or name in _ANY_SCRIPT, placed, pen)
        return placed, pen

    def _shape_run(self, text: str, from_right: bool, may_move: bool, placed: List[Placed], pen: float) -> float:
        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if from_right else "ltr"
        uharfbuzz.shape(self._shaped, buffer)
        last = -1
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions):
            is_first = info.cluster != last
            last = info.cluster
            x, y = pen + position.x_offset / _UNITS, position.y_offset / _UNITS
            placed.append(Placed(info.codepoint, x, y, text[info.cluster].isspace(), may_move and is_first))
            pen += position.x_advance / _UNITS
        return pen

    def glyph(self, number: int) -> Glyph:
        """Return the shape of a glyph."""
        glyph = self._glyphs.get(number)
        if glyph is None:
            self._drawn.load_glyph(number, _FLAGS)
            slot = self._drawn.glyph
            # The public `buffer` makes a list of it, byte by byte.
            bitmap = slot.bitmap._FT_Bitmap
            pixels = np.zeros((bitmap.rows, bitmap.width), np.uint8)
            if pixels.size:
                pixels[:] = np.ctypeslib.as_array(bitmap.buffer, (bitmap.rows, bitmap.pitch))[:, : bitmap.width]
            glyph = self._glyphs[number] = Glyph(slot.bitmap_left, slot.bitmap_top, pixels)
        return glyph


def _by_script(text: str) -> List[Tuple[str, str]]:
    """Part a text into runs of one script; signs and marks belong to what is before them."""
    if text.isascii():
        return [(text, "Latn")]
    starts, scripts = [0], [_ANY_SCRIPT[0]]
    for place, character in enumerate(text):
        name = script(character)
        if name in _ANY_SCRIPT or unicodedata.combining(character) or name == scripts[-1]:
            continue
        if scripts[-1] in _ANY_SCRIPT:
            scripts[-1] = name
        else:
            starts.append(place)
            scripts.append(name)
    return [(text[start:end], name) for start, end, name in zip(starts, [*starts[1:], len(text)], scripts)]
