"""Readers of lines in other scripts than Latin, trained on rendered lines: what they read of 500 others.

They begin with the model printed-lines, which knows no letter of theirs, but what strokes, spaces and scans look like.

Fonts come from Debian's packages, words from its dictionaries: apt-get install aspell aspell-ar aspell-he aspell-hi.
Lines are those words at random, with numbers and marks between them; Chinese ones poems, and strings of the 3,755
common characters (GB 2312, level 1). They look like good scans: the style `scan` with half of the damage.
Training takes the minutes that --minutes says, for each script. What fonts the folder of --keep has are not taken
again, and a reader that is there is measured as it is.

    python benchmarks/scripts.py arabic hebrew devanagari chinese
"""

import json
import os
import random
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import cv2
import numpy as np
from report import Row, make_parser, show
from zoo_texts import take_all_fonts, unpack

import ocr_lib
from ocr_lib.feed.text_plan import plan_texts
from ocr_lib.feed.text_source import RenderedTexts
from ocr_lib.images.decode import fit
from ocr_lib.recognize.metrics import evaluate

BEGINS_WITH = "printed-lines"
COUNT = 500
NUM_TEXTS = 60_000
SHOWN = 4
WIDTH = 520
LARGEST = 25_000_000
MARKS = " .,:-()0123456789"
GOOD_SCANS = {
    "rendering.letters.touching": 0.1,
    "rendering.letters.neighbours": 0.1,
    "rendering.letters.margin": (0.0, 0.12),
    "rendering.ink.spread": 0.4,
    "rendering.ink.thinning": 0.3,
    "rendering.ink.broken": 0.1,
    "rendering.ground.bleed_through": 0.1,
    "rendering.camera.blur": 0.5,
    "rendering.camera.low_resolution": 1.2,
    "rendering.camera.noise": 5.0,
    "rendering.camera.speckle": 0.5,
    "rendering.camera.threshold": 0.25,
}


class Script(NamedTuple):
    """What a reader of a script is made of.

    Attributes
    ----------
    dictionary : str
        Of aspell; none for Chinese.
    letters : str
        A class of a regular expression, for the letters of words.
    packages : list of str
        Of fonts.
    settings : dict
        Of the recipe, on top of those that all have.
    """

    dictionary: str
    letters: str
    packages: List[str]
    settings: Dict[str, Any]


SCRIPTS = {
    "arabic": Script(
        "ar",
        "\u0621-\u063a\u0641-\u064a",
        "fonts-hosny-amiri fonts-hosny-thabit fonts-sil-scheherazade fonts-sil-lateef fonts-sil-harmattan "
        "fonts-kacst-one fonts-kacst fonts-noto-core fonts-dejavu-core fonts-freefont-ttf".split(),
        {"text.direction": "rtl"},
    ),
    "hebrew": Script(
        "he",
        "\u05d0-\u05ea",
        "culmus fonts-noto-core fonts-dejavu-core fonts-freefont-ttf fonts-liberation fonts-sil-ezra".split(),
        {"text.direction": "rtl"},
    ),
    "devanagari": Script(
        "hi",
        "\u0901-\u0903\u0905-\u0939\u093c\u093e-\u094d",
        "fonts-deva-extra fonts-gargi fonts-lohit-deva fonts-nakula fonts-sahadeva fonts-samyak-deva fonts-sarai "
        "fonts-kalapi fonts-sil-annapurna fonts-noto-core fonts-freefont-ttf".split(),
        {},
    ),
    "chinese": Script(
        "",
        "",
        "fonts-arphic-gbsn00lp fonts-arphic-gkai00mp fonts-wqy-microhei fonts-wqy-zenhei fonts-lxgw-wenkai "
        "fonts-droid-fallback".split(),
        {"text.min_length": 4, "text.max_length": 12, "text.casing": 0.0, "text.punctuation": 0.0},
    ),
}


