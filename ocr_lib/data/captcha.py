"""Captcha images, drawn by the `captcha` package from a random stream of ours.

The package draws from the `secrets` module, which can't be seeded. The seam is that one name inside ``captcha.image``:
while an image is drawn it stands for `UniformDraws`, which answers in the same terms from a seeded generator.
"""

import contextlib
import threading
from pathlib import Path
from typing import Any, Iterator, Sequence

import captcha.image
import numpy as np
from PIL import Image

from ocr_lib.cv import cv2
from ocr_lib.recipe import CaptchaRecipe

_DRAWS_PER_REFILL = 128
_seam = threading.Lock()


class UniformDraws:
    """What ``captcha.image`` uses of `secrets`, each answer made from one uniform number in [0, 1).

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the uniform numbers come from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._uniform = self._stream(rng).__next__

    @staticmethod
    def _stream(rng: np.random.Generator) -> Iterator[float]:
        while True:
            yield from rng.random(_DRAWS_PER_REFILL).tolist()

    def randbelow(self, bound: int) -> int:
        """Return an int in [0, bound)."""
        return int(self._uniform() * bound)

    def randbits(self, bits: int) -> int:
        """Return an int of that many random bits."""
        return int(self._uniform() * (1 << bits))

    def choice(self, sequence: Sequence[Any]) -> Any:
        """Return an element of a sequence."""
        return sequence[self.randbelow(len(sequence))]


class CaptchaRenderer:
    """Draws captchas of a recipe with some fonts.

    Parameters
    ----------
    recipe : CaptchaRecipe
        How they look.
    fonts : sequence of pathlib.Path
        Font files; each character takes one of them at random.
    """

    def __init__(self, recipe: CaptchaRecipe, fonts: Sequence[Path]) -> None:
        self._package = captcha.image.ImageCaptcha(
            recipe.width, recipe.height, [str(font) for font in fonts], recipe.font_sizes
        )
        for name in ("rotate", "warp_dx", "warp_dy"):
            setattr(self._package, f"character_{name}", getattr(recipe, f"character_{name}"))
        self._package.word_space_probability = recipe.word_space_probability
        self._package.word_offset_dx = recipe.word_offset_dx

    def draw(self, text: str, rng: np.random.Generator) -> Image.Image:
        """Draw a captcha in colour; the same `rng` state draws the same image."""
        with _secrets_replaced(UniformDraws(rng)):
            return self._package.generate_image(text)

    def grey(self, text: str, rng: np.random.Generator) -> np.ndarray:
        """Draw a captcha in grey, (recipe.height, recipe.width) uint8."""
        return cv2.cvtColor(np.asarray(self.draw(text, rng)), cv2.COLOR_RGB2GRAY)


@contextlib.contextmanager
def _secrets_replaced(draws: UniformDraws) -> Iterator[None]:
    with _seam:
        original = captcha.image.secrets
        captcha.image.secrets = draws
        try:
            yield
        finally:
            captcha.image.secrets = original
