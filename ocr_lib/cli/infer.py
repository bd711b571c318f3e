"""``lstm_ocr_infer.py``: read images with a trained recognizer."""

import argparse
import glob
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.cli.command import add_overwrite, make_parser, print_json, run_command
from ocr_lib.cli.recognizer import add_recognizer, open_recognizer
from ocr_lib.cv import MAX_PIXELS
from ocr_lib.errors import OCRError, naming
from ocr_lib.files import check_free
from ocr_lib.images.decode import image_files, read_image
from ocr_lib.recognize.reading import Reading
from ocr_lib.recognize.recognizer import Recognizer

MOST_PLOTTED = 24  # images in one picture


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
    reader = open_recognizer(args, len(paths))
    alphabet = reader.alphabet
    failed = False
    printed: List[Dict[str, Any]] = []
    drawn: List[Tuple[np.ndarray, Reading]] = []
    for outcome in _read(reader, paths, args.batch_size):
        failed |= outcome.error is not None
        if args.json:
            printed.append(_as_json(outcome))
        elif outcome.reading is None:
            print(f"{args.prog}: error: {' '.join(str(outcome.error).splitlines())}", file=sys.stderr)
        else:
            _print(outcome.path if len(paths) > 1 else None, outcome.reading, alphabet, args.confidence)
        if outcome.image is not None and outcome.reading and len(drawn) < MOST_PLOTTED:
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
            found = image_files(path)
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
    reading = outcome.reading
    characters = [
        {"text": character.text, "confidence": round(character.confidence, 6), "x": round(character.x, 1)}
        for character in reading.characters
    ]
    confidence = round(reading.confidence, 6)
    return {"path": str(outcome.path), "text": reading.text, "confidence": confidence, "characters": characters}


def _print(path: Optional[Path], reading: Reading, alphabet: Alphabet, confidence: bool) -> None:
    text = reading.text
    line = f"Digits: {[int(c) for c in text]}" if alphabet.is_digits else f"Text: {text}"
    if confidence:
        line += f"\tconfidence {reading.confidence:.4f}"
    print(f"{path}\t{line}" if path else line)
