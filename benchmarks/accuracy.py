"""Exact match, CER and confidence of a checkpoint on captchas that the `captcha` package renders on its own.

The images come from the package's own, unseedable random source, as PNG files in memory: nothing of them is shared with
training.

    python benchmarks/accuracy.py --prefix ocr font/
"""

import random
import time
from typing import List, Tuple

import numpy as np
from captcha.image import ImageCaptcha
from report import Row, make_checkpoint_parser, show

from ocr_lib.draw.fonts import Font, find_fonts
from ocr_lib.images.decode import decode_image
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.metrics import evaluate


def render(recipe: Recipe, fonts: List[Font], count: int) -> Tuple[List[np.ndarray], List[str]]:
    """Render images and return them, grey and of full size, with their texts."""
    text = recipe.text
    lengths = range(text.min_length, text.max_length + 1)
    texts = ["".join(random.choices(text.alphabet, k=random.choice(lengths))) for _ in range(count)]
    captcha = ImageCaptcha(recipe.captcha.width, recipe.captcha.height, [str(font) for font in fonts])
    return [decode_image(captcha.generate(text).getvalue()) for text in texts], texts


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_checkpoint_parser(__doc__, 2000).parse_args()
    reader = Reader(load_checkpoint(args.prefix))
    recipe = reader.recipe
    fonts = find_fonts(args.font_path, recipe.text.alphabet, recipe.captcha.font_sizes)
    images, texts = render(recipe, fonts, args.count)
    began = time.perf_counter()
    readings = reader.read(images)
    seconds = time.perf_counter() - began
    figures = evaluate(texts, [reading.text for reading in readings])
    confidence = float(np.mean([reading.confidence for reading in readings]))
    if not args.json:
        right = round(figures["accuracy"] * args.count)
        print(f"{args.prefix} read {right} of {args.count} captchas right that it never saw, in {len(fonts)} fonts")
    rows = [
        Row("exact match", 100 * figures["accuracy"], "%"),
        Row("CER", 100 * figures["cer"], "%"),
        Row("mean confidence", 100 * confidence, "%"),
        Row("images read", args.count / seconds, "1/s"),
    ]
    show(rows, args.json)


if __name__ == "__main__":
    main()
