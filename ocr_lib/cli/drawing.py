"""What the commands that draw images share: one image to a file, or a data set of them to a folder."""

import argparse
import secrets
from pathlib import Path
from typing import List, Tuple

from ocr_lib.cli.command import add_overwrite, num_proc
from ocr_lib.errors import OCRError
from ocr_lib.jobs.drawn_set import FORMATS
from ocr_lib.recipe.settings import parse_setting


def add_places(parser: argparse.ArgumentParser, example: str) -> None:
    """Add the positional arguments: fonts, and the file of the one image, called as in `example`."""
    parser.add_argument("font_path", type=Path, metavar="FONT", help="a font file, or a folder of them")
    parser.add_argument("output", nargs="?", type=Path, metavar="OUTPUT", help=f"image file, as in {example}")


def add_data_set(parser: argparse.ArgumentParser) -> None:
    """Add the options of seed and data set."""
    parser.add_argument("--seed", type=int, help="same seed, same images (default: random; 0 for a data set)")
    parser.add_argument("--count", type=int, help="images in the data set")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="of the data set: files, or one that MXNet reads"
    )
    parser.add_argument(
        "--num_proc", type=num_proc, default="auto", help="worker processes that write a data set, or as many as pay"
    )
    add_overwrite(parser)


def add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    """Add --set, for parts of the recipe that are drawn by, as in `example`."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help=f"change more of the recipe, as in {example}"
    )


def chosen_settings(args: argparse.Namespace, *parts: str) -> List[Tuple[str, str]]:
    """Return what --set changes in some parts of the recipe.

    Raises
    ------
    OCRError
        If it is another part.
    """
    settings = [parse_setting(text) for text in args.set]
    for key, _ in settings:
        if key.partition(".")[0] not in parts:
            raise OCRError(f"--set {key}: only {' and '.join(parts)} count{'s' * (len(parts) == 1)} here")
    return settings


def check_places(args: argparse.Namespace, kind: str) -> None:
    """Refuse options that contradict each other about where images of a kind go.

    Raises
    ------
    OCRError
        Naming them.
    """
    if (args.count is None) != (args.out is None) or (args.output is None) == (args.out is None):
        raise OCRError(f"give either OUTPUT for one {kind}, or both --count and --out for a data set")


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that go with the other of the two: one image, or a data set.

    Raises
    ------
    OCRError
        Naming them.
    """
    if args.format == "rec" and args.out is None:
        raise OCRError("--format rec goes with --count and --out")
    if args.overwrite and args.out is not None:
        raise OCRError("--overwrite goes with OUTPUT: a data set is continued, or deleted by hand")


def chosen_seed(args: argparse.Namespace) -> int:
    """Return the seed that is given, else 0 for a data set and a random one for an image."""
    if args.seed is not None:
        return int(args.seed)
    return secrets.randbits(32) if args.out is None else 0


def length_span(text: str) -> Tuple[int, int]:
    """Read a length of texts, or the least and the most."""
    least, dash, most = text.partition("-")
    if not least.isdecimal() or (dash and not most.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 3-4 or 4")
    return int(least), int(most or least)
