"""Options of all commands that open a data set."""

import argparse

from ocr_lib.sets.dataset import FORMATS, MAX_PROBLEMS


def add_dataset_options(parser: argparse.ArgumentParser, of: str) -> None:
    """Add the options that say how a data set is read.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    of : str
        What the help calls the data set.
    """
    parser.add_argument("--format", choices=FORMATS, help=f"of {of} (default: found by looking at it)")
    parser.add_argument(
        "--max-problems",
        type=float,
        default=MAX_PROBLEMS,
        metavar="SHARE",
        help="stop if more than this share of images can't be used, from 0 to 1",
    )
