"""Memory while 100,000 captchas are read from an MXNet record file, by worker processes as in training.

Memory is that of all processes together, pages that they share counted once, after 10,000 samples and later.

    python benchmarks/records.py
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from report import FONTS, ROOT, Row, make_parser, memory_mb, show

from ocr_lib.feed.disk import DiskSource, Subset
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.recipe.settings import load_preset
from ocr_lib.sets.dataset import open_dataset

COUNT = 100_000
MARKS = (10_000, 50_000, COUNT)
BATCH_SIZE = 100
WORKERS = 2


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_parser(__doc__).parse_args()
    recipe = load_preset("captcha")
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "captcha_generator.py"), str(FONTS), f"--out={folder}/set"]
        subprocess.run([*command, f"--count={COUNT}", "--format=rec"], check=True, stderr=subprocess.DEVNULL)
        subset = Subset(open_dataset(Path(folder, "set")), range(COUNT), np.full(COUNT, recipe.image.width, np.int32))
        source = partial(DiskSource, recipe, subset, subset)
        tasks = (("validation", range(start, start + BATCH_SIZE)) for start in range(0, COUNT, BATCH_SIZE))
        read = 0
        with OrderedPool(source, WORKERS, [DiskSource.__module__]) as pool:
            for batch in pool.map(tasks):
                read += len(batch.texts)
                if read in MARKS:
                    sizes[read] = memory_mb(os.getpid())
    first = sizes[MARKS[0]]
    show([Row(f"after {count:,} samples", size, "MB", size / first) for count, size in sizes.items()], args.json)


if __name__ == "__main__":
    main()
