"""``lstm_ocr_eval.py``: measure how well a trained recognizer reads labelled images."""

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from tqdm import tqdm

from ocr_lib.cli.command import add_overwrite, make_parser, print_json, run_command
from ocr_lib.cli.dataset import DATASET_OPTIONS, add_dataset_options
from ocr_lib.cli.recognizer import add_recognizer, open_recognizer, own_lexicon
from ocr_lib.errors import OCRError
from ocr_lib.files import check_free, write_atomic
from ocr_lib.jobs.evaluate import NUM_WORST, evaluate_all
from ocr_lib.recognize.equal_texts import EQUALITIES
from ocr_lib.recognize.report_html import html_report


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Measure how well a trained recognizer reads labelled images. Those that can't be read are left out, and told."
    )
    add_recognizer(parser, has_own_lexicons=True)
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        required=True,
        metavar="PATH",
        help="a folder, a list of images, or a .rec file; several, each after its --data, make a table",
    )
    add_dataset_options(parser, "the data", "test, or val")
    parser.add_argument(
        "--compare",
        choices=EQUALITIES,
        default="exact",
        help="texts by all their characters, or by letters and digits alone, ignoring case",
    )
    parser.add_argument("--worst", type=int, default=NUM_WORST, metavar="N", help="lines to show of those read worst")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the worst lines' images too")
    parser.add_argument("--json", action="store_true", help="print an object")
    parser.add_argument(
        "--cpu",
        type=int,
        metavar="N",
        help="cores to read with a checkpoint on, a process each (default: all, where that saves time)",
    )
    add_overwrite(parser)
    return run_command(parser, _evaluate, argv)


def _evaluate(args: argparse.Namespace) -> int:
    if args.html:
        check_free(args.html, args.overwrite)
    if args.model and args.cpu is not None:
        raise OCRError("--cpu goes with a checkpoint: a --model has threads of its own")
    options = {name: getattr(args, name) for name in (*DATASET_OPTIONS, "compare")}
    options.update(lexicon=own_lexicon(args), num_worst=args.worst, cpus=1 if args.model else args.cpu)
    with tqdm(unit="image", disable=args.quiet or not sys.stderr.isatty(), leave=False) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = evaluate_all(open_recognizer(args), args.data, tell=tell, **options)
    evaluation = found.sets[0][1] if len(found.sets) == 1 else found
    if args.json:
        print_json(evaluation.as_json())
    else:
        print(evaluation.as_text())
    if args.html:
        how = [f"--{name} {options[name]}" for name in ("compare", "lexicon") if options[name] not in ("exact", None)]
        title = f"{args.model or args.prefix} on {', '.join([*map(str, args.data), *how])}"
        page = html_report(evaluation, title)
        write_atomic(args.html, page.encode("utf-8", "backslashreplace"))
    return 0
