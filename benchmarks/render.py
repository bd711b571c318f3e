"""Captchas a second that one core renders and brings to the network's size.

The baseline is the way of MXNet's example: the `captcha` package to PNG bytes, decoded to grey and resized. All three
draw 3 or 4 digits in the fonts of font/, in one thread.

    python benchmarks/render.py
"""

import random
from itertools import count
from typing import Callable

import cv2
import numpy as np
from captcha.image import ImageCaptcha
from report import ROOT, Row, make_parser, repeating, show, speeds

from ocr_lib.draw.fonts import find_fonts
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.recipe.settings import load_preset, override

TURN_S = 1.5
ROUNDS = 8
BATCH = 32


def original(captcha: ImageCaptcha) -> Callable[[], int]:
    """Return a function that renders an image as the example does."""

    def work() -> int:
        text = "".join(random.choices("0123456789", k=random.randint(3, 4)))
        data = np.frombuffer(captcha.generate(text).getvalue(), np.uint8)
        cv2.resize(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), (80, 30))
        return 1

    return work


def ours(source: CaptchaSource) -> Callable[[], int]:
    """Return a function that renders the next batch, as a worker does."""
    starts = count(step=BATCH)

    def work() -> int:
        start = next(starts)
        return len(source(("train", range(start, start + BATCH))).texts)

    return work


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_parser(__doc__).parse_args()
    cv2.setNumThreads(1)
    recipe = load_preset("captcha")
    fonts = find_fonts(ROOT / "font", recipe.text.alphabet, recipe.captcha.font_sizes)
    package = override(recipe, [("captcha.renderer", "captcha")])
    contestants = {
        "original pipeline": repeating(original(ImageCaptcha(fonts=[str(font.path) for font in fonts]))),
        "captcha package": repeating(ours(CaptchaSource(package, fonts))),
        "fast": repeating(ours(CaptchaSource(recipe, fonts))),
    }
    best = speeds(contestants, TURN_S, ROUNDS)
    show([Row(name, speed, "images/s", speed / best["original pipeline"]) for name, speed in best.items()], args.json)


if __name__ == "__main__":
    main()
