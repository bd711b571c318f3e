"""Captcha images, drawn by the `captcha` package from a random stream of ours.

The package draws from the `secrets` module, which can't be seeded. The seam is that one name inside ``captcha.image``:
while an image is drawn it stands for `UniformDraws`, which answers in the same terms from numbers that it is given.
"""

import contextlib
import threading
from typing import Any, Iterator, Sequence

import captcha.image
import numpy as np
from PIL import Image

from ocr_lib.cv import cv2
from ocr_lib.draw.fonts import Font
from ocr_lib.recipe.captcha import CaptchaRecipe

_seam = threading.Lock()


def num_draws(length: int) -> int:
    """Return how many random numbers a captcha with a text of `length` characters takes at most.

    They are 7 for colours, 60 for dots, 6 for the arc; for each character 1 that says whether a space comes before it;
    and for each of the two 10 for its shape and 1 for its place.
    """
    return 7 + 60 + 6 + length * (1 + 2 * 11)


class UniformDraws:
    """What ``captcha.image`` uses of `secrets`, each answer made from one uniform number.

    Parameters
    ----------
    draws : numpy.ndarray
        (D,) float64 in [0, 1), to be taken in order.
    """

    def __init__(self, draws: np.ndarray) -> None:
        self._uniform = iter(draws.tolist()).__next__

    def randbelow(self, bound: int) -> int:
        """Return an int in [0, bound)."""
        return int(self._uniform() * bound)

    def randbits(self, bits: int) -> int:
        """Return an int of that many random bits."""
        return int(self._uniform() * (1 << bits))

    def choice(self, sequence: Sequence[Any]) -> Any:
        """Return an element of a sequence."""
        return sequence[self.randbelow(len(sequence))]


class _Package(captcha.image.ImageCaptcha):
    truefonts: Any = ()  # in place of a property that loads files, and has no way to name a face of a collection


class CaptchaRenderer:
    """Draws captchas of a recipe with some fonts.

    Parameters
    ----------
    recipe : CaptchaRecipe
        How they look.
    fonts : sequence of Font
        Each character takes one of them at random.
    """

    def __init__(self, recipe: CaptchaRecipe, fonts: Sequence[Font]) -> None:
        self._recipe = recipe
        self._package = _Package(recipe.width, recipe.height)
        self._package.truefonts = [font.load(size) for font in fonts for size in recipe.font_sizes]
        for name in ("offset_dx", "offset_dy", "rotate", "warp_dx", "warp_dy"):
            setattr(self._package, f"character_{name}", getattr(recipe, f"character_{name}"))
        self._package.word_space_probability = recipe.word_space_probability
        self._package.word_offset_dx = recipe.word_offset_dx
        self._package.lookup_table = list(recipe.masks)

    def draw(self, text: str, draws: np.ndarray) -> Image.Image:
        """Draw a captcha in colour; the same draws, (D,) in [0, 1), draw the same image."""
        with _secrets_replaced(UniformDraws(draws)):
            return self._package.generate_image(text, self._recipe.bg_color, self._recipe.fg_color)

    def render(self, texts: Sequence[str], draws: np.ndarray) -> np.ndarray:
        """Draw captchas in grey, (N, recipe.height, recipe.width) uint8; see `ocr_lib.feed.source.Renderer`."""
        images = np.empty((len(texts), self._recipe.height, self._recipe.width), np.uint8)
        for image, text, row in zip(images, texts, draws):
            cv2.cvtColor(np.asarray(self.draw(text, row)), cv2.COLOR_RGB2GRAY, dst=image)
        return images


@contextlib.contextmanager
def _secrets_replaced(draws: UniformDraws) -> Iterator[None]:
    with _seam:
        original = captcha.image.secrets
        captcha.image.secrets = draws
        try:
            yield
        finally:
            captcha.image.secrets = original
