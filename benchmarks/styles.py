"""A picture of rendered texts: forty words in the style of photographs, and forty lines in that of scans.

With --beside FOLDER, images of one's own that they are to look like stand to the right.

    python benchmarks/styles.py docs/styles.jpg
"""

import argparse
from pathlib import Path
from typing import List

import cv2
import numpy as np
from report import FONTS

from ocr_lib.draw.text.coverage import find_coverage
from ocr_lib.draw.text.renderer import TextRenderer
from ocr_lib.images.decode import fit, image_files, read_image
from ocr_lib.images.pixels import Rendition, with_channels
from ocr_lib.recipe.rendering import STYLES

COUNT = 40
GAP = 4
CELLS = {"photo": (2, 170), "scan": (2, 520)}
"""How many images stand side by side, and in how many pixels each."""

CHANNELS = {"photo": 3, "scan": 1}

TEXT = """A reader of words or lines needs thousands of labelled images, or rendered ones. Letters stand where the font
has them, close together or wide apart, slanted, bent, seen from aside; ink spreads, thins and breaks; light is uneven,
paper stained, what is on the back shows through; scanners and cameras blur, shake and add noise of their own."""


def rendered(style: str) -> List[np.ndarray]:
    """Return images of a style, scans in grey."""
    words = TEXT.split()
    size = 1 if style == "photo" else 5
    texts = [" ".join(words[n % (len(words) - size) :][:size]) for n in range(COUNT)]
    texts = [text.upper() if style == "photo" and n % 4 == 0 else text for n, text in enumerate(texts)]
    characters = "".join(sorted(set(TEXT + TEXT.upper()) - {"\n"}))
    coverage = find_coverage(FONTS, characters, tells_case=True)
    renderer = TextRenderer(STYLES[style], coverage, channels=CHANNELS[style])
    drawn = [renderer.draw(text, np.random.default_rng([1, n])) for n, text in enumerate(texts)]
    return [with_channels(image, 3) for image in drawn]


def sheet(images: List[np.ndarray], columns: int, width: int) -> np.ndarray:
    """Put images side by side and below each other; what is too wide is cut off."""
    rows = -(-len(images) // columns)
    page = np.full((rows * (32 + GAP), columns * (width + GAP), 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (32 + GAP), number % columns * (width + GAP)
        page[top : top + 32, left : left + min(width, image.shape[1])] = image[:, :width]
    return page


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--beside", type=Path, action="append", default=[], metavar="FOLDER", help="of images")
    args = parser.parse_args()
    sheets = [sheet(rendered(style), *cell) for style, cell in CELLS.items()]
    for folder, cell in zip(args.beside, CELLS.values()):
        images = [read_image(path, Rendition(3)) for path in image_files(folder)[:COUNT]]
        sheets.append(sheet([fit(image, (image.shape[1] * 32 // image.shape[0], 32)) for image in images], *cell))
    height = max(len(page) for page in sheets)
    padded = [
        cv2.copyMakeBorder(p, 0, height - len(p), 0, 2 * GAP, cv2.BORDER_CONSTANT, value=(255,) * 3) for p in sheets
    ]
    cv2.imwrite(str(args.picture), np.hstack(padded))


if __name__ == "__main__":
    main()
