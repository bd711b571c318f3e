"""What gradients of two bits cost: the same run of two workers with them and without, epoch by epoch.

Both workers run on this computer, a core each, and train the preset `captcha` on the fonts of font/ from one seed; each
epoch is validated on 2,000 captchas. `--set` changes the recipe of both.

    python benchmarks/compression.py
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

from report import FONTS, ROOT, Row, make_parser, show

from ocr_lib.training.exchange import GRADIENT_COMPRESSIONS

FIGURES = {"validation_accuracy": "exact match", "validation_cer": "CER"}
SETTINGS = ["training.parts=2", "training.validation_size=2000"]


def rows_of(compression: str, settings: List[str]) -> List[Row]:
    """Train, and return the figures of each epoch."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "lstm_ocr_launch.py"), "-n", "2", "--", str(ROOT / "lstm_ocr_train.py")]
        command += [str(FONTS), f"--prefix={folder}/ocr", "--preset=captcha", f"--gradient-compression={compression}"]
        done = subprocess.run(
            [*command, *(f"--set={each}" for each in SETTINGS + settings)],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=ROOT,
        )
        if done.returncode:
            raise SystemExit(f"{done.stderr[-2000:]}training failed")
        with Path(folder, "ocr-log", "curves.csv").open(newline="") as file:
            epochs = list(csv.DictReader(file))
    return [
        Row(f"{compression}: {name} after epoch {epoch['epoch']}", 100 * float(epoch[key]), "%")
        for epoch in epochs
        for key, name in FIGURES.items()
    ]


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    args = parser.parse_args()
    show([row for compression in GRADIENT_COMPRESSIONS for row in rows_of(compression, args.set)], args.json)


if __name__ == "__main__":
    main()
