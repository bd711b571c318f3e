"""Seconds from the start of lstm_ocr_train.py until its checkpoints read the `captcha` package's own images.

Training is the default preset's, from its first second on: loading, the start of the workers, validations and
checkpoints count. It stops at a validation accuracy above the share to reach. Each checkpoint then reads the same
images, which the package drew from its own, unseedable random source as PNG files; the first that reads enough of them
right tells the time. The ratio is the time allowed to it.

    python benchmarks/time_to_accuracy.py
"""

import subprocess
import tempfile
import time
from pathlib import Path
from typing import List, NamedTuple

from accuracy import render
from report import FONTS, Row, make_parser, show, train_command

from ocr_lib.draw.fonts import find_fonts
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from ocr_lib.recipe.settings import load_preset
from ocr_lib.recognize.metrics import EXACT, evaluate

IMAGES = 2000


class Task(NamedTuple):
    """A share of images to read right, in some fonts, and the seconds that it may take."""

    name: str
    fonts: Path
    share: float
    seconds: float
    stop_at: float


TASKS = [
    Task("one font", FONTS / "Ubuntu-M.ttf", 0.995, 75, 0.999),
    Task("five fonts", FONTS, 0.99, 150, 0.996),
]


def measure(task: Task) -> List[Row]:
    """Train, and have every checkpoint read."""
    recipe = load_preset("captcha")
    fonts = find_fonts(task.fonts, recipe.text.alphabet, recipe.captcha.font_sizes)
    images, texts = render(recipe, fonts, IMAGES)
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder, "ocr")
        began = time.time()
        command = train_command(task.fonts, prefix, {"training.keep": 0}, f"--target-accuracy={task.stop_at}")
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        ended = time.time() - began
        reached, share = None, 0.0
        for params in sorted(Path(folder).glob("ocr-*.params")):
            reader = Reader(load_checkpoint(str(prefix), int(params.stem[-4:])))
            share = evaluate(texts, [reading.text for reading in reader.read(images)], [EXACT])[EXACT.name]
            if share >= task.share and reached is None:
                reached = params.stat().st_mtime - began
    seconds = float("nan") if reached is None else reached
    return [
        Row(f"{task.name}: until {task.share:.1%} of {IMAGES:,} images", seconds, "s", task.seconds / seconds),
        Row(f"{task.name}: whole run", ended, "s"),
        Row(f"{task.name}: exact match after it", 100 * share, "%"),
    ]


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_parser(__doc__).parse_args()
    show([row for task in TASKS for row in measure(task)], args.json)


if __name__ == "__main__":
    main()
