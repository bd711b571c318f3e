"""``lstm_ocr_launch.py``: start a training run on several machines, or as several workers on this one."""

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from ocr_lib.cli.command import make_parser, run_command
from ocr_lib.errors import OCRError
from ocr_lib.launch.command import DISTRIBUTED
from ocr_lib.launch.run import LaunchOptions, launch


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    own, dashes, command = arguments, [], []  # type: List[str], List[str], List[str]
    if "--" in arguments:
        at = arguments.index("--")
        own, dashes, command = arguments[:at], ["--"], arguments[at + 1 :]
    parser = make_parser(
        "Train as several workers that share a run: on this machine, or over ssh on the hosts of a file. Behind -- is "
        "the command that each carries out: lstm_ocr_train.py and its arguments."
    )
    parser.usage = f"{parser.prog} [options] -n WORKERS -- lstm_ocr_train.py ARGUMENTS..."
    parser.add_argument("-n", "--workers", type=int, required=True, help="workers, each with its share of every batch")
    parser.add_argument("-s", "--servers", type=int, default=1, help="servers that sum what workers send them")
    parser.add_argument("--hostfile", type=Path, help="lines of `host` or `host slots=N`; localhost is this machine")
    parser.add_argument("--restarts", type=int, default=0, metavar="K", help="start again after a failure, K times")
    parser.add_argument("--port", type=int, help="of the scheduler on this machine (default: a free one)")
    parser.add_argument(
        "--kv-store", choices=DISTRIBUTED, help=f"what connects the workers (default: {DISTRIBUTED[0]})"
    )

    def run(args: argparse.Namespace) -> int:
        if not dashes or not command:
            raise OCRError("give the command of the workers behind --, as in -n 2 -- lstm_ocr_train.py font/")
        return launch(command, LaunchOptions(*(getattr(args, name) for name in LaunchOptions._fields)))

    return run_command(parser, run, own)
