"""``lstm_ocr_eval.py``: measure how well a trained recognizer reads labelled images."""

import argparse
import io
import json
import logging
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np
from tqdm import tqdm

from ocr_lib.alphabet import Alphabet
from ocr_lib.cli.command import make_parser, run_command
from ocr_lib.cli.dataset import add_dataset_options
from ocr_lib.cli.recognizer import add_recognizer, open_recognizer
from ocr_lib.errors import OCRError, naming
from ocr_lib.files import write_atomic
from ocr_lib.recognize.evaluation import Evaluation, Evaluator
from ocr_lib.recognize.recognizer import Recognizer
from ocr_lib.recognize.report_html import html_report
from ocr_lib.sets.dataset import Dataset, Item, check_problems, open_dataset, tell_problems

logger = logging.getLogger(__name__)


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Measure how well a trained recognizer reads labelled images. Those that can't be read are left out, and told."
    )
    add_recognizer(parser)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="PATH", help="a folder, a list of images, or a .rec file"
    )
    add_dataset_options(parser, "the data")
    parser.add_argument("--worst", type=int, default=20, metavar="N", help="lines to show of those read worst")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the worst lines' images too")
    parser.add_argument("--json", action="store_true", help="print an object")
    return run_command(parser, _evaluate, argv)


def _evaluate(args: argparse.Namespace) -> int:
    if args.worst < 0:
        raise OCRError(f"--worst must be at least 0, not {args.worst}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    dataset = open_dataset(args.data, args.format, args.max_problems)
    recognizer = open_recognizer(args, len(dataset))
    _warn_of_unknown(dataset, recognizer.alphabet)
    evaluation = _read(args, dataset, recognizer)
    if args.json:
        print(json.dumps(evaluation.as_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(evaluation.as_text())
    if args.html:
        page = html_report(evaluation, f"{args.model or args.prefix} on {args.data}")
        write_atomic(args.html, page.encode("utf-8", "backslashreplace"))
    return 0


def _warn_of_unknown(dataset: Dataset, alphabet: Alphabet) -> None:
    found = Counter(character for index in range(len(dataset)) for character in dataset.item(index).text)
    unknown = [f"{c!r} ({found[c]} times)" for c in sorted(found) if c not in alphabet.characters]
    if unknown:
        logger.warning("The alphabet lacks %s of the texts: these count as errors", ", ".join(unknown))


def _read(args: argparse.Namespace, dataset: Dataset, recognizer: Recognizer) -> Evaluation:
    evaluator = Evaluator(args.worst)
    problems = list(dataset.problems)
    with tqdm(total=len(dataset), unit="image", disable=args.quiet or not sys.stderr.isatty(), leave=False) as bar:
        images = _images(args, dataset, recognizer, problems)
        while batch := list(islice(images, args.batch_size)):
            for (item, image), reading in zip(batch, recognizer.read([image for _, image in batch])):
                evaluator.add(item.name, item.text, reading, image)
            bar.update(len(batch))
    tell_problems("Skipped", problems)
    return evaluator.evaluation(len(problems))


def _images(
    args: argparse.Namespace, dataset: Dataset, recognizer: Recognizer, problems: List[str]
) -> Iterator[Tuple[Item, np.ndarray]]:
    """Yield images with what they say; stop as soon as too many are sure not to be read."""
    total = len(dataset) + len(problems)
    for index in range(len(dataset)):
        item = dataset.item(index)
        try:
            image = dataset.read(index)
            with naming(dataset.where(index)):
                recognizer.preparation.width_of(image)
        except OCRError as error:
            problems.append(str(error))
            check_problems(args.data, total - len(problems), problems, args.max_problems)
        else:
            yield item, image