def common_characters() -> str:
    """Return the characters of GB 2312's level 1."""
    codes = (bytes([row, cell]) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return "".join(code.decode("gb2312", "ignore") for code in codes)


def lines_of(words: List[str]) -> List[str]:
    """Return lines of words at random."""
    choose = random.Random(1)
    texts = []
    for _ in range(NUM_TEXTS):
        line = choose.choices(words, k=choose.randint(2, 6))
        if choose.random() < 0.3:
            line.insert(choose.randrange(len(line)), str(choose.randrange(10 ** choose.randint(1, 4))))
        if choose.random() < 0.2:
            line[-1] = f"({line[-1]})"
        texts.append(" ".join(line) + choose.choice(["", "", ".", ",", ":", " -"]))
    return texts


def words_of(script: Script) -> List[str]:
    """Return the words of a dictionary that have no other than the script's letters."""
    command = ["aspell", "-l", script.dictionary, "dump", "master"]
    dumped = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8", "ignore")
    found = (word.partition("/")[0] for word in dumped.split())
    return sorted({word for word in found if re.fullmatch(f"[{script.letters}]+", word)})


def poems(alphabet: str) -> List[str]:
    """Return lines of poems, without those that have rarer characters."""
    with tempfile.TemporaryDirectory() as folder:
        unpack("fortunes-zh", Path(folder, "package"))
        files = Path(folder, "package/usr/share/games/fortunes").glob("*.u8")
        lines = re.split(r"[\s%]+", "\n".join(file.resolve().read_text("utf-8") for file in files))
    return sorted({line for line in lines if 4 <= len(line) <= 12 and set(line) <= set(alphabet)})


def prepare(script: Script, folder: Path) -> Dict[str, Any]:
    """Put fonts and texts of a script into a folder; return the settings of a run, on top of the preset `scan`."""
    if script.dictionary:
        words = words_of(script)
        alphabet, texts = "".join(sorted(set("".join(words)) | set(MARKS))), lines_of(words)
    else:
        alphabet = common_characters() + "，。？！"
        texts = poems(alphabet)
    if not (folder / "fonts").exists():
        take_all_fonts(script.packages, LARGEST, folder / "fonts", alphabet.replace(" ", ""))
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text in texts), "utf-8")
    sources = [{"kind": "words", "file": "texts.txt"}]
    if not script.dictionary:
        sources.append({"kind": "uniform"})
    common = {
        "text.alphabet": alphabet,
        "text.min_length": 4,
        "text.max_length": 48,
        "text.sources": json.dumps(sources),
        "text.casing": 0.0,
        "training.batch_size": 32,
        "training.epoch_size": 8000,
        "training.epochs": 40,
        "training.learning_rate": 0.003,
    }
    return {**common, **GOOD_SCANS, **script.settings}


def measure(name: str, folder: Path, minutes: float) -> Tuple[List[Row], np.ndarray]:
    """Train a reader in a folder; return what it reads, and a picture of the first lines."""
    is_trained = (folder / "lines-manifest.json").exists()
    settings = {} if is_trained else prepare(SCRIPTS[name], folder)
    os.chdir(folder)
    if not is_trained:
        start = {"pretrained": BEGINS_WITH, "alphabet_change": "new", "time_budget": 60 * minutes}
        ocr_lib.train("lines", "scan", "fonts", settings=settings, **start)
    recipe = ocr_lib.load_preset(Path("lines-recipe.json"))
    plan = plan_texts(recipe, Path("fonts"))
    rendered = RenderedTexts(plan.recipe, plan.coverage, plan.pictures)
    texts = rendered.texts("test", range(COUNT))
    images = [rendered.draw("test", index, text) for index, text in enumerate(texts)]
    readings = [reading.text for reading in ocr_lib.load("lines").read(images)]
    figures = evaluate(texts, readings)
    rows = [
        Row(f"{name}: fonts", len(list(Path("fonts").iterdir())), ""),
        Row(f"{name}: characters", len(recipe.text.alphabet), ""),
        Row(f"{name}: CER of {COUNT} lines", 100 * figures["cer"], "%"),
        Row(f"{name}: exact match", 100 * figures["accuracy"], "%"),
    ]
    return rows, sheet(images[:SHOWN])


def sheet(images: List[np.ndarray]) -> np.ndarray:
    """Put lines below each other; what is too wide is cut off."""
    page = np.full((36 * len(images), WIDTH), 255, np.uint8)
    for row, image in enumerate(images):
        fitted = fit(image, (round(image.shape[1] * 32 / image.shape[0]), 32))[:, :WIDTH]
        page[36 * row : 36 * row + 32, : fitted.shape[1]] = fitted
    return page


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("scripts", nargs="+", choices=SCRIPTS)
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, for each")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave readers, texts and fonts there")
    parser.add_argument("--picture", type=Path, help="of the first lines of each")
    args = parser.parse_args()
    rows: List[Row] = []
    pages: List[np.ndarray] = []
    with tempfile.TemporaryDirectory() as temporary:
        keep = (args.keep or Path(temporary)).absolute()
        picture = args.picture and args.picture.absolute()  # the folder changes with each
        for name in args.scripts:
            folder = keep / name
            folder.mkdir(parents=True, exist_ok=True)
            measured, page = measure(name, folder, args.minutes)
            rows += measured
            pages.append(page)
    if picture:
        cv2.imwrite(str(picture), np.concatenate(pages))
    show(rows, args.json)


if __name__ == "__main__":
    main()
