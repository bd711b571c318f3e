"""Make a model of `ocr_lib.zoo` again from nothing: train it, export it, and measure it in fonts that it never saw.

The card beside the model says which recipe and which fonts; these are taken from Debian's packages, by apt-get, and
from font/. Exact match and CER are those of 2,000 images that the `captcha` package draws on its own, or of 2,000 texts
that are rendered.

    python benchmarks/zoo.py captcha-digits
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from shutil import copy
from typing import Any, Dict, List, Optional

import captcha
from captcha.image import ImageCaptcha
from report import FONTS, ROOT, make_parser
from zoo_texts import measure_texts, take_all_fonts, take_texts, unpack

import ocr_lib
from ocr_lib.files import write_atomic
from ocr_lib.images.decode import decode_image
from ocr_lib.jobs.drawn_set import LABELS
from ocr_lib.recognize.metrics import evaluate
from ocr_lib.zoo.models import FOLDER, SUFFIX
from ocr_lib.zoo.recipes import model_recipe

LICENSE = "Apache-2.0"
COUNT = 2000
NUM_CONFUSIONS = 10
MAX_DROP_OF_TEXTS = 0.02


def take_fonts(packages: Dict[str, List[str]], to: Path) -> List[Path]:
    """Download Debian packages, without installing them, and copy fonts of them to a folder."""
    to.mkdir(parents=True, exist_ok=True)
    taken: List[Path] = []
    for package, names in packages.items():
        with tempfile.TemporaryDirectory() as folder:
            unpack(package, Path(folder, package))
            taken += [Path(copy(min(Path(folder).rglob(name)), to)) for name in names]
    return taken


def train_on_drawn(
    prefix: Path, recipe: "ocr_lib.Recipe", drawn: Dict[str, Any], fonts: Path, cpus: Optional[int]
) -> None:
    """Train on captchas of some styles that are drawn once, to be changed by augmentation."""
    text = recipe.text
    texts = [f"--alphabet={text.alphabet}", f"--digits={text.min_length}-{text.max_length}"]
    with tempfile.TemporaryDirectory() as folder:
        lines: List[str] = []
        for number, style in enumerate(drawn["styles"]):
            images = Path(folder, str(number))
            options = [f"--count={drawn['count']}", f"--seed={drawn['seed'] + number}", f"--out={images}"]
            options += [f"--set=captcha.{key}={json.dumps(value)}" for key, value in style.items()]
            command = [sys.executable, str(ROOT / "captcha_generator.py"), str(fonts)]
            subprocess.run([*command, *texts, *options], check=True)
            lines += [f"{number}/{line}\n" for line in (images / LABELS).read_text().splitlines()]
        Path(folder, LABELS).write_text("".join(lines))
        ocr_lib.train(prefix, recipe, train_data=folder, held_out=drawn["held_out"], cpus=cpus)


def measure(reader: "ocr_lib.Predictor", recipe: "ocr_lib.Recipe", fonts: List[Path]) -> Dict[str, Any]:
    """Return how well captchas of the package, drawn in each of some fonts, are read."""
    lengths = range(recipe.text.min_length, recipe.text.max_length + 1)
    all_texts: List[str] = []
    all_readings: List[str] = []
    by_font = {}
    for place, font in enumerate(fonts):
        count = COUNT * (place + 1) // len(fonts) - COUNT * place // len(fonts)
        texts = ["".join(random.choices(recipe.text.alphabet, k=random.choice(lengths))) for _ in range(count)]
        drawing = ImageCaptcha(recipe.captcha.width, recipe.captcha.height, [str(font)])
        images = [decode_image(drawing.generate(text).getvalue()) for text in texts]
        readings = [reading.text for reading in reader.read(images)]
        by_font[font.name] = round(evaluate(texts, readings)["accuracy"], 4)
        all_texts += texts
        all_readings += readings
    figures = evaluate(all_texts, all_readings)
    return {
        "images": COUNT,
        "exact_match": round(figures["accuracy"], 4),
        "cer": round(figures["cer"], 4),
        "exact_match_by_font": by_font,
        "confusions": confusions(all_texts, all_readings),
    }


def confusions(texts: List[str], readings: List[str]) -> List[str]:
    """Return which characters were taken for which most often, among readings of the right length."""
    pairs = (pair for text, read in zip(texts, readings) if len(text) == len(read) for pair in zip(text, read))
    counted = Counter(f"{a} read as {b}" for a, b in pairs if a != b)
    return [f"{what}: {count}" for what, count in counted.most_common(NUM_CONFUSIONS)]


def main() -> None:
    """Make one model, and write its figures to its card."""
    parser = make_parser(__doc__)
    parser.add_argument("name", help="of a card in ocr_lib/zoo")
    parser.add_argument("--checkpoint", metavar="PREFIX", help="take what was trained already")
    parser.add_argument("--cpu", type=int, help="cores to train on (default: all)")
    args = parser.parse_args()
    path = FOLDER / f"{args.name}.json"
    card = json.loads(path.read_bytes())
    make = make_reader_of_texts if "texts" in card else make_reader_of_captchas
    with tempfile.TemporaryDirectory() as folder:
        make(args.name, card, Path(folder), args.checkpoint, args.cpu)
    write_atomic(path, json.dumps(card, indent=2, ensure_ascii=False).encode() + b"\n")
    print(json.dumps(card["figures"], indent=2) if args.json else f"{args.name}: {card['figures']['exact_match']:.2%}")


def make_reader_of_texts(
    name: str, card: Dict[str, Any], folder: Path, checkpoint: Optional[str], cpus: Optional[int]
) -> None:
    """Make a reader of rendered texts, and put what it reads into its card."""
    recipe, model, fonts = model_recipe(name), FOLDER / f"{name}{SUFFIX}", card["fonts"]
    seen, unseen, prefix = folder / "seen", folder / "unseen", Path(checkpoint or folder / name)
    take_all_fonts(fonts["packages"], fonts["largest_bytes"], seen)
    take_fonts(fonts["held_out"], unseen)
    os.chdir(folder)  # the recipe has the name of the file alone
    take_texts(card["texts"], Path(recipe.text.sources[-1].file))
    if not checkpoint:
        began = time.monotonic()
        ocr_lib.train(prefix, recipe, seen, cpus=cpus)
        card["training_seconds"] = round(time.monotonic() - began)
    options = {"int8": True, "license": LICENSE, "max_drop": MAX_DROP_OF_TEXTS, "overwrite": True}
    ocr_lib.export(prefix, model, samples=seen, **options)
    card["bytes"] = model.stat().st_size
    card["figures"].update(measure_texts(ocr_lib.Predictor(model), recipe, unseen))


def make_reader_of_captchas(
    name: str, card: Dict[str, Any], folder: Path, checkpoint: Optional[str], cpus: Optional[int]
) -> None:
    """Make a reader of captchas, and put what it reads into its card."""
    recipe, model = model_recipe(name), FOLDER / f"{name}{SUFFIX}"
    seen, unseen, prefix = folder / "seen", folder / "unseen", checkpoint or folder / name
    take_fonts(card["fonts"]["debian"], seen)
    for font in FONTS.glob("*.ttf"):
        copy(font, seen)
    held_out = sorted(take_fonts(card["fonts"]["held_out"], unseen))
    held_out += sorted(Path(captcha.__file__).parent.rglob("*.ttf"))
    if not checkpoint:
        began = time.monotonic()
        if "drawn" in card:
            train_on_drawn(prefix, recipe, card["drawn"], seen, cpus)
        else:
            ocr_lib.train(prefix, recipe, seen, cpus=cpus)
        card["training_seconds"] = round(time.monotonic() - began)
    ocr_lib.export(prefix, model, samples=seen, int8=True, license=LICENSE, overwrite=True)
    card["bytes"] = model.stat().st_size
    card["figures"] = measure(ocr_lib.Predictor(model), recipe, held_out)


if __name__ == "__main__":
    main()
