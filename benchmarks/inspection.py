"""How fast `lstm_ocr_inspect.py` looks at captchas in a folder, and how much memory that takes.

    python benchmarks/inspection.py [--count 100000]

Memory is the largest of its processes; a tenth as many images show whether it grows with them.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

from report import FONTS, ROOT, Row, make_parser, show


def measure(count: int) -> List[Row]:
    """Inspect so many captchas, once they were read once: not the disk is measured."""
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images")
        generate = [sys.executable, str(ROOT / "captcha_generator.py"), str(FONTS / "Ubuntu-M.ttf")]
        subprocess.run([*generate, f"--count={count}", f"--out={images}", "--quiet"], check=True)
        for path in images.glob("*.*"):
            path.read_bytes()
        inspect = [sys.executable, str(ROOT / "lstm_ocr_inspect.py"), str(images), "--json", "--quiet"]
        began = time.perf_counter()
        found = json.loads(subprocess.run(inspect, check=True, stdout=subprocess.PIPE).stdout)
        seconds = time.perf_counter() - began
    assert found["samples"] == count, found["left_out"][:5]
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return [
        Row(f"{count:,} images", seconds, "s"),
        Row(f"{count:,} images", count / seconds, "images/s"),
        Row(f"{count:,} images: memory", memory, "MiB"),
    ]


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    args = parser.parse_args()
    show([row for count in (args.count // 10, args.count) for row in measure(count)], args.json)


if __name__ == "__main__":
    main()
