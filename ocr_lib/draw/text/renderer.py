"""Words and lines drawn: any text, in any script, in the styles of scans and photographs."""

from collections import OrderedDict
from pathlib import Path
from typing import Sequence

import numpy as np

from ocr_lib.draw.text import camera, ground, ink, placing, typesetting
from ocr_lib.draw.text.coverage import Coverage
from ocr_lib.draw.text.face import Face
from ocr_lib.errors import OCRError
from ocr_lib.recipe.rendering import RenderingRecipe

_MOST_GLYPHS = 100_000  # that are kept, some 200 MB
_LARGEST = 2**14  # pixels along a side, of which OpenCV resamples at most twice as many
_NUM_DRAWS = [1, *(stage.NUM_DRAWS for stage in (typesetting, placing, ink, ground, camera))]
_CUTS = np.cumsum(_NUM_DRAWS)[:-1]


class TextRenderer:
    """Draws texts.

    Parameters
    ----------
    recipe : RenderingRecipe
    coverage : Coverage
        Fonts, of which each text takes one at random that has its characters.
    pictures : sequence of pathlib.Path
        To stand on, as `ocr_lib.draw.text.ground.find_pictures` gives them.
    channels : {1, 3}
        Grey, or blue, green and red.
    """

    def __init__(
        self, recipe: RenderingRecipe, coverage: Coverage, pictures: Sequence[Path] = (), channels: int = 1
    ) -> None:
        self._recipe = recipe
        self._coverage = coverage
        self._pictures = pictures
        self._channels = channels
        self._faces: OrderedDict[int, Face] = OrderedDict()

    def draw(self, text: str, random: np.random.Generator) -> np.ndarray:
        """Draw a text that one of the fonts has all characters of; the same state gives the same image.

        Returns
        -------
        numpy.ndarray
            (recipe.height, W) or (recipe.height, W, 3) uint8.

        Raises
        ------
        ValueError
            If no font has all its characters.
        OCRError
            If it is too long.
        """
        able = self._coverage.able(text)
        if not len(able):
            raise ValueError(f"no font has all characters of {text!r}")
        recipe = self._recipe
        chosen, set_, placed, spilt, painted, taken = np.split(random.random(sum(_NUM_DRAWS)), _CUTS)
        face = self._face(int(able[int(chosen[0] * len(able))]))
        letters = typesetting.typeset(text, face, recipe.letters, set_)
        if max(letters.shape) > _LARGEST:
            raise OCRError(f"{text[:20]!r}... is too long for an image: {len(text)} characters, lower text.max_length")
        letters, neighbour = placing.place(letters, recipe.height, recipe.letters, placed)
        layers = ink.spill(letters, recipe.ink, spilt, random)
        grounds = recipe.ink, recipe.ground, self._pictures, self._channels
        return camera.take(ground.paint(layers, neighbour, *grounds, painted, random), recipe.camera, taken, random)

    def _face(self, number: int) -> Face:
        face = self._faces.pop(number, None)
        if face is None:
            while sum(face.num_glyphs for face in self._faces.values()) > _MOST_GLYPHS:
                self._faces.popitem(last=False)
            face = Face(self._coverage.fonts[number], round(typesetting.SIZE * self._recipe.height))
        self._faces[number] = face
        return face
