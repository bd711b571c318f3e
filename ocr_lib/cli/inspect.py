"""``lstm_ocr_inspect.py``: look at labelled images before training on them."""

import argparse
from pathlib import Path
from typing import List, Optional

from ocr_lib.cli.command import add_overwrite, make_parser, num_proc, print_json, run_command
from ocr_lib.cli.dataset import add_reading_options
from ocr_lib.feed.data import HELD_OUT
from ocr_lib.files import check_free, check_writable, write_atomic
from ocr_lib.jobs.inspect import inspect
from ocr_lib.page import png
from ocr_lib.recipe.settings import parse_setting

_PASSED_ON = ("val_data", "held_out", "format", "label_pattern", "split", "num_proc")


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Look at labelled images before training on them: their sizes, texts and characters, what is strange about "
        "some of them, and what training would make of them."
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder, a list of images, or a .rec file")
    parser.add_argument("--val-data", type=Path, metavar="PATH", help="labelled images to validate on")
    parser.add_argument(
        "--held-out", type=float, default=HELD_OUT, metavar="SHARE", help="to validate on, where there is no --val-data"
    )
    add_reading_options(parser, "the data", "train")
    parser.add_argument("--preset", help="as for lstm_ocr_train.py (default: found from the data)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe, as in text.case=lower"
    )
    parser.add_argument("--num_proc", type=num_proc, default="auto", help="worker processes, or as many as it takes")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures, the worst first")
    parser.add_argument(
        "--augmentation",
        type=Path,
        metavar="FILE.png",
        help="write a picture of a dozen images: as the network reads them, and as they are changed in three epochs",
    )
    parser.add_argument("--json", action="store_true", help="print an object")
    add_overwrite(parser)
    return run_command(parser, _inspect, argv)


def _inspect(args: argparse.Namespace) -> int:
    for path in filter(None, (args.html, args.augmentation)):
        check_free(path, args.overwrite)
        check_writable(path)
    options = {name: getattr(args, name) for name in _PASSED_ON}
    inspected = inspect(args.path, args.preset, settings=[parse_setting(text) for text in args.set], **options)
    if args.json:
        print_json(inspected.as_json())
    else:
        print(inspected.as_text())
    if args.html:
        write_atomic(args.html, inspected.as_html(str(args.path)).encode("utf-8", "backslashreplace"))
    if args.augmentation:
        write_atomic(args.augmentation, png(inspected.augmented()))
    return 0
