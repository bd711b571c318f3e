"""The fast renderer: captchas as the `captcha` package draws them, compiled, in grey."""

from typing import Dict, List, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw

from ocr_lib.draw.captcha import num_draws
from ocr_lib.draw.fonts import Font
from ocr_lib.draw.lettering import GLYPH, Style, draw_texts, unpremultiplied
from ocr_lib.draw.noise import add_noise
from ocr_lib.recipe.captcha import CaptchaRecipe


class FastRenderer:
    """Draws captchas of a recipe with some fonts.

    Given the same draws, an image is that of `ocr_lib.draw.captcha.CaptchaRenderer` but for the rounding of colours:
    the mean absolute difference stays below 1 of 255 grey levels.

    Parameters
    ----------
    recipe : CaptchaRecipe
        How they look.
    fonts : sequence of Font
        Each character takes one of them at random.
    characters : str
        The characters that texts are made of.
    """

    def __init__(self, recipe: CaptchaRecipe, fonts: Sequence[Font], characters: str) -> None:
        self._codes: Dict[str, int] = {c: code for code, c in enumerate(dict.fromkeys(f" {characters}"))}
        self._glyphs, self._bitmaps = _load_glyphs(fonts, recipe.font_sizes, list(self._codes))
        self._dot = _dot()
        self._lookup = np.clip(recipe.masks, 0, 255).astype(np.int64)
        self._unpremultiplied = unpremultiplied()
        self._style = Style(
            recipe.width,
            recipe.height,
            recipe.character_offset_dx,
            recipe.character_offset_dy,
            _floats(recipe.character_rotate),
            _floats(recipe.character_warp_dx),
            _floats(recipe.character_warp_dy),
            float(recipe.word_space_probability),
            float(recipe.word_offset_dx),
            recipe.bg_color or (-1, -1, -1),
            recipe.fg_color or (-1, -1, -1, -1),
        )

    def render(self, texts: Sequence[str], draws: np.ndarray) -> np.ndarray:
        """Draw captchas in grey, (N, recipe.height, recipe.width) uint8; see `ocr_lib.feed.source.Renderer`.

        Raises
        ------
        ValueError
            If there are too few draws.
        """
        length = max(map(len, texts))
        if draws.shape[1] < num_draws(length):
            raise ValueError(f"{length} characters may take {num_draws(length)} draws, not {draws.shape[1]}")
        codes = np.full((len(texts), length), -1)
        for row, text in zip(codes, texts):
            row[: len(text)] = [self._codes[character] for character in text]
        images = np.empty((len(texts), self._style.height, self._style.width), np.uint8)
        canvases = np.empty(images.shape, np.float32)
        inks, taken = np.empty(len(texts), np.float32), np.empty(len(texts), np.int64)
        glyphs = self._glyphs, self._bitmaps
        draw_texts(codes, draws, *glyphs, self._lookup, self._unpremultiplied, self._style, canvases, inks, taken)
        add_noise(canvases, draws, taken, inks, self._dot, images)
        return images


def _floats(span: Tuple[float, float]) -> Tuple[float, float]:
    # A frozen struct that is made by hand may hold ints, which compiled code does not take for floats.
    return float(span[0]), float(span[1])


def _load_glyphs(
    fonts: Sequence[Font], sizes: Sequence[int], characters: Sequence[str]
) -> Tuple[np.ndarray, np.ndarray]:
    """Return a `GLYPH` for each font and size and character, and their bitmaps one after another."""
    loaded = [font.load(size) for font in fonts for size in sizes]
    glyphs = np.zeros((len(loaded), len(characters)), GLYPH)
    bitmaps: List[np.ndarray] = []
    start = 0
    for row, font in zip(glyphs, loaded):
        margin = 2 * int(font.size)  # for what sticks out of its box
        for code, character in enumerate(characters):
            # The package asks for the box at (1, 1), and has it reach from 0 to there.
            _, _, width, height = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((1, 1), character, font)
            page = Image.new("L", (int(width) + 2 * margin, int(height) + 2 * margin))
            ImageDraw.Draw(page).text((margin, margin), character, font=font, fill=255)
            box = page.getbbox() or (margin,) * 4
            bitmap = np.asarray(page.crop(box))
            left, top = box[0] - margin, box[1] - margin
            row[code] = int(width), int(height), left, top, box[3] - box[1], box[2] - box[0], start
            bitmaps.append(bitmap.ravel())
            start += bitmap.size
    return glyphs, np.concatenate(bitmaps)


def _dot() -> np.ndarray:
    """Return the pixels of the package's dot around its place, (P, 2) as (x, y)."""
    page = Image.new("L", (16, 16))
    ImageDraw.Draw(page).line(((8, 8), (7, 7)), fill=255, width=3)
    rows, columns = np.nonzero(np.asarray(page))
    return np.ascontiguousarray(np.stack([columns, rows], axis=1) - 8)
