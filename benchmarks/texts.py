"""Words and lines a second that one core renders, as images are stored: before the network's size.

Words of five to nine letters in the style of photographs, and lines of some 60 characters in the style of scans, in the
fonts of font/, or of --fonts. With --trdg PYTHON, an interpreter that has TextRecognitionDataGenerator (and Pillow
before version 10, which it needs), that renders the same words in the same fonts beside ours: slanted, blurred, warped,
on noise, its counterpart of our style.

    python benchmarks/texts.py
"""

import json
import subprocess
from itertools import count
from pathlib import Path
from typing import Callable, Dict, List

import cv2
import numpy as np
from report import FONTS, Contestant, Row, make_parser, repeating, show, speeds

from ocr_lib.draw.text.coverage import find_coverage
from ocr_lib.draw.text.renderer import TextRenderer
from ocr_lib.recipe.rendering import STYLES

TURN_S = 2.0
ROUNDS = 5
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TRDG = """
import contextlib, json, sys, time
with contextlib.redirect_stdout(sys.stderr):
    from trdg.generators import GeneratorFromStrings
words, fonts = json.loads(sys.stdin.readline())
made = GeneratorFromStrings(words, fonts=fonts, size=32, skewing_angle=4, random_skew=True, blur=1, random_blur=True,
    distorsion_type=3, background_type=0, image_mode="L")
next(made)
for line in sys.stdin:
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < float(line):
        next(made)
        done += 1
    print(done / (time.perf_counter() - began), flush=True)
"""


def words() -> List[str]:
    """Return words of random letters."""
    random = np.random.default_rng(0)
    return ["".join(random.choice(list(LETTERS), random.integers(5, 10))) for _ in range(1000)]


def ours(style: str, texts: List[str], fonts: Path) -> Callable[[], int]:
    """Return a function that renders the next text, as a worker does."""
    renderer = TextRenderer(STYLES[style], find_coverage(fonts, LETTERS + " ", tells_case=True))
    numbers = count()

    def work() -> int:
        number = next(numbers)
        random = np.random.Generator(np.random.Philox(key=[0, 1], counter=[0, number, 0, 0]))
        renderer.draw(texts[number % len(texts)], random)
        return 1

    return work


def trdg(python: str, texts: List[str], fonts: Path) -> Contestant:
    """Return TextRecognitionDataGenerator in a process of its own."""
    process = subprocess.Popen(
        [python, "-c", TRDG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin and process.stdout
    files = [str(path) for path in sorted(fonts.glob("*.[ot]tf"))]
    print(json.dumps([texts, files]), file=process.stdin, flush=True)

    def contestant(seconds: float) -> float:
        assert process.stdin and process.stdout
        print(seconds, file=process.stdin, flush=True)
        return float(process.stdout.readline())

    return contestant


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("--trdg", type=Path, metavar="PYTHON", help="an interpreter that has trdg")
    parser.add_argument("--fonts", type=Path, default=FONTS, help="a folder")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    some = words()
    lines = [" ".join(some[start : start + 8]) for start in range(0, len(some), 8)]
    contestants: Dict[str, Contestant] = {}
    if args.trdg:
        contestants["TextRecognitionDataGenerator, words"] = trdg(str(args.trdg), some, args.fonts)
    contestants["words, style photo"] = repeating(ours("photo", some, args.fonts))
    contestants["lines, style scan"] = repeating(ours("scan", lines, args.fonts))
    best = speeds(contestants, TURN_S, ROUNDS)
    baseline = next(iter(best.values())) if args.trdg else None
    show(
        [
            Row(name, speed, "images/s", speed / baseline if baseline and "words" in name else None)
            for name, speed in best.items()
        ],
        args.json,
    )


if __name__ == "__main__":
    main()
