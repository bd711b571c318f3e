"""How far the fast renderer's images are from those of the `captcha` package, from the same random numbers.

Differences are means over an image, in grey levels of 255, at the size that is drawn. With --picture, pairs are drawn
side by side with five times their difference. With --train N, models are trained on either renderer, with N seeds each,
one font and 3 epochs, and read 4,000 images of the package: that takes 1 to 2 minutes a model.

    python benchmarks/renderers.py
"""

import subprocess
import tempfile
from pathlib import Path
from typing import List

import cv2
import numpy as np
from accuracy import render
from report import FONTS, Row, make_parser, show, train_command

from ocr_lib.draw.fonts import Font, find_fonts
from ocr_lib.feed.source import make_renderer, sample_draws
from ocr_lib.feed.texts import draw_texts
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override
from ocr_lib.recognize.metrics import EXACT, evaluate

IMAGES = 1000
PAIRS = 8
FONT = FONTS / "Ubuntu-M.ttf"
EPOCHS = 3
READ = 4000


def images_of(recipe: Recipe, fonts: List[Font], renderer: str, count: int) -> np.ndarray:
    """Return the first images of the test split as a renderer draws them, (N, H, W)."""
    recipe = override(recipe, [("captcha.renderer", renderer)])
    draws = sample_draws("test", recipe.seed, range(count), recipe.text.max_length)
    drawing = make_renderer(recipe.captcha, fonts, recipe.text.alphabet)
    return drawing.render(draw_texts(recipe.text, draws.text), draws.image)


def differences(recipe: Recipe, fonts: List[Font]) -> List[Row]:
    """Compare the renderers image by image."""
    package, fast = (images_of(recipe, fonts, name, IMAGES).astype(int) for name in ("captcha", "fast"))
    means = np.abs(package - fast).mean(axis=(1, 2))
    strangers = np.abs(package - np.roll(fast, 1, axis=0)).mean()
    return [
        Row(f"mean of {IMAGES:,} images", float(means.mean()), "grey levels"),
        Row("largest", float(means.max()), "grey levels"),
        Row("for comparison, of other draws: mean", float(strangers), "grey levels"),
    ]


def draw_picture(recipe: Recipe, fonts: List[Font], path: str) -> None:
    """Write pairs and their differences as a picture."""
    package, fast = (images_of(recipe, fonts, name, 2 * PAIRS).astype(int) for name in ("captcha", "fast"))
    triples = np.concatenate([package, fast, np.clip(255 - 5 * np.abs(package - fast), 0, 255)], axis=2)
    page = np.concatenate([np.concatenate(list(triples[k::2]), axis=0) for k in range(2)], axis=1)
    cv2.imwrite(path, page.astype(np.uint8))


def train(recipe: Recipe, seeds: int) -> List[Row]:
    """Train with either renderer, and read images that the package drew on its own."""
    images, texts = render(recipe, [FONT], READ)
    rows = []
    for name in ("captcha", "fast"):
        shares = []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                prefix = Path(folder, "ocr")
                command = train_command(FONT, prefix, {}, f"--renderer={name}", f"--seed={seed}", f"--epochs={EPOCHS}")
                subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                read = Reader(load_checkpoint(str(prefix), "last")).read(images)
                shares.append(100 * evaluate(texts, [reading.text for reading in read], [EXACT])[EXACT.name])
            rows.append(Row(f"trained on {name}, seed {seed}: exact match", shares[-1], "%"))
        rows.append(Row(f"trained on {name}: mean", float(np.mean(shares)), "%"))
    return rows


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)

    parser.add_argument("--picture", metavar="PNG", help="draw pairs")
    parser.add_argument("--train", type=int, default=0, metavar="SEEDS", help="train models too")
    args = parser.parse_args()
    recipe = load_preset("captcha")
    fonts = find_fonts(FONTS, recipe.text.alphabet, recipe.captcha.font_sizes)
    if args.picture:
        draw_picture(recipe, fonts, args.picture)
    rows = differences(recipe, fonts)
    show(rows + train(recipe, args.train) if args.train else rows, args.json)


if __name__ == "__main__":
    main()
