"""The page of `lstm_ocr_export.py --format web`, in a browser without a network: its size, its readings and their time.

Captchas of the package are read by the page and by `ocr_lib.load`, and both are compared. It takes Chromium and
Playwright: apt-get install chromium, pip install playwright.

    python benchmarks/web_page.py --page reader.html --prefix demo/ocr-w8a8 font/
"""

import shutil
import statistics
import time
from pathlib import Path
from typing import List, Tuple

import numpy as np
from accuracy import render
from playwright.sync_api import Browser, Page, sync_playwright
from report import Row, make_checkpoint_parser, show

import ocr_lib
from ocr_lib.cv import cv2
from ocr_lib.draw.fonts import find_fonts

OPENINGS = 5  # the fastest counts: a browser's first page takes longer
AT_ONCE = 20  # images
READ = """async (images) => {
    const found = [];
    for (const bytes of images) {
        const began = performance.now();
        const [reading] = await engine.read([new File([new Uint8Array(bytes)], "image.png", { type: "image/png" })]);
        found.push([reading.text, [reading.confidence, ...reading.characters.map((each) => each.confidence)],
                    performance.now() - began]);
    }
    return found;
}"""
FIRST = """addEventListener("load", async () => {
    await engine.read([new File([new Uint8Array(IMAGE)], "image.png", { type: "image/png" })]);
    window.milliseconds = performance.now();
});"""


def open_and_read(browser: Browser, page: Path, image: bytes) -> Tuple[Page, float]:
    """Open the page; return it, and how many milliseconds it took until an image was read, from the start on."""
    opened = browser.new_context(offline=True).new_page()
    opened.add_init_script(FIRST.replace("IMAGE", str(list(image))))
    opened.goto(page.absolute().as_uri())
    while opened.evaluate("window.milliseconds === undefined"):
        time.sleep(0.05)
    return opened, opened.evaluate("window.milliseconds")


def read(page: Page, files: List[bytes]) -> List[Tuple[str, List[float], float]]:
    """Return text, confidences and milliseconds of each."""
    parts = (files[at : at + AT_ONCE] for at in range(0, len(files), AT_ONCE))
    return [(text, shares, ms) for part in parts for text, shares, ms in page.evaluate(READ, [list(f) for f in part])]


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_checkpoint_parser(__doc__, 1000)
    parser.add_argument("--page", type=Path, required=True)
    args = parser.parse_args()
    reader = ocr_lib.load(args.prefix)
    recipe = reader.recipe
    fonts = find_fonts(args.font_path, recipe.text.alphabet, recipe.captcha.font_sizes)
    images, _ = render(recipe, fonts, args.count)
    files = [cv2.imencode(".png", image)[1].tobytes() for image in images]
    with sync_playwright() as program:
        browser = program.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page, first = min(
            (open_and_read(browser, args.page, files[0]) for _ in range(OPENINGS)), key=lambda each: each[1]
        )
        found = read(page, files)
        browser.close()
    expected = reader.read(images)
    differences = [
        np.abs(np.array(shares) - [reading.confidence, *(each.confidence for each in reading.characters)]).max()
        for (text, shares, _), reading in zip(found, expected)
        if text == reading.text
    ]
    rows = [
        Row("size", args.page.stat().st_size, "bytes"),
        Row("opened, and the first image read", first, "ms"),
        Row("each after it", statistics.median(ms for *_, ms in found), "ms"),
        Row(f"same texts, of {len(files)}", len(differences), "images"),
        Row("probabilities differ by at most", float(max(differences)), ""),
    ]
    show(rows, args.json)


if __name__ == "__main__":
    main()
