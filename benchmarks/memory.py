"""Memory of a run that goes on and on: after 2,000 batches, and after 20,000.

The run is lstm_ocr_train.py, with the default preset but a smaller network and batch, such that a batch takes
milliseconds. Every 1,000 batches it validates and saves a checkpoint. Memory is that of all processes together, pages
that they share counted once.

    python benchmarks/memory.py
"""

import re
import subprocess
import tempfile
from pathlib import Path

from report import FONTS, Row, make_parser, memory_mb, show, train_command

BATCH_SIZE = 4
EPOCH_BATCHES = 1000
MARKS = (2000, 20000)
SETTINGS = {
    "image.width": 40,
    "image.height": 16,
    "network.convolutions": '[{"filters": 4, "pool": [2, 2]}, {"filters": 4, "pool": [1, 2]}]',
    "network.layers": 1,
    "network.hidden": 8,
    "training.batch_size": BATCH_SIZE,
    "training.epoch_size": BATCH_SIZE * EPOCH_BATCHES,
    "training.validation_size": 100,
    "training.epochs": MARKS[-1] // EPOCH_BATCHES,
}


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_parser(__doc__).parse_args()
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        command = train_command(FONTS, Path(folder, "ocr"), SETTINGS)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                found = re.search(r"Epoch\[(\d+)\] Batch \[(\d+)\]", line)
                done = int(found[1]) * EPOCH_BATCHES + int(found[2]) if found else 0
                if done in MARKS:
                    sizes[done] = memory_mb(process.pid)
    if process.returncode:
        raise SystemExit(f"{line.strip()}\nlstm_ocr_train.py ended with {process.returncode}")
    first = sizes[MARKS[0]]
    show([Row(f"after {done:,} batches", size, "MB", size / first) for done, size in sizes.items()], args.json)


if __name__ == "__main__":
    main()
