"""Texts set in a font: which pixels are ink."""

from typing import List, Tuple

import numpy as np

from ocr_lib.direction import runs
from ocr_lib.draw.text.face import Face, Glyph
from ocr_lib.recipe.rendering import LettersRecipe

SIZE = 1.5
"""How many times the height of an image is the size of the font that its letters are first drawn in."""

NUM_DRAWS = 5
_PRESSED = 1 / 20  # of the font's size, at most
_SPACE = 1 / 4  # of the font's size
_NARROWER = 0.5  # as much as a space may be wider: words must stay apart
_LEAST_HEIGHT = 0.4  # of the font's size: a dash alone does not fill an image


def typeset(text: str, face: Face, recipe: LettersRecipe, draws: np.ndarray) -> np.ndarray:
    """Set a text in a font.

    Parameters
    ----------
    text : str
        That the font has all characters of, in the order in which it is read.
    face : Face
    recipe : LettersRecipe
    draws : numpy.ndarray
        (NUM_DRAWS,) in [0, 1).

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 255 where all is ink; as high and as wide as the ink, but no dash fills it.
    """
    glyphs = _placed(text, face, recipe, draws.tolist())
    if not glyphs:
        return np.zeros((round(_LEAST_HEIGHT * face.size), 1), np.uint8)
    left = min(x for x, _, _ in glyphs)
    right = max(x + glyph.pixels.shape[1] for x, _, glyph in glyphs)
    top = max(y for _, y, _ in glyphs)
    bottom = min(y - glyph.pixels.shape[0] for _, y, glyph in glyphs)
    lack = max(0, round(_LEAST_HEIGHT * face.size) - (top - bottom))
    top, bottom = top + lack // 2, bottom - (lack - lack // 2)
    ink = np.zeros((top - bottom, right - left), np.uint8)
    for x, y, glyph in glyphs:
        rows, columns = glyph.pixels.shape
        place = ink[top - y : top - y + rows, x - left : x - left + columns]
        np.maximum(place, glyph.pixels, out=place)
    return ink


def _placed(text: str, face: Face, recipe: LettersRecipe, draws: List[float]) -> List[Tuple[int, int, Glyph]]:
    """Return the glyphs that have ink, each with the place of its left upper corner in pixels, y upwards."""
    spread, is_pressed, pressed, space, bend = draws
    if is_pressed < recipe.touching:
        apart = -pressed * _PRESSED * face.size
    else:
        apart = spread**2 * recipe.letter_spacing * face.size  # mostly little
    wider = ((1 + _NARROWER) * space - _NARROWER) * recipe.word_spacing * _SPACE * face.size
    highest = (2 * bend - 1) * recipe.curve * face.size
    line, width = face.shape(runs(text))
    glyphs = []
    moved = 0.0
    for number, each in enumerate(line):
        if number and each.may_move:
            moved += apart
        glyph = face.glyph(each.glyph)
        if glyph.pixels.size:
            rise = highest * (1 - (2 * each.x / width - 1) ** 2) if width else 0.0
            glyphs.append((round(each.x + moved) + glyph.left, round(each.y + rise) + glyph.top, glyph))
        if each.is_space:
            moved += wider
    return glyphs
