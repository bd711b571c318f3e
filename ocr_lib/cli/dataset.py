"""Options of all commands that open a data set."""

import argparse

from ocr_lib.sets.dataset import FORMATS, MAX_PROBLEMS

DATASET_OPTIONS = ("format", "max_problems", "label_pattern", "split")


def add_dataset_options(parser: argparse.ArgumentParser, of: str, split: str) -> None:
    """Add the options that say how a data set is read.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    of : str
        What the help calls the data set.
    split : str
        Which part of a list is read if that is parted.
    """
    add_reading_options(parser, of, split)
    parser.add_argument(
        "--max-problems",
        type=float,
        default=MAX_PROBLEMS,
        metavar="SHARE",
        help="stop if more than this share of images can't be used, from 0 to 1",
    )


def add_reading_options(parser: argparse.ArgumentParser, of: str, split: str) -> None:
    """Add those that say what is in a data set; see `add_dataset_options`."""
    parser.add_argument("--format", choices=FORMATS, help=f"of {of} (default: found by looking at it)")
    parser.add_argument(
        "--label-pattern",
        metavar="REGEX",
        help="finds the labels in images' names, by its group (?P<text>...) (default: all names together say how)",
    )
    parser.add_argument(
        "--split", metavar="PART", help=f"of a list that is parted: train, val, test or all (default: {split})"
    )
