"""Training speed end to end beside that of the network alone, time spent waiting for data, and memory.

End to end is lstm_ocr_train.py on the fonts of font/, in a process of its own. What its log says of the first epoch is
left out: loading, the first passes through the network, and the start of further rendering processes fall into it. Of
the epochs after it the time for training counts, which includes waiting for data and the metrics, but neither
validations nor checkpoints. The network alone does training steps on one batch, before and after that run, and the
faster turn counts; the ratio is that of end to end to it. Memory is the most that all processes of the run had
together, pages that they share counted once.

    python benchmarks/train.py
"""

import csv
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Dict, List, NamedTuple

from our_network import on_all_cores, our_step
from report import FONTS, Row, make_parser, memory_mb, repeating, show, train_command

from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override

NETWORK_TURN_S = 2.0
BUDGET_S = 30.0
EPOCH_SIZE = 2560
SAMPLE_S = 0.5


class Run(NamedTuple):
    """What was found of a run."""

    speed: float
    waiting: float
    memory: float


def run(recipe: Recipe) -> Run:
    """Train for a while with the command."""
    training = recipe.training
    settings = {
        "network.cell": recipe.network.cell,
        "training.parts": training.parts,
        "training.epoch_size": EPOCH_SIZE,
        "training.validation_size": training.batch_size,
    }
    with tempfile.TemporaryDirectory() as folder:
        options = f"--preset={recipe.name}", f"--time-budget={BUDGET_S}"
        log, memory = Path(folder, "stderr"), 0.0
        with log.open("w") as stderr, subprocess.Popen(
            train_command(FONTS, Path(folder, "ocr"), settings, *options), stderr=stderr
        ) as process:
            while process.poll() is None:
                memory = max(memory, memory_mb(process.pid))
                time.sleep(SAMPLE_S)
        text = log.read_text()
        if process.returncode:
            raise SystemExit(f"{text}lstm_ocr_train.py ended with {process.returncode}")
        with Path(folder, "ocr-log", "curves.csv").open(newline="") as file:
            updates = {int(row["epoch"]): int(row["updates"]) for row in csv.DictReader(file)}
    seconds, shares = epochs(text, r"Time cost=([\d.]+)"), epochs(text, r"Waited for data: ([\d.]+)%")
    counted = [epoch for epoch in updates if epoch > 0]
    if not counted:
        raise SystemExit(f"{recipe.name}: no epoch after the first within {BUDGET_S:g} s")
    passed = sum(seconds[epoch] for epoch in counted)
    waiting = sum(shares[epoch] * seconds[epoch] for epoch in counted) / passed
    return Run((max(updates.values()) - updates[0]) * training.batch_size / passed, waiting, memory)


def epochs(log: str, pattern: str) -> Dict[int, float]:
    """Return the number that the log has of each epoch."""
    return {int(epoch): float(number) for epoch, number in re.findall(rf"Epoch\[(\d+)\] {pattern}", log)}


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_parser(__doc__).parse_args()
    rows: List[Row] = []
    for preset in ("captcha", "mxnet-ctc"):
        for cell in ("fused", "unrolled"):
            recipe = on_all_cores(override(load_preset(preset), [("network.cell", cell)]))
            with our_step(recipe) as step:
                network = repeating(step)
                before = network(NETWORK_TURN_S)
                speed, waiting, memory = run(recipe)
                alone = max(before, network(NETWORK_TURN_S))
            name = f"{preset}, {cell}"
            rows += [
                Row(f"{name}: end to end", speed, "samples/s", speed / alone),
                Row(f"{name}: network alone", alone, "samples/s"),
                Row(f"{name}: waiting for data", waiting, "%"),
                Row(f"{name}: most memory", memory, "MB"),
            ]
    show(rows, args.json)


if __name__ == "__main__":
    main()
