"""``lstm_ocr_infer.py``: read images with a trained recognizer."""

import argparse
import contextlib
import glob
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.cli.command import add_overwrite, make_parser, print_json, run_command
from ocr_lib.cli.recognizer import add_recognizer, open_recognizer
from ocr_lib.cv import MAX_PIXELS
from ocr_lib.errors import OCRError, naming, option_name
from ocr_lib.files import check_free
from ocr_lib.images.decode import image_files, read_image
from ocr_lib.images.file import IMAGE_SUFFIXES, OTHER_SUFFIXES
from ocr_lib.installation import how_to_install
from ocr_lib.recognize.lexicon import read_words
from ocr_lib.recognize.reading import Reading
from ocr_lib.recognize.recognizer import Recognizer

if TYPE_CHECKING:
    from ocr_lib.deploy.client import Client

MOST_PLOTTED = 24  # images in one picture
KEY = "OCR_API_KEY"
_READ_TOGETHER = 128
_OF_RECOGNIZERS = {"prefix": "ocr", "epoch": None, "batch_size": 128, "decoder": None, "beam_width": None, "plot": None}


class Outcome(NamedTuple):
    """What became of one image: its pixels and reading, or an error."""

    path: Path
    image: Optional[np.ndarray]
    reading: Optional[Reading]
    error: Optional[str]


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Read images with a trained recognizer. The exit code is 1 if an image could not be read; the others are read "
        f"all the same. Images of more than {MAX_PIXELS:,} pixels are refused."
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="an image file, a folder of them, or a glob pattern")
    add_recognizer(parser)
    parser.add_argument(
        "--url",
        metavar="URL",
        help="read by a service that lstm_ocr_serve.py runs there, with --model NAME of its models; a key that it asks "
        f"for is taken from the environment, {KEY}",
    )
    parser.add_argument("--confidence", action="store_true", help="tell how sure each reading is, from 0 to 1")
    parser.add_argument("--json", action="store_true", help="print an array of objects")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw images over their per-step class probabilities")
    add_overwrite(parser)
    parser.set_defaults(prog=parser.prog)
    return run_command(parser, _infer, argv)


def _infer(args: argparse.Namespace) -> int:
    if args.plot and args.plot.suffix.lower() != ".png":
        raise OCRError(f"--plot {args.plot}: the picture is a PNG, so let its name end in .png")
    if args.plot:
        check_free(args.plot, args.overwrite)
    paths = list(_expand(args.images))
    if args.url is not None:
        alphabet, outcomes = _read_by_service(args, paths)
    else:
        reader = open_recognizer(args, len(paths))
        alphabet, outcomes = reader.alphabet, _read(reader, paths, args.batch_size)
    failed = False
    printed: List[Dict[str, Any]] = []
    drawn: List[Tuple[np.ndarray, Reading]] = []
    for outcome in outcomes:
        failed |= outcome.error is not None
        if args.json:
            printed.append(_as_json(outcome))
        elif outcome.reading is None:
            print(f"{args.prog}: error: {' '.join(str(outcome.error).splitlines())}", file=sys.stderr)
        else:
            _print(outcome.path if len(paths) > 1 else None, outcome.reading, alphabet, args.confidence)
        if args.plot and outcome.image is not None and outcome.reading and len(drawn) < MOST_PLOTTED:
            drawn.append((reader.preparation.turned(outcome.image), outcome.reading))
    if args.json:
        print_json(printed)
    if args.plot:
        from ocr_lib.cli.plot import plot_readings  # matplotlib is slow to import

        plot_readings(drawn, alphabet, args.plot)
    return int(failed)


def _expand(arguments: Iterable[str]) -> Iterator[Path]:
    """Yield the files that arguments name; a file that is missing is yielded too, to be named as such later."""
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = image_files(path, IMAGE_SUFFIXES | OTHER_SUFFIXES)
            if not found:
                raise OCRError(f"{path}: no image in this folder")
            yield from found
        elif not path.exists() and glob.has_magic(argument):
            # Path.glob knows no absolute patterns.
            matches = sorted(Path(match) for match in glob.glob(argument, recursive=True))
            files = [match for match in matches if match.is_file()]
            if not files:
                raise OCRError(f"{argument}: no file matches")
            yield from files
        else:
            yield path


def _read(reader: Recognizer, paths: List[Path], batch_size: int) -> Iterator[Outcome]:
    for start in range(0, len(paths), batch_size):
        loaded = [(path, *_load(path, reader)) for path in paths[start : start + batch_size]]
        found = iter(reader.read([image for _, image, _ in loaded if image is not None]))
        for path, image, error in loaded:
            yield Outcome(path, image, None if image is None else next(found), error)


def _read_by_service(args: argparse.Namespace, paths: List[Path]) -> Tuple[Alphabet, Iterator[Outcome]]:
    for option in _OF_RECOGNIZERS:
        if getattr(args, option) not in (None, _OF_RECOGNIZERS[option]):
            raise OCRError(f"--url reads by a service: leave {option_name(option)} out")
    if args.pattern is not None and args.lexicon is not None:
        raise OCRError("--lexicon and --pattern can't be combined")
    try:
        from ocr_lib.deploy.client import Client
    except ImportError as error:
        raise OCRError(f"--url needs httpx ({error}): {how_to_install('client')}") from error
    lexicon = [word for word in read_words(Path(args.lexicon)) if word] if args.lexicon else []
    with contextlib.ExitStack() as stack:
        client = Client(args.url, args.model and str(args.model), os.environ.get(KEY), args.pattern, lexicon)
        stack.enter_context(client)
        alphabet = client.alphabet
        stack.pop_all()  # it is closed behind the last image
    return alphabet, _outcomes(client, paths)


def _outcomes(client: "Client", paths: List[Path]) -> Iterator[Outcome]:
    with client:
        for start in range(0, len(paths), _READ_TOGETHER):
            loaded = [(path, *_load_file(path)) for path in paths[start : start + _READ_TOGETHER]]
            found = iter(client.outcomes([data for _, data, _ in loaded if data is not None]))
            for path, data, error in loaded:
                outcome = error if data is None else next(found)
                if isinstance(outcome, Reading):
                    yield Outcome(path, None, outcome, None)
                else:
                    yield Outcome(path, None, None, f"{path}: {outcome}")


def _load_file(path: Path) -> Tuple[Optional[bytes], Optional[str]]:
    try:
        return path.read_bytes(), None
    except OSError as error:
        return None, error.strerror


def _load(path: Path, reader: Recognizer) -> Tuple[Optional[np.ndarray], Optional[str]]:
    try:
        image = read_image(path, reader.preparation.rendition)
        with naming(path):
            reader.preparation.width_of(image)
    except OCRError as error:
        return None, str(error)
    return image, None


def _as_json(outcome: Outcome) -> Dict[str, Any]:
    if outcome.reading is None:
        return {"path": str(outcome.path), "error": outcome.error}
    return {"path": str(outcome.path), **outcome.reading.as_json()}


def _print(path: Optional[Path], reading: Reading, alphabet: Alphabet, confidence: bool) -> None:
    text = reading.text
    line = f"Digits: {[int(c) for c in text]}" if alphabet.is_digits else f"Text: {text}"
    if confidence:
        line += f"\tconfidence {reading.confidence:.4f}"
    print(f"{path}\t{line}" if path else line)
