"""``lstm_ocr_infer.py``: read images with a trained recognizer."""

import argparse
import glob
import io
import json
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.cli.command import add_checkpoint, make_parser, run_command
from ocr_lib.cv import MAX_PIXELS
from ocr_lib.errors import OCRError
from ocr_lib.image import image_files, read_image
from ocr_lib.recognize.decode import Decoder, best_path
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
    parser.set_defaults(prog=parser.prog)
    return run_command(parser, _infer, argv)


def _infer(args: argparse.Namespace) -> int:
    if args.plot and args.plot.suffix.lower() != ".png":
        raise OCRError(f"--plot {args.plot}: the picture is a PNG, so let its name end in .png")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the name of a file need not be text
    paths = list(_expand(args.images))
    reader = open_recognizer(args, len(paths))
    alphabet = reader.alphabet
    failed = False
    printed: List[Dict[str, Any]] = []
    drawn: List[Outcome] = []
    for outcome in _read(reader, paths, args.batch_size):
        failed |= outcome.error is not None
        if args.json:
            printed.append(_as_json(outcome))
        elif outcome.reading is None:
            print(f"{args.prog}: error: {' '.join(str(outcome.error).splitlines())}", file=sys.stderr)
        else:
            _print(outcome.path if len(paths) > 1 else None, outcome.reading, alphabet, args.confidence)
        if args.plot and outcome.reading and len(drawn) < MOST_PLOTTED:
            drawn.append(outcome)
    if args.json:
        json.dump(printed, sys.stdout, indent=2, ensure_ascii=False)
        print()
    if args.plot:
        from ocr_lib.cli.plot import plot_readings

        plot_readings(drawn, alphabet, args.plot)
    return int(failed)


def add_recognizer(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a recognizer and say how it reads."""
    add_checkpoint(parser)
    parser.add_argument("--model", type=Path, metavar="FILE", help="an exported model, in place of a checkpoint")
    parser.add_argument("--batch-size", type=int, default=128, help="images to put through the network at a time")
    parser.add_argument(
        "--decoder",
        choices=["greedy", "beam"],
        help="the best class of each time step, or the most probable text by beam search, which --lexicon and "
        "--pattern imply (default: greedy)",
    )
    parser.add_argument("--beam-width", type=int, metavar="N", help="prefixes that beam search keeps (default: 16)")
    parser.add_argument(
        "--lexicon",
        type=Path,
        metavar="FILE",
        help="read only words of this file, one a line; none, with confidence 0, where all are too long",
    )
    parser.add_argument("--pattern", metavar="REGEX", help=r"likewise, only texts that match as a whole: \d{3,4}")


def open_recognizer(args: argparse.Namespace, num_images: int) -> Recognizer:
    """Return the recognizer that the options of `add_recognizer` ask for.

    Parameters
    ----------
    args : argparse.Namespace
    num_images : int
        How many there are to read: it need not make room for more at a time.

    Raises
    ------
    OCRError
        If it can't be loaded, or an option is wrong.
    """
    if args.batch_size < 1:
        raise OCRError(f"--batch-size must be at least 1, not {args.batch_size}")
    _check_decoding(args)
    recognizer = _recognizer(args, min(args.batch_size, num_images))
    recognizer.decode = _decoder(args, recognizer.alphabet)
    return recognizer


def _recognizer(args: argparse.Namespace, batch_size: int) -> Recognizer:
    if args.model is None:
        from ocr_lib.net.checkpoint import load_checkpoint
        from ocr_lib.net.reader import Reader

        return Reader(load_checkpoint(args.prefix, args.epoch), batch_size)
    if args.epoch is not None or args.prefix != "ocr":
        raise OCRError("--model takes the place of a checkpoint: leave --prefix and --epoch out")
    try:
        from ocr_lib.deploy import Predictor
    except ImportError as error:
        raise OCRError(f"--model needs ONNX Runtime ({error}): pip install onnxruntime") from error
    return Predictor(args.model, batch_size)


def _check_decoding(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other, and set the decoder that they imply."""
    if args.lexicon is not None and args.pattern is not None:
        raise OCRError("--lexicon and --pattern can't be combined")
    if args.decoder is None:
        args.decoder = "greedy" if args.lexicon is None and args.pattern is None else "beam"
    for option in ("lexicon", "pattern", "beam_width"):
        if args.decoder == "greedy" and getattr(args, option) is not None:
            raise OCRError(f"--{option.replace('_', '-')} goes with --decoder beam")


def _decoder(args: argparse.Namespace, alphabet: Alphabet) -> Decoder:
    if args.decoder == "greedy":
        return best_path
    # Imports compiled code, which the first time takes seconds.
    from ocr_lib.recognize.automaton import all_texts
    from ocr_lib.recognize.beam import DEFAULT_WIDTH, MOST_WIDTH, BeamDecoder
    from ocr_lib.recognize.lexicon import load_lexicon
    from ocr_lib.recognize.pattern import compile_pattern

    width = DEFAULT_WIDTH if args.beam_width is None else args.beam_width
    if not 1 <= width <= MOST_WIDTH:
        raise OCRError(f"--beam-width must be from 1 to {MOST_WIDTH}, not {width}")
    if args.lexicon is not None:
        return BeamDecoder(load_lexicon(args.lexicon, alphabet), width)
    if args.pattern is not None:
        return BeamDecoder(compile_pattern(args.pattern, alphabet), width)
    return BeamDecoder(all_texts(alphabet.num_classes), width)


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
        loaded = [(path, *_load(path)) for path in paths[start : start + batch_size]]
        found = iter(reader.read([image for _, image, _ in loaded if image is not None]))
        for path, image, error in loaded:
            yield Outcome(path, image, None if image is None else next(found), error)


def _load(path: Path) -> Tuple[Optional[np.ndarray], Optional[str]]:
    try:
        return read_image(path), None
    except OCRError as error:
        return None, str(error)


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
