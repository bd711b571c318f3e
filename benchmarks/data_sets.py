"""Training on data sets on disk: how long, how well, and what share of the time it waits for data.

`mindspore` generates captchas like those of MindSpore's example (50,000 to train on and 10,000 to test on, 160 x 64
pixels, 1 to 4 digits) in the font of the captcha package, and trains the default preset on them. `lines` trains the
preset text-line, for 15 minutes, on the lists `sortedTrain.txt` and `valid.txt` of a folder, as UW3-500 has them.

    python benchmarks/data_sets.py mindspore
    python benchmarks/data_sets.py lines FOLDER
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

import captcha
from report import ROOT, Row, make_parser, show

SIZES = {"train": 50_000, "test": 10_000}
EPOCHS = 4
HELD_OUT = 0.04
BUDGET_S = 900
LISTS = (("--train-data", "sortedTrain.txt"), ("--val-data", "valid.txt"))
FONT = Path(captcha.__file__).parent / "data" / "DroidSansMono.ttf"


def generate(folder: Path) -> None:
    """Write the captchas."""
    for seed, (name, count) in enumerate(SIZES.items()):
        command = [sys.executable, str(ROOT / "captcha_generator.py"), str(FONT), f"--out={folder / name}"]
        options = [f"--count={count}", f"--seed={seed}", "--digits=1-4", "--height=64", "--format=rec"]
        subprocess.run([*command, *options], check=True, stderr=subprocess.DEVNULL)


def measure(options: List[str], test: List[str]) -> List[Row]:
    """Train with these options, and evaluate on other data."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"--prefix={folder}/ocr"
        began = time.monotonic()
        command = [sys.executable, str(ROOT / "lstm_ocr_train.py"), prefix, *options]
        costs, shares = [], []
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                print(line, end="", file=sys.stderr)
                costs += map(float, re.findall(r"Time cost=([\d.]+)", line))
                shares += map(float, re.findall(r"Waited for data: ([\d.]+)%", line))
        if process.returncode:
            raise SystemExit(f"lstm_ocr_train.py ended with {process.returncode}")
        took = time.monotonic() - began
        command = [sys.executable, str(ROOT / "lstm_ocr_eval.py"), prefix, "--json", "--quiet", *test]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return [
        Row("training", took, "s"),
        Row("waiting for data", sum(map(float.__mul__, costs, shares)) / sum(costs), "%"),
        Row(f"exact match on {found['count']:,} images", 100 * found["exact_match"], "%"),
        Row("CER", 100 * found["cer"], "%"),
    ]


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("task", choices=["mindspore", "lines"])
    parser.add_argument("folder", nargs="?", type=Path)
    args = parser.parse_args()
    if args.task == "lines":
        lists = [f"{option}={args.folder / name}" for option, name in LISTS]
        rows = measure(
            [*lists, "--preset=text-line", f"--time-budget={BUDGET_S}"], [f"--data={args.folder / LISTS[1][1]}"]
        )
        show(rows, args.json)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        train = [f"--train-data={folder}/train", f"--held-out={HELD_OUT}", f"--epochs={EPOCHS}"]
        show(measure(train, [f"--data={folder}/test"]), args.json)


if __name__ == "__main__":
    main()
