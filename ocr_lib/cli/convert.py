"""``lstm_ocr_convert.py``: turn a data set of one format into one of another."""

import argparse
import json
import sys
from pathlib import Path
from typing import Iterator, List, Optional

from tqdm import tqdm

from ocr_lib.alphabet import SETS
from ocr_lib.cli.command import make_parser, run_command
from ocr_lib.cli.dataset import add_dataset_options
from ocr_lib.errors import OCRError
from ocr_lib.sets.alphabets import find_alphabet
from ocr_lib.sets.dataset import Dataset, check_problems, open_dataset, parts_of
from ocr_lib.sets.writers import WRITERS, Sample, write_dataset


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Turn a data set of labelled images into one of another format. Image files are copied as they are; those that "
        "can't be used are left out, and told."
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder, a list of images, or a .rec file")
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder, or a .rec file")
    add_dataset_options(parser, "SOURCE", "all")
    parser.add_argument(
        "--alphabet",
        metavar="NAME|FILE|CHARACTERS",
        help=f"what class ids in a .rec file stand for, in their order: {', '.join(SETS)}, a text file with the "
        "characters, or these themselves",
    )
    parser.add_argument("--to", choices=WRITERS, help="format of OUT (default: rec if it ends in .rec, else labels)")
    parser.add_argument("--json", action="store_true", help="print an object")
    return run_command(parser, _convert, argv)


def _convert(args: argparse.Namespace) -> int:
    alphabet = find_alphabet(args.alphabet) if args.alphabet else None
    parts = parts_of(args.split)
    dataset = open_dataset(args.source, args.format, args.max_problems, args.label_pattern, parts, alphabet)
    hide = args.quiet or not sys.stderr.isatty()
    with tqdm(total=len(dataset), unit="image", disable=hide, leave=False) as bar:
        found = len(dataset.problems)
        samples = _samples(args, dataset, bar)
        write_dataset(args.out, args.to or ("rec" if args.out.suffix == ".rec" else "labels"), samples)
    converted = len(dataset) - (len(dataset.problems) - found)
    if args.json:
        print(json.dumps({"path": str(args.out), "converted": converted, "left_out": dataset.problems}, indent=2))
        return 0
    print(f"{converted} images and their texts written to {args.out}")
    if dataset.problems:
        print(f"{len(dataset.problems)} left out:")
        print(*dataset.problems, sep="\n")
    return 0


def _samples(args: argparse.Namespace, dataset: Dataset, bar: "tqdm") -> Iterator[Sample]:
    """Yield samples, and at the end refuse a data set of which too little could be read."""
    converted = 0
    for index in range(len(dataset)):
        try:
            data = dataset.read_file(index)
        except OCRError as error:
            dataset.problems.append(str(error))
        else:
            yield dataset.item(index), data
            converted += 1
        bar.update()
    check_problems(args.source, converted, dataset.problems, args.max_problems)
