"""``lstm_ocr_infer.py``: read images with a trained recognizer."""

import argparse
import glob
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.cli.command import make_parser, run_command
from ocr_lib.cv import MAX_PIXELS
from ocr_lib.errors import OCRError
from ocr_lib.image import read_image
from ocr_lib.net.manifest import Epoch
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.reading import Reading

if TYPE_CHECKING:
    from ocr_lib.net.reader import Reader

# What OpenCV reads, by the names that such files usually have.
_TYPES = "avif bmp dib exr gif hdr jfif jp2 jpe jpeg jpg pbm pgm pic png pnm ppm ras sr tif tiff webp"
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _TYPES.split())
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
    parser.add_argument("--prefix", default="ocr", help="path that the names of the checkpoint's files begin with")
    parser.add_argument("--epoch", type=_epoch, help="a number, best or last (default: best, or last if none is)")
    parser.add_argument("--confidence", action="store_true", help="tell how sure each reading is, from 0 to 1")
    parser.add_argument("--json", action="store_true", help="print an array of objects")
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
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw images over their per-step class probabilities")
    parser.set_defaults(prog=parser.prog)
    return run_command(parser, _infer, argv)


def _infer(args: argparse.Namespace) -> int:
    if args.batch_size < 1:
        raise OCRError(f"--batch-size must be at least 1, not {args.batch_size}")
    if args.plot and args.plot.suffix.lower() != ".png":
        raise OCRError(f"--plot {args.plot}: the picture is a PNG, so let its name end in .png")
    _check_decoding(args)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the name of a file need not be text
    paths = list(_expand(args.images))
    from ocr_lib.net.checkpoint import load_checkpoint
    from ocr_lib.net.reader import Reader

    checkpoint = load_checkpoint(args.prefix, args.epoch)
    alphabet = checkpoint.recipe.alphabet
    reader = Reader(checkpoint, min(args.batch_size, len(paths)), _decoder(args, alphabet))
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


def _epoch(text: str) -> Epoch:
    if text in ("best", "last"):
        return text
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number, nor best or last")
    return int(text)


def _expand(arguments: Iterable[str]) -> Iterator[Path]:
    """Yield the files that arguments name; a file that is missing is yielded too, to be named as such later."""
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
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


def _read(reader: "Reader", paths: List[Path], batch_size: int) -> Iterator[Outcome]:
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
    return {"path": str(outcome.path), "text": outcome.reading.text, "confidence": round(outcome.reading.confidence, 6)}


def _print(path: Optional[Path], reading: Reading, alphabet: Alphabet, confidence: bool) -> None:
    text = reading.text
    line = f"Digits: {[int(c) for c in text]}" if alphabet.is_digits else f"Text: {text}"
    if confidence:
        line += f"\tconfidence {reading.confidence:.4f}"
    print(f"{path}\t{line}" if path else line)
